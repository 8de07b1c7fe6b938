//! Label and field selectors, as they come in queries and in objects.

mod fields;
mod query;

use serde_json::Value;

pub use self::fields::FieldSelector;
use super::{
    Status,
    json::{items, text},
};

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
    /// The value is a number, and greater.
    Above(i64),
    /// The value is a number, and less.
    Below(i64),
}

impl Selector {
    /// Parses the form of queries: `a=b,c!=d,e in (f,g),h,!i,j>1`.
    ///
    /// # Errors
    /// 400.
    pub fn parse(query: &str) -> Result<Self, Status> {
        query::parse(query).map(Self).map_err(Status::bad_request)
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
                Test::Above(least) => number(value).is_some_and(|n| n > *least),
                Test::Below(most) => number(value).is_some_and(|n| n < *most),
            }
        })
    }

    /// Whether everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn number(value: Option<&str>) -> Option<i64> {
    value?.parse().ok()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn label_selectors() {
        let labels = json!({"app": "web", "tier": "front", "n": "5"});
        for (query, expected) in [
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (db, web)", true),
            ("app notin (db,web)", false),
            ("app,!other", true),
            ("other", false),
            ("other!=x", true),
            ("n>4,n<6", true),
            ("n>5", false),
            ("n<5", false),
            ("app>1", false),
            ("other<1", false),
            ("", true),
        ] {
            assert_eq!(Selector::parse(query).unwrap().matches(&labels), expected, "{query}");
        }
    }

    #[test]
    fn object_selectors() {
        let selector = Selector::of_object(&json!({"matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]},
                {"key": "old", "operator": "DoesNotExist"}]}));
        assert!(selector.matches(&json!({"app": "web", "tier": "front"})));
        assert!(!selector.matches(&json!({"app": "web", "tier": "front", "old": "1"})));
    }
}
