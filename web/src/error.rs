//! What can go wrong at this boundary, and how it is told: JSON to scripts, a page to people.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use pulldrill_lab::LabError;
use serde_json::json;
use thiserror::Error;

/// Why the site could not be served or a page not be made.
#[derive(Debug, Error)]
pub enum WebError {
    /// A template is broken.
    #[error("the page templates are broken: {0}")]
    Template(#[from] tera::Error),
    /// The listener failed.
    #[error("cannot serve the page: {0}")]
    Serve(#[from] std::io::Error),
}

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        help: &'static str,
    ) -> Self {
        Self { status, code, message: message.into(), help }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message, "help": self.help}});
        (self.status, Json(body)).into_response()
    }
}

impl From<LabError> for Refusal {
    fn from(error: LabError) -> Self {
        let (status, code, help) = describe(&error);
        if status.is_server_error() {
            tracing::error!(%error, "the lab failed a request");
        }
        Self::new(status, code, error.to_string(), help)
    }
}

impl From<tera::Error> for Refusal {
    fn from(error: tera::Error) -> Self {
        tracing::error!(%error, "a page could not be rendered");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "template",
            "the page could not be made",
            "look into the lab's log; the JSON API still answers",
        )
    }
}

/// Status, code and advice for each way in which a lab refuses.
fn describe(error: &LabError) -> (StatusCode, &'static str, &'static str) {
    use LabError as E;
    use StatusCode as S;
    match error {
        E::UnknownDrill { .. } => (S::NOT_FOUND, "unknown-drill", "`pulldrill status` lists the drills"),
        E::UnknownScenario { .. } => (S::NOT_FOUND, "unknown-scenario", "`pulldrill scenarios` lists them"),
        E::UnknownChoice { .. } => (S::UNPROCESSABLE_ENTITY, "unknown-choice", "pick one of the named ids"),
        E::UnknownNode { .. } => (S::NOT_FOUND, "unknown-node", "`kubectl get nodes` lists the nodes"),
        E::UnknownRule { .. } => (S::NOT_FOUND, "unknown-rule", "`pulldrill node egress list` shows the ids"),
        E::UnknownFault { .. } => {
            (S::NOT_FOUND, "unknown-fault", "`pulldrill registry fault list` shows them")
        }
        E::WrongState { .. } => (S::CONFLICT, "wrong-state", "`pulldrill status` shows where the drill is"),
        E::Invalid(_) => (S::UNPROCESSABLE_ENTITY, "invalid", "correct the request and send it again"),
        E::Scenario(_) => (S::UNPROCESSABLE_ENTITY, "broken-scenario", "correct the scenario file"),
        E::AlreadyRunning { .. } => (S::CONFLICT, "already-running", "use the lab that runs, or stop it"),
        E::File { .. } => (S::INTERNAL_SERVER_ERROR, "file", "check the lab's folder and the disk"),
        E::Listen { .. } => (S::INTERNAL_SERVER_ERROR, "listen", "choose another address"),
        E::Store(_) => (S::INTERNAL_SERVER_ERROR, "journal", "look into the lab's log"),
        E::Part { .. } => (S::INTERNAL_SERVER_ERROR, "part", "look into the lab's log"),
        E::Symptom(_) => (S::INTERNAL_SERVER_ERROR, "symptom", "`pulldrill reset` tries again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_mistake_is_not_called_a_failure_of_the_lab() {
        let mistake = LabError::UnknownDrill { id: "x".into(), known: "payments".into() };
        assert_eq!(describe(&mistake).0, StatusCode::NOT_FOUND);
        assert!(describe(&LabError::Store("disk full".into())).0.is_server_error());
    }
}
