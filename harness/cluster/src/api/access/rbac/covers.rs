//! Which rights are missing to have what some rules grant (`pkg/registry/rbac/validation`): nobody may give
//! what they do not have. It compares rules with rules and asks for no request.

use std::collections::BTreeSet;

use super::rule::{Rule, covers_path};

/// The most pieces that one rule is broken into. A longer one must be covered by one rule as a whole: that is
/// stricter than real servers, and does not take their time.
const PIECES: usize = 100_000;

/// What of the `wanted` rules the `owned` ones do not cover, as refusals list it, sorted; empty when all is
/// covered.
pub(in crate::api) fn missing(owned: &[Rule], wanted: &[Rule]) -> BTreeSet<String> {
    let pieces = wanted.iter().flat_map(broken_down);
    let missing = pieces.filter(|piece| !owned.iter().any(|rule| covers(rule, piece)));
    compacted(missing).iter().map(Rule::compact).collect()
}

/// A rule as rules of one verb, one group, one resource and one name each.
fn broken_down(rule: &Rule) -> Vec<Rule> {
    let lists = [&rule.verbs, &rule.api_groups, &rule.resources, &rule.resource_names];
    let count = lists.iter().fold(1_usize, |count, list| count.saturating_mul(list.len().max(1)));
    if count > PIECES {
        return vec![rule.clone()];
    }
    let one = |text: &String| vec![text.clone()];
    let names: Vec<Vec<String>> = match rule.resource_names.as_slice() {
        [] => vec![Vec::new()],
        names => names.iter().map(one).collect(),
    };
    let mut pieces = Vec::new();
    for verb in &rule.verbs {
        for (group, resource) in
            rule.api_groups.iter().flat_map(|g| rule.resources.iter().map(move |r| (g, r)))
        {
            pieces.extend(names.iter().map(|name| Rule {
                verbs: one(verb),
                api_groups: one(group),
                resources: one(resource),
                resource_names: name.clone(),
                non_resource_urls: Vec::new(),
            }));
        }
        pieces.extend(rule.non_resource_urls.iter().map(|url| Rule {
            verbs: one(verb),
            non_resource_urls: one(url),
            ..Rule::default()
        }));
    }
    pieces
}

/// Whether a rule grants all of a piece.
fn covers(owned: &Rule, piece: &Rule) -> bool {
    let all = |owned: &[String], wanted: &[String]| {
        owned.iter().any(|o| o == "*") || wanted.iter().all(|w| owned.contains(w))
    };
    let resource = |wanted: &String| {
        let of_all = wanted.split_once('/').map(|(_, sub)| format!("*/{sub}"));
        owned.resources.iter().any(|o| o == "*" || o == wanted || Some(o) == of_all.as_ref())
    };
    let names = owned.resource_names.is_empty()
        || !piece.resource_names.is_empty()
            && piece.resource_names.iter().all(|n| owned.resource_names.contains(n));
    let path = |wanted: &String| owned.non_resource_urls.iter().any(|o| covers_path(o, wanted));
    all(&owned.verbs, &piece.verbs)
        && all(&owned.api_groups, &piece.api_groups)
        && piece.resources.iter().all(resource)
        && names
        && piece.non_resource_urls.iter().all(path)
}

/// Pieces about the same resource (and name) as one rule with all their verbs.
fn compacted(pieces: impl Iterator<Item = Rule>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut seen = std::collections::HashMap::new();
    for piece in pieces {
        if !piece.non_resource_urls.is_empty() {
            rules.push(piece);
            continue;
        }
        let about = (piece.api_groups.clone(), piece.resources.clone(), piece.resource_names.clone());
        let at = *seen.entry(about).or_insert_with(|| {
            rules.push(Rule { verbs: Vec::new(), ..piece.clone() });
            rules.len() - 1
        });
        rules[at].verbs.extend(piece.verbs);
    }
    rules
}
