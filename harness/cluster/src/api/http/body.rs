//! Reading the body of a request: size limit, content types, and the kind that it must have.

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use serde_saphyr::{DuplicateKeyPolicy, Error};

use crate::{
    api::Status,
    go,
    go_json::{self, Decoded},
    schema::Schema,
};

/// How much a request may bring.
const LIMIT: usize = 3 * 1024 * 1024;

/// How much of a body that can't be read is shown.
const SUMMARY: usize = 30;

/// Reads a whole body.
///
/// # Errors
/// 413, or 400 for a body that breaks off.
pub(super) async fn read(body: Incoming) -> Result<Bytes, Status> {
    match Limited::new(body, LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {LIMIT}");
            Err(Status::new(413, "RequestEntityTooLarge", message))
        }
        Err(error) => Err(Status::bad_request(format!("the body of the request could not be read: {error}"))),
    }
}

/// The media type of a body, without parameters; empty when the client does not say.
pub(super) fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// Decodes an object in JSON, YAML or protobuf. Of protobuf it is not told which fields are there twice.
///
/// # Errors
/// 400 for a broken body or one that is no object, 415 for another type.
pub(super) fn decode(schema: &Schema, media: &str, body: &[u8], expected: &str) -> Result<Decoded, Status> {
    let decoded = decode_any(schema, media, body, expected)?;
    match decoded.value {
        Value::Null => Ok(json!({}).into()),
        Value::Object(_) => Ok(decoded),
        value => {
            let why = go::not_a(&value, go::KIND_OF);
            Err(unrecognized(expected, &why, body))
        }
    }
}

fn decode_any(schema: &Schema, media: &str, body: &[u8], expected: &str) -> Result<Decoded, Status> {
    match media {
        "" | "application/json" => go_json::decode(body).map_err(|why| unrecognized(expected, &why, body)),
        "application/yaml" | "text/yaml" | "application/x-yaml" => yaml(body, expected),
        "application/vnd.kubernetes.protobuf" => {
            let decoded = schema.decode_protobuf(body);
            Ok(decoded.map_err(|error| Status::bad_request(error.to_string()))?.into())
        }
        _ => Err(unsupported()),
    }
}

/// 415.
pub(super) fn unsupported() -> Status {
    let message = "the body of the request was in an unknown format - accepted media types include: \
                   application/json, application/yaml, application/vnd.kubernetes.protobuf";
    Status::new(415, "UnsupportedMediaType", message)
}

fn unrecognized(expected: &str, why: &str, body: &[u8]) -> Status {
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {expected}): couldn't get version/kind; json \
         parse error: {why} ({})",
        summary(body)
    ))
}

/// The beginning of a body, in hexadecimal digits where it does not begin as an object does (`summarizeData` of
/// `apiserver`).
fn summary(body: &[u8]) -> String {
    let (start, more) = if body.len() > SUMMARY { (&body[..SUMMARY], " ...") } else { (body, "") };
    let shown = match start {
        [] => return "<empty>".into(),
        [b'{', ..] => String::from_utf8_lossy(start).into_owned(),
        _ => start.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    shown + more
}

/// Decodes YAML (of which JSON is a part). The last of several fields of one name counts.
pub(super) fn yaml(body: &[u8], expected: &str) -> Result<Decoded, Status> {
    let text = String::from_utf8_lossy(body);
    let read = |policy| {
        let options = serde_saphyr::options! { duplicate_keys: policy, with_snippet: false };
        serde_saphyr::from_str_with_options::<Value>(&text, options)
    };
    let decoded = match read(DuplicateKeyPolicy::Error) {
        Err(Error::DuplicateMappingKey { key, location }) => {
            read(DuplicateKeyPolicy::LastWins).map(|value| {
                let (line, key) = (location.line(), key.unwrap_or_default());
                let complaint =
                    format!("yaml: unmarshal errors:\n  line {line}: key {key:?} already set in map");
                Decoded { value, complaints: vec![complaint] }
            })
        }
        decoded => decoded.map(Decoded::from),
    };
    decoded.map_err(|error| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {expected}): couldn't get version/kind; \
             yaml parse error: {error}"
        ))
    })
}
