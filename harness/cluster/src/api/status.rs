//! The error type of the Kubernetes protocol, with a constructor for every kind of refusal.

use serde_json::{Value, json};
use thiserror::Error;

use super::invalid::FieldError;
use crate::{resources::Resource, store::StoreError};

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
    /// `metadata.continue`: where a list that broke off can go on.
    pub next_page: Option<String>,
}

impl Status {
    /// A status without details.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null, next_page: None }
    }

    /// The object that goes over the wire.
    #[must_use]
    pub fn to_object(&self) -> Value {
        let mut object = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code});
        if !self.reason.is_empty() {
            object["reason"] = self.reason.into();
        }
        if !self.details.is_null() {
            object["details"] = self.details.clone();
        }
        if let Some(token) = &self.next_page {
            object["metadata"]["continue"] = token.clone().into();
        }
        object
    }

    fn about(mut self, resource: &Resource, name: &str) -> Self {
        self.details = details(name, &resource.group, &resource.plural);
        self
    }

    /// 404 for an object.
    #[must_use]
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", resource.qualified()))
            .about(resource, name)
    }

    /// 404 for a path.
    #[must_use]
    pub fn no_such_path() -> Self {
        let mut status = Self::new(404, "NotFound", "the server could not find the requested resource");
        status.details = json!({});
        status
    }

    /// 409 for a name that is taken.
    #[must_use]
    pub fn exists(resource: &Resource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", resource.qualified()))
            .about(resource, name)
    }

    /// 409 with the text of a failed precondition.
    #[must_use]
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// 409 for a version that is no longer the present one.
    #[must_use]
    pub fn modified(resource: &Resource, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// 422 with its causes.
    #[must_use]
    pub fn invalid(resource: &Resource, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_kind(&resource.group, &resource.kind, name, errors)
    }

    /// 422 for something that is no stored resource, for example `CreateOptions.meta.k8s.io`.
    #[must_use]
    pub fn invalid_kind(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        // What is said twice is a cause each time, but told once.
        let mut texts: Vec<String> = Vec::new();
        for text in errors.iter().map(ToString::to_string) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let text = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut status = Self::new(422, "Invalid", format!("{qualified} \"{name}\" is invalid: {text}"));
        status.details = details(name, group, kind);
        status.details["causes"] = errors.iter().map(FieldError::cause).collect();
        status
    }

    /// 403 for an object, with the admission's words.
    #[must_use]
    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let quoted = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        Self::new(403, "Forbidden", format!("{}{quoted} is forbidden: {why}", resource.qualified()))
            .about(resource, name)
    }

    /// 400.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        let mut status = Self::new(405, "MethodNotAllowed", message);
        status.details = json!({});
        status
    }

    /// 401.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 406 for a type that nobody writes.
    #[must_use]
    pub fn not_acceptable() -> Self {
        let available = "Available representations: application/json, application/yaml, application/vnd.kubernetes.protobuf";
        let mut status = Self::new(406, "NotAcceptable", format!("406: Not Acceptable\n\n{available}"));
        status.details = json!({});
        status
    }

    /// 406 for what is none of the types that are written here.
    #[must_use]
    pub fn accepts_only(types: &[&str]) -> Self {
        let message = format!("only the following media types are accepted: {}", types.join(", "));
        Self::new(406, "NotAcceptable", message)
    }

    /// 410 for a revision that is out of the window.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// The same, with the token of the page that a client who takes what is there now can go on with.
    #[must_use]
    pub fn or_go_on_with(mut self, token: String) -> Self {
        self.next_page = Some(token);
        self
    }

    /// 500 because the store is full. It has neither reason nor details, for the API server only hands on what etcd says
    /// (seen of 1.20 on an etcd 3.3 with `--quota-backend-bytes`).
    #[must_use]
    pub fn full() -> Self {
        Self::new(500, "", StoreError::Full.to_string())
    }

    /// 500.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalError", message)
    }
}

fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut details = json!({});
    if !kind.is_empty() {
        details["kind"] = kind.into();
    }
    if !name.is_empty() {
        details["name"] = name.into();
    }
    if !group.is_empty() {
        details["group"] = group.into();
    }
    details
}
