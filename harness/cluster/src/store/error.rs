//! Why a store refuses.

use thiserror::Error;

use super::Key;

/// Why a write or a replay was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StoreError {
    /// A create found the name taken.
    #[error("{resource} {key} already exists")]
    Exists {
        /// The resource, for example `pods`.
        resource: String,
        /// Namespace and name.
        key: Key,
    },
    /// The object is not there.
    #[error("{resource} {key} not found")]
    NotFound {
        /// The resource, for example `pods`.
        resource: String,
        /// Namespace and name.
        key: Key,
    },
    /// The writer had read another version than the present one.
    #[error("{resource} {key} is at revision {current}, not {expected}")]
    Conflict {
        /// The resource, for example `pods`.
        resource: String,
        /// Namespace and name.
        key: Key,
        /// The version that the writer had read.
        expected: u64,
        /// The version that is stored.
        current: u64,
    },
    /// The revision is older than the event window.
    #[error("revision {0} is too old")]
    Compacted(u64),
    /// There is no room for what is written. The words are etcd's, for clients know them.
    #[error("etcdserver: mvcc: database space exceeded")]
    Full,
    /// The cluster was removed.
    #[error("the cluster was removed")]
    Ended,
    /// What was written may not outlive the process.
    #[error("the write has not reached the disk: {0}")]
    Disk(String),
}

/// A refusal that does not yet know which object it is about.
pub(super) enum Refusal {
    Exists,
    NotFound,
    Conflict { expected: u64, current: u64 },
}

impl Refusal {
    pub(super) fn explain(self, resource: &str, key: &Key) -> StoreError {
        let (resource, key) = (resource.to_owned(), key.clone());
        match self {
            Self::Exists => StoreError::Exists { resource, key },
            Self::NotFound => StoreError::NotFound { resource, key },
            Self::Conflict { expected, current } => StoreError::Conflict { resource, key, expected, current },
        }
    }
}
