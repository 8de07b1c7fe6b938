//! Secrets: what each type needs, and when one may no longer change.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::immutable_data;
use crate::{
    api::{
        invalid::{Errors, FieldPath},
        json::text,
    },
    go, go_json,
};

/// How many bytes a Secret may hold.
const LIMIT: usize = 1_048_576;

/// What stands for the value of a Secret in an error.
const REDACTED: &str = "<secret contents redacted>";

const KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
    'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Complaints about the keys of a Secret or ConfigMap.
pub(super) fn keys(field: FieldPath<'_>, data: &Value, errors: &mut Errors) {
    for key in data.as_object().into_iter().flat_map(|d| d.keys()) {
        let known = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if key.is_empty() || !key.chars().all(known) {
            errors.invalid(format_args!("{field}[{key}]"), &key.as_str().into(), KEY);
        }
    }
}

/// Complaints about the content of a Secret.
pub(super) fn content(object: &Value, errors: &mut Errors) {
    let data = &object["data"];
    keys(&"data", data, errors);
    let size: usize = data.as_object().into_iter().flatten().map(|(_, v)| text(v).len() / 4 * 3).sum();
    if size > LIMIT {
        errors.too_long("data", &format!("may not be more than {LIMIT} bytes"));
    }
    let mut required = |key: &str| {
        if data.get(key).is_none() {
            errors.required(format_args!("data[{key}]"), "");
        }
    };
    match text(&object["type"]) {
        "kubernetes.io/dockerconfigjson" => docker_config(data, ".dockerconfigjson", errors),
        "kubernetes.io/dockercfg" => docker_config(data, ".dockercfg", errors),
        "kubernetes.io/tls" => ["tls.crt", "tls.key"].into_iter().for_each(required),
        "kubernetes.io/ssh-auth" => required("ssh-privatekey"),
        "kubernetes.io/basic-auth" if data.get("username").is_none() && data.get("password").is_none() => {
            ["username", "password"].into_iter().for_each(required);
        }
        "kubernetes.io/service-account-token" => {
            let name = "kubernetes.io/service-account.name";
            if text(&object["metadata"]["annotations"][name]).is_empty() {
                errors.required(format_args!("metadata.annotations[{name}]"), "");
            }
        }
        _ => {}
    }
}

fn docker_config(data: &Value, key: &str, errors: &mut Errors) {
    let field = format_args!("data[{key}]");
    let Some(value) = data.get(key) else {
        errors.required(field, "");
        return;
    };
    let decoded = STANDARD.decode(text(value)).unwrap_or_default();
    if let Err(complaint) = json_object(&decoded) {
        errors.invalid(field, &REDACTED.into(), &complaint);
    }
}

/// Whether bytes are a JSON object, with the words of the server's decoder when they are not.
fn json_object(bytes: &[u8]) -> Result<(), String> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(_) | Value::Null) => Ok(()),
        Ok(other) => Err(go::not_a_map(&other)),
        Err(error) => Err(go_json::error(bytes, &error)),
    }
}

/// Complaints about a change of a Secret.
pub(super) fn change(old: &Value, new: &Value, errors: &mut Errors) {
    if old["type"] != new["type"] {
        errors.invalid("type", &new["type"], "field is immutable");
    }
    immutable_data(old, new, errors);
}
