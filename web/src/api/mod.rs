//! The JSON API: thin handlers that ask the lab and say what it said.
//!
//! The `pulldrill` command is its first client. Who may call what is decided before these handlers run.

pub(crate) mod aws;
pub(crate) mod drills;
pub(crate) mod extract;
pub(crate) mod lab;
pub(crate) mod tools;

use std::future::Future;

use axum::Json;
use pulldrill_lab::LabError;

use crate::error::Refusal;

pub(crate) type Answer<T> = Result<Json<T>, Refusal>;

/// Runs a change to its end even when the client goes away meanwhile: half a reset is worse than none.
pub(crate) async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, LabError>> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::spawn(change).await {
        Ok(result) => Ok(result?),
        Err(error) => {
            tracing::error!(%error, "a change of the lab broke off");
            Err(Refusal::new(
                http::StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the lab broke off in the middle of that",
                "look into the lab's log",
            ))
        }
    }
}
