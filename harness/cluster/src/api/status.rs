//! The error type of the Kubernetes protocol.

use serde_json::{Value, json};
use thiserror::Error;

/// A failure as a Kubernetes client sees it: a `Status` object with an HTTP code.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{message}")]
pub struct Status {
    /// The HTTP status code.
    pub code: u16,
    /// The machine-readable reason, for example `NotFound`.
    pub reason: &'static str,
    /// The text that kubectl prints.
    pub message: String,
    /// The `details` object; null when there is none.
    pub details: Value,
}

impl Status {
    /// A status without details.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    /// The object that goes over the wire.
    #[must_use]
    pub fn to_object(&self) -> Value {
        let mut object = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code});
        if !self.details.is_null() {
            object["details"] = self.details.clone();
        }
        object
    }
}
