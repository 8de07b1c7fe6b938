//! The names of the texts that a dialect gives.

use serde::Deserialize;

/// A user-visible text, by what it says. The comment names the places to fill in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Text {
    /// Event of the scheduler: `namespace`, `pod`, `node`.
    Scheduled,
    /// Event before a pull: `image`.
    Pulling,
    /// Event after a failed pull: `image`, `error`.
    PullFailed,
    /// Event after any failed start: `reason`.
    ContainerError,
    /// Event while a pull is not due, and its waiting message without a known last error: `image`.
    BackOff,
    /// Waiting message while a pull is not due: `image`, `error`.
    BackOffWaiting,
    /// Event after a pull: `image`, `duration`, `waiting`, `size`.
    Pulled,
    /// Event instead of a pull: `image`.
    AlreadyPresent,
    /// Event and waiting message when pulling is forbidden: `image`.
    NeverPull,
    /// Event and waiting message for a name that cannot be parsed: `image`, `error`.
    InvalidImage,
    /// Event about pull secrets that do not exist: `secrets`. Empty where no such event is written.
    MissingSecrets,
    /// Event: `container`.
    Created,
    /// Event: `container`.
    Started,
    /// Event when a pod ends: `container`.
    Killing,
    /// Event when a container is replaced: `container`.
    KillingChanged,
    /// Failure to resolve a reference: `reference`, `error`.
    ResolveFailed,
    /// Failure after resolution: `reference`, `error`.
    UnpackFailed,
    /// Failure to open content: `reference`, `error`.
    FetchFailed,
    /// A GET answered with an error and nothing to quote: `url`, `status`.
    GetStatus,
    /// A GET answered with an error that the registry explains: `url`, `status`, `body`.
    GetStatusBody,
    /// A body that ended early: `expected`, `got`.
    ShortRead,
}

impl Text {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Scheduled,
        Self::Pulling,
        Self::PullFailed,
        Self::ContainerError,
        Self::BackOff,
        Self::BackOffWaiting,
        Self::Pulled,
        Self::AlreadyPresent,
        Self::NeverPull,
        Self::InvalidImage,
        Self::MissingSecrets,
        Self::Created,
        Self::Started,
        Self::Killing,
        Self::KillingChanged,
        Self::ResolveFailed,
        Self::UnpackFailed,
        Self::FetchFailed,
        Self::GetStatus,
        Self::GetStatusBody,
        Self::ShortRead,
    ];
}
