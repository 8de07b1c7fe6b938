//! Secrets: what each type needs, and when one may no longer change.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    config_map::{LIMIT, keys, size},
    immutable_data,
};
use crate::{
    api::{invalid::Errors, json::text},
    go, go_json,
};

/// What stands for the value of a Secret in an error.
const REDACTED: &str = "<secret contents redacted>";

/// Complaints about the content of a Secret.
pub(super) fn content(object: &Value, errors: &mut Errors) {
    let data = &object["data"];
    keys(&"data", data, errors);
    if size(data) > LIMIT {
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
