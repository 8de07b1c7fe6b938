//! Which groups and rules a call is about: ids, names and filters, whose values may have wildcards.

use super::{form::Form, group::Group, permission::Permission, refusal::Refusal};

/// What can be filtered by, and the values that a group has for it.
type Values<T> = fn(&T) -> Vec<String>;

/// Filters of groups, but those of tags.
const GROUPS: &[(&str, Values<Group>)] = &[
    ("group-id", |group| vec![group.id.clone()]),
    ("group-name", |group| vec![group.node.clone()]),
    ("description", |group| vec![group.description()]),
    ("owner-id", |group| vec![group.owner.clone()]),
    ("vpc-id", |group| vec![group.vpc.clone()]),
    ("tag-key", |group| group.tags().map(|(key, _)| key.to_owned()).to_vec()),
    ("egress.ip-permission.cidr", |group| each(group, |one| one.region.block.to_string())),
    ("egress.ip-permission.from-port", |group| each(group, |one| one.protocol().1.to_string())),
    ("egress.ip-permission.to-port", |group| each(group, |one| one.protocol().2.to_string())),
    ("egress.ip-permission.protocol", |group| each(group, |one| one.protocol().0.to_owned())),
];

/// Filters of which no group here has any value: they have rules for what comes in.
const NONE: &str = "ip-permission.";

fn each(group: &Group, value: impl Fn(&Permission) -> String) -> Vec<String> {
    group.permissions.iter().map(value).collect()
}

/// The groups that are asked for.
pub(super) fn groups<'a>(all: &'a [Group], form: &Form) -> Result<Vec<&'a Group>, Refusal> {
    let (ids, names) = (form.list("GroupId"), form.list("GroupName"));
    for id in &ids {
        by_id(all, id)?;
    }
    if let Some(name) = names.iter().find(|name| !all.iter().any(|group| group.node == **name)) {
        return Err(Refusal::no_group(name));
    }
    let listed = |list: &[&str], value: &str| list.is_empty() || list.contains(&value);
    let mut wanted: Vec<&Group> = Vec::new();
    let filters = filters(form)?;
    for group in all {
        let fits = |(name, patterns): &(&str, Vec<&str>)| {
            let values = values(group, name)?;
            Ok(values.iter().any(|value| patterns.iter().any(|pattern| matches(pattern, value))))
        };
        let fits = filters.iter().map(fits).collect::<Result<Vec<bool>, Refusal>>()?;
        if listed(&ids, &group.id) && listed(&names, &group.node) && fits.iter().all(|fits| *fits) {
            wanted.push(group);
        }
    }
    Ok(wanted)
}

/// The rules that are asked for, with their groups.
pub(super) fn rules<'a>(all: &'a [Group], form: &Form) -> Result<Vec<(&'a Group, &'a Permission)>, Refusal> {
    let ids = form.list("SecurityGroupRuleId");
    let rules = || all.iter().flat_map(|group| group.permissions.iter().map(move |one| (group, one)));
    if let Some(id) = ids.iter().find(|id| !rules().any(|(_, one)| one.id == **id)) {
        return Err(Refusal::no_rule(id));
    }
    let filters = filters(form)?;
    for (name, _) in &filters {
        if !matches!(*name, "group-id" | "security-group-rule-id") {
            return Err(no_filter(name));
        }
    }
    let fits = |group: &Group, one: &Permission| {
        filters.iter().all(|(name, patterns)| {
            let value = if *name == "group-id" { &group.id } else { &one.id };
            patterns.iter().any(|pattern| matches(pattern, value))
        })
    };
    let wanted =
        rules().filter(|(group, one)| (ids.is_empty() || ids.contains(&one.id.as_str())) && fits(group, one));
    Ok(wanted.collect())
}

/// The one group that a change is about.
pub(super) fn named<'a>(all: &'a [Group], form: &Form) -> Result<&'a Group, Refusal> {
    by_id(all, form.get("GroupId").ok_or_else(|| Refusal::missing("groupId"))?)
}

fn by_id<'a>(all: &'a [Group], id: &str) -> Result<&'a Group, Refusal> {
    let is_one = id.strip_prefix("sg-").is_some_and(|rest| !rest.is_empty());
    if !is_one {
        return Err(Refusal::new(
            "InvalidGroupId.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"sg-...\")"),
        ));
    }
    all.iter().find(|group| group.id == id).ok_or_else(|| Refusal::no_group(id))
}

/// The filters of a form: each has a name and the values that do.
fn filters(form: &Form) -> Result<Vec<(&str, Vec<&str>)>, Refusal> {
    let read = |item: String| {
        let name = form.get(&format!("{item}.Name")).ok_or_else(|| Refusal::missing("Filter.Name"))?;
        let values = form.list(&format!("{item}.Value"));
        if values.is_empty() {
            return Err(Refusal::wrong_value("The filter 'null' is invalid"));
        }
        Ok((name, values))
    };
    form.items("Filter").into_iter().map(read).collect()
}

fn values(group: &Group, name: &str) -> Result<Vec<String>, Refusal> {
    if let Some(key) = name.strip_prefix("tag:") {
        let tags = group.tags().into_iter().filter(|(known, _)| *known == key);
        return Ok(tags.map(|(_, value)| value.to_owned()).collect());
    }
    let known = GROUPS.iter().find(|(known, _)| *known == name);
    match known {
        Some((_, values)) => Ok(values(group)),
        None if name.starts_with(NONE) || name.starts_with("egress.ip-permission.") => Ok(Vec::new()),
        None => Err(no_filter(name)),
    }
}

fn no_filter(name: &str) -> Refusal {
    Refusal::wrong_value(format!("The filter '{name}' is invalid"))
}

/// Whether a value is as a pattern says, in which `*` stands for anything and `?` for one character.
fn matches(pattern: &str, value: &str) -> bool {
    let (pattern, value): (Vec<char>, Vec<char>) = (pattern.chars().collect(), value.chars().collect());
    let (mut p, mut v) = (0, 0);
    // Where the latest star was, and how much it stands for so far.
    let mut star: Option<(usize, usize)> = None;
    while v < value.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, v));
                p += 1;
            }
            Some(one) if *one == '?' || *one == value[v] => (p, v) = (p + 1, v + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, v) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_stand_for_what_they_stand_for() {
        for (pattern, value, fits) in [
            ("node-1", "node-1", true),
            ("node-1", "node-11", false),
            ("node-?", "node-1", true),
            ("node-?", "node-", false),
            ("*-1", "node-1", true),
            ("*a*b", "aab", true),
            ("*a*b", "aabc", false),
            ("", "", true),
            ("*", "", true),
            ("**?", "", false),
            ("*ü", "xü", true),
        ] {
            assert_eq!(matches(pattern, value), fits, "{pattern} {value}");
        }
    }
}
