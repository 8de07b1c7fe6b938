//! What can go wrong with Docker, `kind` and nodes, in words that say what to do.

use std::{path::PathBuf, time::Duration};

use thiserror::Error;

use crate::{LabError, backend::node::NodeError};

/// A failure of the machinery below a real cluster.
#[derive(Debug, Error)]
pub(crate) enum KindError {
    #[error("no Docker engine answers ({tried}); start Docker, or set DOCKER_HOST to where it listens")]
    NoEngine { tried: String },
    #[error(
        "the Docker engine at {host} can't be used: {why}; set DOCKER_HOST to a unix:// or tcp:// address"
    )]
    EngineAddress { host: String, why: &'static str },
    #[error("Docker could not {action}: {}", inner(source))]
    Docker {
        action: String,
        #[source]
        source: bollard::errors::Error,
    },
    #[error("Docker says nothing of {what}; is another program removing what the lab has made?")]
    Missing { what: String },
    #[error(
        "{what} exists already and was not made by this lab; remove it, or choose another name with --name"
    )]
    NotOurs { what: String },
    #[error("`{command}` in {place} did not end within {limit:?}")]
    Slow { command: String, place: String, limit: Duration },
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("{} can't be the registry's program: {why}; give an image that has pulldrill with --registry-image", file.display())]
    Binary { file: PathBuf, why: String },
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0}")]
    Invalid(String),
    #[error(
        "the program `kind` is not on PATH; install it (https://kind.sigs.k8s.io), or name it with --kind-binary"
    )]
    NoKind,
    #[error("`{command}` ended with {status}; the end of {}:\n{tail}", log.display())]
    Kind { command: String, status: String, log: PathBuf, tail: String },
    #[error("stopped")]
    Stopped,
}

/// Docker's own words, without the client's wrapping.
fn inner(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.clone(),
        bollard::errors::Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}

impl KindError {
    /// Makes a [`KindError::File`] of what the system said.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

impl From<KindError> for LabError {
    fn from(error: KindError) -> Self {
        match error {
            KindError::File { action, path, source } => Self::File { action, path, source },
            KindError::Invalid(text) => Self::Invalid(text),
            KindError::Node(error) => error.into(),
            other => Self::part("kind", other),
        }
    }
}

/// Says what Docker was asked for when it fails.
pub(crate) trait Asked<T> {
    fn asked(self, action: impl FnOnce() -> String) -> Result<T, KindError>;
    /// What is not there is `None` rather than an error.
    fn asked_if_there(self, action: impl FnOnce() -> String) -> Result<Option<T>, KindError>;
}

impl<T> Asked<T> for Result<T, bollard::errors::Error> {
    fn asked(self, action: impl FnOnce() -> String) -> Result<T, KindError> {
        self.map_err(|source| KindError::Docker { action: action(), source })
    }

    fn asked_if_there(self, action: impl FnOnce() -> String) -> Result<Option<T>, KindError> {
        match self {
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            other => other.asked(action).map(Some),
        }
    }
}
