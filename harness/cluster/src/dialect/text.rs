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
    /// Waiting message while a pull is not due: `image`, `reason` and `error` of the last one.
    BackOffWaiting,
    /// Event after a pull: `image`, `duration`, `waiting`, `size`.
    Pulled,
    /// Event instead of a pull: `image`.
    AlreadyPresent,
    /// Event and waiting message when pulling is forbidden: `image`.
    NeverPull,
    /// Event and waiting message for a name that cannot be parsed: `image`, `error`.
    InvalidImage,
    /// Event and waiting message for an image that the runtime answers an error about: `image`, `error`.
    InspectFailed,
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
    /// An index without an image for the node: `reference`, `digest` of the index.
    NoPlatform,
    /// Event when too few images could go for what is needed: `wanted` and `freed` bytes.
    DiskFull,
    /// Event while a container that ended is not due to be started again: `container`, `pod`.
    CrashBackOff,
    /// Its waiting message: `wait`, `container`, `pod`.
    CrashBackOffWaiting,
    /// Waiting message where the runtime says that the registry is unavailable: `image`, `rest` of its words.
    RegistryUnavailable,
    /// Waiting message where the runtime says that a signature is not good: `image`, `rest` of its words.
    SignatureFailed,
}

impl Text {
    /// All of them.
    pub const ALL: [Self; 28] = [
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
        Self::InspectFailed,
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
        Self::NoPlatform,
        Self::DiskFull,
        Self::CrashBackOff,
        Self::CrashBackOffWaiting,
        Self::RegistryUnavailable,
        Self::SignatureFailed,
    ];
}
