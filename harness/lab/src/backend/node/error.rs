//! What can go wrong on a node, in words that say what to do.

use std::time::Duration;

use thiserror::Error;

use crate::LabError;

/// A failure of what is done on a node.
#[derive(Debug, Error)]
pub(crate) enum NodeError {
    #[error("no command can be run in {place}: {source}")]
    Unreachable {
        place: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("`{command}` in {place} did not end within {limit:?}")]
    Slow { command: String, place: String, limit: Duration },
    #[error("`{command}` in {place} ended with {code}: {said}")]
    Command { command: String, place: String, code: i64, said: String },
    #[error("{0}")]
    Invalid(String),
}

impl NodeError {
    /// Makes a [`NodeError::Unreachable`] of what the way to a place said.
    pub(crate) fn unreachable<E>(place: &str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let place = place.to_owned();
        move |source| Self::Unreachable { place, source: source.into() }
    }
}

impl From<NodeError> for LabError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Invalid(text) => Self::Invalid(text),
            other => Self::part("node", other),
        }
    }
}
