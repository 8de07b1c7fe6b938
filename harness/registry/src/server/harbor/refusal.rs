//! What the API says when it does not do something: a status, a code and a sentence, in Harbor's words.

use serde_json::json;

use super::super::{Answer, exchange::with_status};
use crate::failure::{Failure, Kind};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    code: &'static str,
    message: String,
    /// `Allow`, where a path does not take a method.
    pub(super) allow: Option<String>,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), allow: None }
    }

    /// Nobody has logged in, and somebody has to.
    pub(super) fn unauthorized() -> Self {
        Self::new(401, "UNAUTHORIZED", "unauthorized")
    }

    /// Whoever has logged in may not do that.
    pub(super) fn forbidden() -> Self {
        Self::new(403, "FORBIDDEN", "forbidden")
    }

    /// The same, and why.
    pub(super) fn forbidden_because(why: &str) -> Self {
        Self::new(403, "FORBIDDEN", why)
    }

    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::new(404, "NOT_FOUND", what)
    }

    pub(super) fn bad_request(why: impl Into<String>) -> Self {
        Self::new(400, "BAD_REQUEST", why)
    }

    pub(super) fn conflict(why: impl Into<String>) -> Self {
        Self::new(409, "CONFLICT", why)
    }

    pub(super) fn precondition(why: impl Into<String>) -> Self {
        Self::new(412, "PRECONDITION", why)
    }

    /// A request that is not as the API's description says.
    pub(super) fn unprocessable(why: impl Into<String>) -> Self {
        Self::new(422, "UNPROCESSABLE_ENTITY", why)
    }

    pub(super) fn unsupported_media(given: &str) -> Self {
        let message = format!("unsupported media type {given:?}, only [application/json] are allowed");
        Self::new(415, "UNSUPPORTED_MEDIA_TYPE", message)
    }

    /// A path that there is, asked by a method that it does not take.
    pub(super) fn method(method: &str, allowed: &[&str]) -> Self {
        let message = format!("method {method} is not allowed, but [{}] are", allowed.join(","));
        let allow = Some(allowed.join(","));
        Self { allow, ..Self::new(405, "METHOD_NOT_ALLOWED", message) }
    }

    pub(super) fn broken() -> Self {
        Self::new(500, "UNKNOWN", "internal server error")
    }

    pub(super) fn answer(&self) -> Answer {
        let body = json!({ "errors": [{ "code": self.code, "message": self.message }] }).to_string() + "\n";
        let mut answer = with_status(self.status, body, "application/json; charset=utf-8");
        if let Some(allow) = &self.allow {
            super::add_headers(&mut answer, &[("allow", allow)]);
        }
        answer
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            Kind::RepositoryUnknown | Kind::ManifestUnknown | Kind::RevisionGone => {
                Self::not_found("resource not found")
            }
            _ => Self::broken(),
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Failure::from(error).into()
    }
}
