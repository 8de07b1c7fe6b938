//! The steps of a path: how they are written in sets and in messages, and how a list's elements are told apart.

use std::{borrow::Cow, fmt::Write};

use serde_json::{Map, Value};

use super::set::Element;
use crate::{
    json_writer,
    schema::{Definition, Field, Schema},
};

/// A field of an object, or a key of a map. Those of a declared field are all the same one.
pub(super) fn field(name: &str, declared: Option<&Field>) -> Element {
    declared.map_or_else(|| ["f:", name].concat().into(), |field| field.step.clone())
}

/// An element of a set.
pub(super) fn value(value: &Value) -> Element {
    format!("v:{value}").into()
}

/// An element of an associative list.
pub(super) fn key_element(
    schema: &Schema,
    keys: &[String],
    of: Option<&Definition>,
    item: &Value,
) -> Element {
    let default = |key: &str| {
        let field = of.and_then(|definition| schema.field(definition, key));
        Cow::Owned(field.and_then(|field| field.default.clone()).map_or(Value::Null, Value::String))
    };
    let own = |key: &str| item.get(key).map_or_else(|| default(key), Cow::Borrowed);
    let mut parts: Vec<(&str, Cow<'_, Value>)> = keys.iter().map(|key| (key.as_str(), own(key))).collect();
    parts.sort_unstable_by_key(|(key, _)| *key);
    key(parts.iter().map(|(key, value)| (*key, &**value)))
}

/// An element of an associative list, by the fields that it is told apart by, in the order of their names.
fn key<'a>(parts: impl Iterator<Item = (&'a str, &'a Value)>) -> Element {
    let mut written = b"k:{".to_vec();
    for (name, value) in parts {
        json_writer::field(&mut written, name, value);
    }
    json_writer::end(&mut written, b'}');
    // JSON is text.
    String::from_utf8(written).unwrap_or_default().into()
}

/// The form in which this program writes an element that somebody else wrote. Nothing if it is none.
pub(super) fn canonical(text: &str) -> Option<Element> {
    let (kind, rest) = text.split_once(':')?;
    match kind {
        "f" => Some(text.into()),
        "i" => rest.parse::<u32>().ok().map(|_| text.into()),
        "k" => match serde_json::from_str(rest).ok()? {
            Value::Object(parts) => Some(key(parts.iter().map(|(name, value)| (name.as_str(), value)))),
            _ => None,
        },
        "v" => serde_json::from_str::<Value>(rest).ok().map(|found| value(&found)),
        _ => None,
    }
}

/// A path as messages show it: `.spec.containers[name="c"].image`.
pub(crate) fn shown(path: &[&str]) -> String {
    let mut text = String::new();
    for element in path {
        let (kind, rest) = element.split_once(':').unwrap_or(("f", element));
        match kind {
            "k" => {
                let key: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
                let parts: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let _ = write!(text, "[{}]", parts.join(","));
            }
            "v" => {
                let _ = write!(text, "[={rest}]");
            }
            "i" => {
                let _ = write!(text, "[{rest}]");
            }
            _ => {
                let _ = write!(text, ".{rest}");
            }
        }
    }
    text
}
