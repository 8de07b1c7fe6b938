//! ConfigMaps: their keys, and how much one may hold. Secrets have the same keys.
//!
//! The rules are those of `ValidateConfigMap` and `IsConfigMapKey` in Kubernetes.

use serde_json::Value;

use crate::api::{
    invalid::{Errors, FieldPath},
    json::text,
};

/// How many bytes a ConfigMap or a Secret may hold.
pub(super) const LIMIT: usize = 1_048_576;

const KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
    'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Complaints about the content of a ConfigMap.
pub(super) fn content(object: &Value, errors: &mut Errors) {
    let (data, bytes) = (&object["data"], &object["binaryData"]);
    for name in data.as_object().into_iter().flat_map(|data| data.keys()) {
        let field = format_args!("data[{name}]");
        key(&field, &name.as_str().into(), errors);
        if bytes.get(name).is_some() {
            errors.invalid(field, &name.as_str().into(), "duplicate of key present in binaryData");
        }
    }
    keys(&"binaryData", bytes, errors);
    let plain: usize = data.as_object().into_iter().flatten().map(|(_, value)| text(value).len()).sum();
    if plain + size(bytes) > LIMIT {
        // The whole object is meant, which has no name.
        errors.too_long("[]", &format!("may not be more than {LIMIT} bytes"));
    }
}

/// Complaints about all keys of a map.
pub(super) fn keys(field: FieldPath<'_>, data: &Value, errors: &mut Errors) {
    for name in data.as_object().into_iter().flat_map(|data| data.keys()) {
        key(&format_args!("{field}[{name}]"), &name.as_str().into(), errors);
    }
}

/// Complaints about one key.
pub(super) fn key(field: FieldPath<'_>, key: &Value, errors: &mut Errors) {
    let known = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let name = text(key);
    if name.len() > 253 {
        errors.invalid(field, key, "must be no more than 253 characters");
    }
    if name.is_empty() || !name.chars().all(known) {
        errors.invalid(field, key, KEY);
    }
    match name {
        "." => errors.invalid(field, key, "must not be '.'"),
        ".." => errors.invalid(field, key, "must not be '..'"),
        _ if name.starts_with("..") => errors.invalid(field, key, "must not start with '..'"),
        _ => {}
    }
}

/// How many bytes the values of a map are, which are written in base64.
pub(super) fn size(data: &Value) -> usize {
    let of =
        |text: &str| text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count().min(2);
    data.as_object()
        .into_iter()
        .flatten()
        .map(|(_, value)| text(value))
        .filter(|t| t.len() >= 4)
        .map(of)
        .sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_names_of_files_and_there_is_room_for_so_much() {
        let long = |size: usize| "x".repeat(size);
        let large = "[]: Too long: may not be more than 1048576 bytes";
        for (map, told) in [
            (
                json!({"data": {"a.b": "", "..a": ""}}),
                &["data[..a]: Invalid value: \"..a\": must not start with '..'"][..],
            ),
            (json!({"data": {"..": ""}}), &["data[..]: Invalid value: \"..\": must not be '..'"]),
            (json!({"binaryData": {".": ""}}), &["binaryData[.]: Invalid value: \".\": must not be '.'"]),
            (
                json!({"data": {"a": ""}, "binaryData": {"a": ""}}),
                &["data[a]: Invalid value: \"a\": duplicate of key present in binaryData"],
            ),
            (json!({"data": {"a": long(LIMIT)}}), &[]),
            (json!({"data": {"a": long(LIMIT - 1)}, "binaryData": {"b": "QQ=="}}), &[]),
            (json!({"data": {"a": long(LIMIT - 1)}, "binaryData": {"b": "QUE="}}), &[large]),
            (json!({"data": {"a": long(LIMIT + 1)}}), &[large]),
        ] {
            let mut errors = Errors::default();
            content(&map, &mut errors);
            let words: Vec<String> = errors.into_vec().iter().map(ToString::to_string).collect();
            assert_eq!(words, told);
        }
    }
}
