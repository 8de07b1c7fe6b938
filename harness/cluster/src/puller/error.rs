//! Why a pull failed: a status code as the runtime reports it, and the text.

use std::fmt;

use crate::dialect::Dialect;

/// The class of a failure, as the runtime's interface names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Anything without a class.
    Unknown,
    /// The tag, repository or content does not exist.
    NotFound,
    /// The content is not what its digest says.
    FailedPrecondition,
    /// The time ran out.
    DeadlineExceeded,
    /// What was asked for makes no sense.
    InvalidArgument,
}

impl Code {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::NotFound => "NotFound",
            Self::FailedPrecondition => "FailedPrecondition",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::InvalidArgument => "InvalidArgument",
        }
    }
}

/// A failed pull (or a failed step of one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullError {
    /// Its class.
    pub code: Code,
    /// What the runtime says.
    pub message: String,
    /// Whether the credentials were refused, which is worded differently while resolving.
    pub(super) refused: bool,
    /// Whether nobody listens at the other end, for which some runtimes have a word of their own.
    pub(super) unreachable: bool,
}

impl PullError {
    /// A failure without a class.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::new(Code::Unknown, message)
    }

    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), refused: false, unreachable: false }
    }

    /// Credentials that were refused: `authorization failed`, with what comes before or after it.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self { refused: true, ..Self::unknown(message) }
    }

    /// The same failure in other words.
    pub(super) fn reworded(self, words: impl FnOnce(&str) -> String) -> Self {
        Self { message: words(&self.message), ..self }
    }

    /// The text as the kubelet shows it.
    #[must_use]
    pub fn shown(&self, dialect: &Dialect) -> String {
        if self.code == Code::Unknown && dialect.kubelet.strip_unknown_code {
            self.message.clone()
        } else {
            format!("rpc error: code = {} desc = {}", self.code.as_str(), self.message)
        }
    }
}

impl fmt::Display for PullError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PullError {}
