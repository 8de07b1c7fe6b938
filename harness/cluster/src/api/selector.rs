//! Label and field selectors, as they come in queries and in objects.

use serde_json::Value;

use super::{
    Status,
    json::{items, text},
};
use crate::resources::Resource;

/// A conjunction of requirements on labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

impl Selector {
    /// Parses the form of queries: `a=b,c!=d,e in (f,g),h,!i`.
    ///
    /// # Errors
    /// 400.
    pub fn parse(query: &str) -> Result<Self, Status> {
        let parts = split(query).into_iter().map(str::trim).filter(|part| !part.is_empty());
        parts.map(requirement).collect::<Result<_, _>>().map(Self)
    }

    /// The form of objects: `matchLabels` and `matchExpressions`.
    #[must_use]
    pub fn of_object(selector: &Value) -> Self {
        let labels = selector["matchLabels"].as_object().into_iter().flatten();
        let labels = labels.map(|(key, value)| Requirement {
            key: key.clone(),
            test: Test::In(vec![text(value).to_owned()]),
        });
        let expressions = items(&selector["matchExpressions"]).iter().map(|expression| {
            let values = items(&expression["values"]).iter().map(|v| text(v).to_owned()).collect();
            let test = match text(&expression["operator"]) {
                "In" => Test::In(values),
                "NotIn" => Test::NotIn(values),
                "Exists" => Test::Exists,
                _ => Test::Absent,
            };
            Requirement { key: text(&expression["key"]).to_owned(), test }
        });
        Self(labels.chain(expressions).collect())
    }

    /// Whether a map of labels fulfils all requirements.
    #[must_use]
    pub fn matches(&self, labels: &Value) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key).and_then(Value::as_str);
            match &requirement.test {
                Test::In(values) => value.is_some_and(|v| values.iter().any(|w| w == v)),
                Test::NotIn(values) => value.is_none_or(|v| values.iter().all(|w| w != v)),
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
            }
        })
    }

    /// Whether everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Labels as a selector shows them: `a=b,c=d`.
pub(super) fn labels_text(labels: &Value) -> String {
    let pairs = labels.as_object().into_iter().flatten().map(|(key, value)| format!("{key}={}", text(value)));
    pairs.collect::<Vec<_>>().join(",")
}

/// An expression as a selector shows it: `a in (b,c)`.
pub(super) fn expression_text(expression: &Value) -> String {
    let key = text(&expression["key"]);
    let values = items(&expression["values"]).iter().map(text).collect::<Vec<_>>().join(",");
    match text(&expression["operator"]) {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "Exists" => key.to_owned(),
        _ => format!("!{key}"),
    }
}

/// Splits at commas that are not inside parentheses.
fn split(query: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0usize, 0);
    for (at, c) in query.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&query[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&query[start..]);
    parts
}

fn requirement(part: &str) -> Result<Requirement, Status> {
    let found = |found: &str, expected: &str| {
        let message = format!("unable to parse requirement: found '{found}', expected: {expected}");
        Status::bad_request(message)
    };
    let make = |key: &str, test: Test| {
        let key = key.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if key.is_empty() {
            return Err(found(part.trim_start().get(..1).unwrap_or_default(), "identifier"));
        }
        if !key.chars().all(fits) {
            return Err(found(key, "identifier"));
        }
        Ok(Requirement { key: key.to_owned(), test })
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    for (word, inside) in [(" notin ", false), (" notin(", false), (" in ", true), (" in(", true)] {
        if let Some((key, rest)) = part.split_once(word) {
            let list = rest.trim().trim_start_matches('(');
            let Some(list) = list.strip_suffix(')') else { return Err(found("", "',' or ')'")) };
            let values = list.split(',').map(|v| v.trim().to_owned()).collect();
            return make(key, if inside { Test::In(values) } else { Test::NotIn(values) });
        }
    }
    if let Some((key, value)) = part.split_once("!=") {
        return make(key, Test::NotIn(one(value)));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return make(key, Test::In(one(value)));
    }
    match part.strip_prefix('!') {
        Some(key) => make(key, Test::Absent),
        None => make(part, Test::Exists),
    }
}

/// A conjunction of requirements on fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<(String, bool, String)>);

impl FieldSelector {
    /// Parses `metadata.name=a,status.phase!=Running` for a resource.
    ///
    /// # Errors
    /// 400 for a field that the resource does not offer.
    pub fn parse(query: &str, resource: &Resource) -> Result<Self, Status> {
        let mut requirements = Vec::new();
        for part in query.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (field, equal, value) = if let Some((field, value)) = part.split_once("!=") {
                (field, false, value)
            } else if let Some((field, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (field, true, value)
            } else {
                let message = format!("invalid selector: '{query}'; can't understand '{part}'");
                return Err(Status::bad_request(message));
            };
            let known = field == "metadata.name"
                || field == "metadata.namespace" && resource.namespaced
                || resource.fields.iter().any(|f| f == field);
            if !known {
                return Err(Status::bad_request(format!("field label not supported: {field}")));
            }
            requirements.push((field.to_owned(), equal, value.to_owned()));
        }
        Ok(Self(requirements))
    }

    /// Whether an object fulfils all requirements.
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(field, equal, value)| (field_value(object, field) == *value) == *equal)
    }

    /// The one name that can match, if the selector says so.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.iter().find(|(field, equal, _)| field == "metadata.name" && *equal).map(|(_, _, v)| v.as_str())
    }

    /// Whether everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The text that a field is compared by.
fn field_value(object: &Value, field: &str) -> String {
    match field {
        // The two views of events name their fields differently; they are stored in the older form.
        "source" => return text(&object["source"]["component"]).to_owned(),
        "reportingController" => return text(&object["reportingComponent"]).to_owned(),
        "status.successful" => return object["status"]["succeeded"].as_i64().unwrap_or(0).to_string(),
        "status.podIPs" => {
            let ips = items(&object["status"]["podIPs"]).iter().map(|ip| text(&ip["ip"]));
            return ips.collect::<Vec<_>>().join(",");
        }
        _ => {}
    }
    let field = field.replacen("regarding.", "involvedObject.", 1);
    let found = field.split('.').fold(object, |value, part| &value[part]);
    match found {
        Value::String(text) => text.clone(),
        Value::Null if matches!(field.as_str(), "spec.unschedulable" | "spec.hostNetwork") => "false".into(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources::Resources;

    #[test]
    fn label_selectors() {
        let labels = json!({"app": "web", "tier": "front"});
        for (query, expected) in [
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (db, web)", true),
            ("app notin (db,web)", false),
            ("app,!other", true),
            ("other", false),
            ("other!=x", true),
            ("", true),
        ] {
            assert_eq!(Selector::parse(query).unwrap().matches(&labels), expected, "{query}");
        }
        let refused = Selector::parse("=x").unwrap_err();
        assert_eq!(refused.message, "unable to parse requirement: found '=', expected: identifier");
        assert!(Selector::parse("a in (b").is_err());
    }

    #[test]
    fn object_selectors() {
        let selector = Selector::of_object(&json!({"matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]},
                {"key": "old", "operator": "DoesNotExist"}]}));
        assert!(selector.matches(&json!({"app": "web", "tier": "front"})));
        assert!(!selector.matches(&json!({"app": "web", "tier": "front", "old": "1"})));
    }

    #[test]
    fn field_selectors() {
        let pods = Resources::default().stored("pods").unwrap();
        let pod =
            json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n"}, "status": {"phase": "Pending"}});
        let parse = |query: &str| FieldSelector::parse(query, &pods);
        assert!(parse("spec.nodeName=n,status.phase!=Failed").unwrap().matches(&pod));
        assert!(!parse("metadata.name=b").unwrap().matches(&pod));
        assert!(parse("spec.hostNetwork=false").unwrap().matches(&pod));
        assert_eq!(parse("spec.foo=1").unwrap_err().message, "field label not supported: spec.foo");
    }
}
