//! Small helpers for JSON objects: setting what is not set, and lists that may be absent.

use serde_json::{Map, Value, json};

/// Sets a field that is absent or null.
pub(super) fn default(object: &mut Value, field: &str, value: impl Into<Value>) {
    if let Some(fields) = fields(object)
        && fields.get(field).is_none_or(Value::is_null)
    {
        fields.insert(field.to_owned(), value.into());
    }
}

/// Sets a field that is absent, null or an empty string.
pub(super) fn default_text(object: &mut Value, field: &str, value: impl Into<Value>) {
    if object[field].as_str().unwrap_or_default().is_empty()
        && let Some(fields) = fields(object)
    {
        fields.insert(field.to_owned(), value.into());
    }
}

/// The fields of an object; null becomes an empty one.
pub(super) fn fields(object: &mut Value) -> Option<&mut Map<String, Value>> {
    if object.is_null() {
        *object = json!({});
    }
    object.as_object_mut()
}

/// The elements of a list that may be absent.
pub(super) fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The elements of a list that may be absent, to be changed.
pub(super) fn items_mut<'a>(
    object: &'a mut Value,
    field: &str,
) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

/// A field that holds an object, to be changed; none when it holds anything else.
pub(super) fn object_mut<'a>(object: &'a mut Value, field: &str) -> Option<&'a mut Value> {
    object.get_mut(field).filter(|value| value.is_object())
}

/// A string, empty when it is absent or something else.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Adds to a list that may be absent.
pub(super) fn push(object: &mut Value, field: &str, value: Value) {
    default(object, field, json!([]));
    if let Some(list) = object[field].as_array_mut() {
        list.push(value);
    }
}

/// Whether a value says nothing: null, or an object or list without content.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// The bytes of a field that holds them in base64; none when it does not.
pub(super) fn bytes(value: &Value) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(text(value)).unwrap_or_default()
}
