//! Answers: JSON objects, texts, streams, errors.

use std::convert::Infallible;

use bytes::Bytes;
use futures::Stream;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use serde::Serialize;

use crate::api::Status;

/// The body of an answer.
pub(in crate::api) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer.
pub(in crate::api) type Reply = Response<Body>;

/// An answer of bytes.
pub(super) fn bytes(code: u16, content_type: &str, content: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(content.into()).boxed_unsync());
    *reply.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = HeaderValue::from_str(content_type) {
        reply.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    reply
}

/// An answer in JSON.
pub(super) fn json(code: u16, content: &impl Serialize) -> Reply {
    match serde_json::to_vec(content) {
        Ok(mut text) => {
            text.push(b'\n');
            bytes(code, "application/json", text)
        }
        Err(error) => refuse(&Status::internal(error.to_string())),
    }
}

/// An answer in JSON about the server itself, which everybody gets indented (`WriteRawJSON` of `k8s.io/apiserver`).
pub(super) fn raw_json(content: &impl Serialize) -> Reply {
    match serde_json::to_vec_pretty(content) {
        Ok(text) => bytes(200, "application/json", text),
        Err(error) => refuse(&Status::internal(error.to_string())),
    }
}

/// An answer of plain text.
pub(super) fn text(code: u16, content: impl Into<Bytes>) -> Reply {
    bytes(code, "text/plain; charset=utf-8", content)
}

/// The answer for a failure.
pub(super) fn refuse(status: &Status) -> Reply {
    json(status.code, &status.to_object())
}

/// An answer whose body comes piece by piece.
pub(super) fn stream(
    content_type: &'static str,
    pieces: impl Stream<Item = Bytes> + Send + 'static,
) -> Reply {
    use futures::StreamExt;
    let frames = pieces.map(|piece| Ok(Frame::data(piece)));
    let mut reply = Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)));
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    reply
}

/// An answer of known length whose body comes piece by piece.
pub(super) fn sized(
    content_type: &'static str,
    length: usize,
    pieces: impl Stream<Item = Bytes> + Send + 'static,
) -> Reply {
    let mut reply = stream(content_type, pieces);
    reply.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    reply
}

/// The header with what a request is called in the server's log.
pub(super) const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// The answer with the name of its request.
pub(super) fn with_audit_id(mut reply: Reply, id: &HeaderValue) -> Reply {
    reply.headers_mut().insert(AUDIT_ID, id.clone());
    reply
}

/// Adds warnings, each in a header of its own.
pub(super) fn warn(reply: &mut Reply, warnings: &[String]) {
    for warning in warnings {
        let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{escaped}\"")) {
            reply.headers_mut().append(header::WARNING, value);
        }
    }
}
