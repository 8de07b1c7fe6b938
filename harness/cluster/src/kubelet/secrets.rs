//! Reading pull secrets: which credentials a pod's secrets hold, or what is wrong with them.

use base64::{
    Engine,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

use crate::{
    puller::{Credential, words},
    store::{Key, Store},
};

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where a credential came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Origin {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
}

/// One entry of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The server as the secret writes it.
    pub(super) server: String,
    pub(super) credential: Credential,
    /// `None` for one that is the node's own.
    pub(super) origin: Option<Origin>,
}

/// What a pod's pull secrets come to.
#[derive(Debug)]
pub(super) struct PullSecrets {
    /// The names of secrets that do not exist, in the pod's order.
    pub(super) missing: Vec<String>,
    /// Their entries in the pod's order, or what the parser said about the first bad one.
    pub(super) entries: Result<Vec<Entry>, String>,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            server: String::new(),
            credential: Credential { username: String::new(), password: String::new() },
            origin: None,
        }
    }
}

/// Looks up the secrets that a pod names.
pub(super) fn of_pod(store: &Store, pod: &Value) -> PullSecrets {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let names = pod["spec"]["imagePullSecrets"].as_array().into_iter().flatten();
    let mut missing = Vec::new();
    let mut entries = Ok(Vec::new());
    for name in names.filter_map(|s| s["name"].as_str()).filter(|name| !name.is_empty()) {
        match store.get("secrets", &Key::new(namespace, name)) {
            None => missing.push(name.to_owned()),
            Some(secret) => {
                if let Ok(all) = &mut entries {
                    match read(secret.value()) {
                        Ok(more) => all.extend(more),
                        Err(words) => entries = Err(words),
                    }
                }
            }
        }
    }
    PullSecrets { missing, entries }
}

/// The entries of one secret; none when it is not of a type that holds any.
fn read(secret: &Value) -> Result<Vec<Entry>, String> {
    let data = |key: &str| {
        let text = secret["data"][key].as_str().filter(|text| !text.is_empty())?;
        BASE64.decode(text).ok().filter(|bytes| !bytes.is_empty())
    };
    let meta = &secret["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let origin =
        Origin { namespace: text(&meta["namespace"]), name: text(&meta["name"]), uid: text(&meta["uid"]) };
    match secret["type"].as_str() {
        Some("kubernetes.io/dockerconfigjson") => match data(".dockerconfigjson") {
            Some(bytes) => {
                let config = parse(&bytes)?;
                match config.get("auths").unwrap_or(&Value::Null) {
                    Value::Null => Ok(Vec::new()),
                    Value::Object(auths) => entries(auths, &origin, "DockerConfigJSON.auths"),
                    other => Err(mismatch(
                        other,
                        "struct field DockerConfigJSON.auths of type credentialprovider.DockerConfig",
                    )),
                }
            }
            None => Ok(Vec::new()),
        },
        Some("kubernetes.io/dockercfg") => match data(".dockercfg") {
            Some(bytes) => entries(&parse(&bytes)?, &origin, ""),
            None => Ok(Vec::new()),
        },
        _ => Ok(Vec::new()),
    }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(mismatch(&other, "value of type credentialprovider.DockerConfigJSON")),
        Err(error) => Err(words::json_error(bytes, &error)),
    }
}

fn mismatch(value: &Value, wanted: &str) -> String {
    let kind = match value {
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        Value::Array(_) => "array",
        _ => "object",
    };
    format!("json: cannot unmarshal {kind} into Go {wanted}")
}

fn entries(auths: &Map<String, Value>, origin: &Origin, field: &str) -> Result<Vec<Entry>, String> {
    auths
        .iter()
        .map(|(server, entry)| {
            let credential = credential(entry, field)?;
            Ok(Entry { server: server.clone(), credential, origin: Some(origin.clone()) })
        })
        .collect()
}

/// `auth` outranks user name and password.
fn credential(entry: &Value, field: &str) -> Result<Credential, String> {
    if !entry.is_object() {
        let inside = if field.is_empty() { String::from("value") } else { format!("struct field {field}") };
        return Err(mismatch(
            entry,
            &format!("{inside} of type credentialprovider.dockerConfigEntryWithAuth"),
        ));
    }
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let auth = text("auth");
    if auth.is_empty() {
        return Ok(Credential { username: text("username"), password: text("password") });
    }
    let bytes = BASE64.decode(&auth).map_err(|error| base64_error(&auth, &error))?;
    let decoded = String::from_utf8_lossy(&bytes).into_owned();
    match decoded.split_once(':') {
        Some((username, password)) => {
            Ok(Credential { username: username.to_owned(), password: password.to_owned() })
        }
        None => Err("unable to parse auth field, must be formatted as base64(username:password)".to_owned()),
    }
}

fn base64_error(text: &str, error: &base64::DecodeError) -> String {
    let at = match error {
        base64::DecodeError::InvalidByte(at, _) => *at,
        _ => text.len() / 4 * 4,
    };
    format!("illegal base64 data at input byte {at}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(kind: &str, key: &str, content: &str) -> Value {
        json!({"metadata": {"namespace": "a", "name": "regcred", "uid": "u"}, "type": kind,
            "data": {key: BASE64.encode(content)}})
    }

    fn json_secret(content: &str) -> Value {
        secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson", content)
    }

    #[test]
    fn credentials_are_found() {
        let auth = BASE64.encode("u:p:q");
        let pair = |username: &str, password: &str| (username.to_owned(), password.to_owned());
        let cases = [
            (json_secret(r#"{"auths":{"r.example":{"username":"a","password":"b"}}}"#), Some(pair("a", "b"))),
            (
                json_secret(&format!(
                    r#"{{"auths":{{"r.example":{{"username":"a","password":"b","auth":"{auth}"}}}}}}"#
                )),
                Some(pair("u", "p:q")),
            ),
            (
                secret(
                    "kubernetes.io/dockercfg",
                    ".dockercfg",
                    &format!(r#"{{"r.example":{{"auth":"{}"}}}}"#, auth.trim_end_matches('=')),
                ),
                Some(pair("u", "p:q")),
            ),
            (secret("Opaque", ".dockerconfigjson", r#"{"auths":{"r.example":{}}}"#), None),
            (json_secret("{}"), None),
        ];
        for (secret, expected) in cases {
            let found = read(&secret).unwrap();
            let found = found.first().map(|e| (e.credential.username.clone(), e.credential.password.clone()));
            assert_eq!(found, expected, "{secret}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_as_the_parser_says_it() {
        let cases = [
            (r#"{"auths":{"r.example":{"auth":"!!!not-base64!!!"}}}"#, "illegal base64 data at input byte 0"),
            (
                r#"{"auths":{"r.example":{"auth":"bm9jb2xvbg=="}}}"#,
                "unable to parse auth field, must be formatted as base64(username:password)",
            ),
            (
                r#"{"auths":"x"}"#,
                "json: cannot unmarshal string into Go struct field DockerConfigJSON.auths of type credentialprovider.DockerConfig",
            ),
            (
                r#"{"auths":{"r.example":"x"}}"#,
                "json: cannot unmarshal string into Go struct field DockerConfigJSON.auths of type credentialprovider.dockerConfigEntryWithAuth",
            ),
            ("<xml>", "invalid character '<' looking for beginning of value"),
        ];
        for (content, words) in cases {
            assert_eq!(read(&json_secret(content)).unwrap_err(), words);
        }
    }
}
