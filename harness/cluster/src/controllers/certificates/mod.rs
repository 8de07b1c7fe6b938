//! Requests for certificates: those of kubelets are approved, what is approved is signed, what is old is removed
//! (`pkg/controller/certificates`).

mod approving;
mod cleaner;
mod signing;

use serde_json::Value;

pub(super) use approving::Approving;
pub(super) use cleaner::Cleaner;
pub(super) use signing::Signing;

use super::json::{items, text};

/// The words of a list.
fn texts(list: &Value) -> Vec<&str> {
    items(list).iter().map(text).collect()
}

/// Whether a request has an answer.
fn issued(request: &Value) -> bool {
    !text(&request["status"]["certificate"]).is_empty()
}

/// The bytes of a field.
fn bytes(field: &Value) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(text(field)).unwrap_or_default()
}

/// Adds a condition to a request's status.
fn add_condition(status: &mut Value, condition: Value) {
    match status["conditions"].as_array_mut() {
        Some(conditions) => conditions.push(condition),
        None => status["conditions"] = vec![condition].into(),
    }
}

/// A condition as it is added, without its times.
fn condition(kind: &str, reason: &str, message: &str) -> Value {
    serde_json::json!({"type": kind, "status": "True", "reason": reason, "message": message})
}
