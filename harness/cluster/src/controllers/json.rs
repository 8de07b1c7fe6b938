//! Reading fields out of objects: short names for what every controller asks of JSON.
//!
//! A missing field reads as the empty value, as it does for the Kubernetes types.

use jiff::Timestamp;
pub(crate) use pulldrill_clock::stamp;
use serde_json::{Map, Value};

/// A text, empty when absent.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A whole number, 0 when absent.
pub(crate) fn int(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// The items of a list, none when absent.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A time in the API's form.
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// The first condition of a type in `status.conditions`.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(&object["status"]["conditions"]).iter().find(|c| c["type"] == kind)
}

/// The same value without nulls, empty objects and empty lists: what two writers mean alike.
pub(crate) fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), pruned(value)))
                .filter(|(_, value)| !is_empty(value))
                .collect(),
        ),
        Value::Array(entries) => Value::Array(entries.iter().map(pruned).collect()),
        other => other.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        _ => false,
    }
}

/// A status object from counters: those that are 0 are left out, as the API's encoding does.
pub(crate) fn counters<const N: usize>(pairs: [(&str, i64); N]) -> Map<String, Value> {
    pairs.into_iter().filter(|(_, n)| *n != 0).map(|(name, n)| (name.to_owned(), n.into())).collect()
}
