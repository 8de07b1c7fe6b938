//! Why a connection could not be made, in the words of the runtime's network library.

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

/// A failed dial. Its text is what ends up, verbatim, in the messages of a failed pull.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DialError {
    /// The resolver does not know the name.
    #[error("dial tcp: lookup {host} on {resolver}: no such host")]
    NoSuchHost {
        /// The name.
        host: String,
        /// Who was asked.
        resolver: SocketAddr,
    },
    /// Nothing came back until the dial gave up.
    #[error("dial tcp {0}: i/o timeout")]
    Timeout(SocketAddr),
    /// The address answered with a reset.
    #[error("dial tcp {0}: connect: connection refused")]
    Refused(SocketAddr),
}

impl DialError {
    /// Whether the time ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Whether nobody listens there.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// `host` when it is an address already.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
