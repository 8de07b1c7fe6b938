//! Refusals of the admin API: a status and a JSON object that says why.

use axum::{
    body::{Body, to_bytes},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use super::wire::RefusalBody;
use crate::RegistryError;

/// The longest text of a refusal that is passed on.
const LONGEST: usize = 16 * 1024;

/// Why a request is not granted.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        let status = match &error {
            RegistryError::NoHost(_) | RegistryError::NotFound { .. } | RegistryError::NoFault { .. } => {
                StatusCode::NOT_FOUND
            }
            RegistryError::HostExists(_) | RegistryError::Immutable(_) => StatusCode::CONFLICT,
            RegistryError::Denied { .. } => StatusCode::FORBIDDEN,
            RegistryError::NoPersonality { .. }
            | RegistryError::NoLimits { .. }
            | RegistryError::BadName(_)
            | RegistryError::BadHostName(_)
            | RegistryError::BadNetwork(_)
            | RegistryError::NotIpv4 { .. }
            | RegistryError::NoInterface
            | RegistryError::NoTokens(_)
            | RegistryError::NoPersonalTokens(_)
            | RegistryError::Fault(_)
            | RegistryError::Upstream { .. }
            | RegistryError::Tls(_) => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, axum::Json(RefusalBody { error: self.error })).into_response()
    }
}

/// Puts refusals that the framework worded itself into the same form.
pub(super) async fn worded(response: Response) -> Response {
    let json = HeaderValue::from_static("application/json");
    let status = response.status();
    let fine = !status.is_client_error() && !status.is_server_error();
    if fine || response.headers().get(header::CONTENT_TYPE) == Some(&json) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let text = to_bytes(body, LONGEST).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let error = match text.trim() {
        "" => status.canonical_reason().unwrap_or("refused").to_lowercase(),
        text => text.to_owned(),
    };
    let answer = Refusal::new(status, error).into_response();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, json);
    let body: Body = answer.into_body();
    Response::from_parts(head, body)
}
