//! Field selectors: `metadata.name=a,status.phase!=Running`, of the fields that a kind offers.

use serde_json::Value;

use crate::{
    api::{
        Status,
        json::{items, text},
    },
    resources::Resource,
};

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
        for term in terms(query).into_iter().filter(|term| !term.is_empty()) {
            let Some((field, equal, value)) = split(term) else {
                let message = format!("invalid selector: '{query}'; can't understand '{term}'");
                return Err(Status::bad_request(message));
            };
            let value = unescaped(value).map_err(Status::bad_request)?;
            requirements.push((field.to_owned(), equal, value));
        }
        for (field, ..) in &requirements {
            check_known(resource, field).map_err(Status::bad_request)?;
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

/// Splits at commas that no backslash stands before, and puts the parts in order.
fn terms(query: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in query.char_indices() {
        if c == ',' && !escaped {
            terms.push(&query[start..at]);
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    terms.push(&query[start..]);
    terms.sort_unstable();
    terms
}

/// The field, whether it is to be equal, and what to: whichever operator comes first is the one.
fn split(term: &str) -> Option<(&str, bool, &str)> {
    let at = term
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| ["!=", "="].iter().any(|o| term[*at..].starts_with(o)))?;
    let (field, rest) = term.split_at(at);
    let (operator, equal) = if rest.starts_with("!=") {
        ("!=", false)
    } else if rest.starts_with("==") {
        ("==", true)
    } else {
        ("=", true)
    };
    Some((field, equal, &rest[operator.len()..]))
}

/// A value without its backslashes. What they protect can't be there without.
fn unescaped(value: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some(c @ ('\\' | ',' | '=')) => plain.push(c),
                next => {
                    let sequence: String = std::iter::once('\\').chain(next).collect();
                    return Err(format!("invalid field selector: invalid escape sequence: {sequence}"));
                }
            },
            // Go prints a character as its number.
            ',' | '=' => {
                return Err(format!(
                    "invalid field selector: unescaped character in value: {}",
                    u32::from(c)
                ));
            }
            other => plain.push(other),
        }
    }
    Ok(plain)
}

/// Kinds with fields of their own refuse others in their own words; all others know what every object has.
fn check_known(resource: &Resource, field: &str) -> Result<(), String> {
    let own = !resource.fields.is_empty();
    let named = field == "metadata.name" || field == "metadata.namespace" && (resource.namespaced || !own);
    if named || resource.fields.iter().any(|f| f == field) {
        return Ok(());
    }
    Err(match resource.store.as_str() {
        "jobs.batch" => format!("field label {field:?} not supported for batchv1.Job"),
        _ if own => format!("field label not supported: {field}"),
        _ => {
            format!("{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
        }
    })
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

    fn parse(resource: &str, query: &str) -> Result<FieldSelector, String> {
        FieldSelector::parse(query, &Resources::default().stored(resource).unwrap()).map_err(|s| s.message)
    }

    #[test]
    fn field_selectors() {
        let pod =
            json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n"}, "status": {"phase": "Pending"}});
        assert!(parse("pods", "spec.nodeName=n,status.phase!=Failed").unwrap().matches(&pod));
        assert!(!parse("pods", "metadata.name=b").unwrap().matches(&pod));
        assert!(parse("pods", ",spec.hostNetwork==false,").unwrap().matches(&pod));
        let secret = json!({"type": "a=b,c\\"});
        assert!(parse("secrets", r"type=a\=b\,c\\").unwrap().matches(&secret));
        // A cluster-wide object has no namespace.
        assert!(
            !parse("clusterroles.rbac.authorization.k8s.io", "metadata.namespace=x")
                .unwrap()
                .matches(&json!({}))
        );
    }

    #[test]
    fn what_a_kind_does_not_offer_is_told_in_its_words() {
        let only = "is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
        for (resource, query, told) in [
            ("pods", "spec.foo=1", "field label not supported: spec.foo".to_owned()),
            ("nodes", "metadata.namespace=x", "field label not supported: metadata.namespace".to_owned()),
            ("jobs.batch", "spec.x=1", "field label \"spec.x\" not supported for batchv1.Job".to_owned()),
            ("configmaps", "data.x=1", format!("\"data.x\" {only}")),
            ("configmaps", " metadata.name=1", format!("\" metadata.name\" {only}")),
            (
                "pods",
                "metadata.name",
                "invalid selector: 'metadata.name'; can't understand 'metadata.name'".to_owned(),
            ),
            ("pods", "x=1,y", "invalid selector: 'x=1,y'; can't understand 'y'".to_owned()),
            (
                "pods",
                "metadata.name=a=b",
                "invalid field selector: unescaped character in value: 61".to_owned(),
            ),
            ("pods", r"metadata.name=\x", r"invalid field selector: invalid escape sequence: \x".to_owned()),
        ] {
            assert_eq!(parse(resource, query), Err(told), "{query}");
        }
    }
}
