//! The four ways of changing an object with a patch. Pure functions from the stored object and the patch to the
//! new object: which one to call, and what happens to the result, is the API's.

use thiserror::Error;

pub(crate) mod apply;
mod json;
mod merge;
mod order;
mod strategic;

pub use apply::apply;
pub use json::json;
pub use merge::merge;
pub use strategic::strategic;

/// A patch can't be applied. The text is what clients show.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum PatchError {
    /// The patch itself is not well-formed.
    #[error("{0}")]
    Malformed(String),
    /// The patch does not fit the object.
    #[error("the server rejected our request due to an error in our request")]
    Rejected,
    /// The patch breaks the rules of its kind, which Kubernetes reports as a failure of its own.
    #[error("{0}")]
    Failed(String),
    /// The patch is too much.
    #[error("{0}")]
    TooLarge(String),
    /// This kind of patch needs to know the object's type.
    #[error("the body of the request was in an unknown format - accepted media types include: {0}")]
    Unsupported(&'static str),
}

impl PatchError {
    /// The HTTP status code.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::Rejected => 422,
            Self::TooLarge(_) => 413,
            Self::Failed(_) => 500,
            Self::Unsupported(_) => 415,
        }
    }

    /// The machine-readable reason; empty where Kubernetes gives none.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "BadRequest",
            Self::Rejected => "Invalid",
            Self::TooLarge(_) => "RequestEntityTooLarge",
            Self::Failed(_) => "",
            Self::Unsupported(_) => "UnsupportedMediaType",
        }
    }
}
