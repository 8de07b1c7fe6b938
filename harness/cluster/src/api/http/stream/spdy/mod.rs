//! SPDY/3.1, as much of it as Kubernetes' clients use: streams that they open, data both ways, pings.
//!
//! There is no flow control by windows: Go's implementation, which all these clients have, neither sends nor
//! heeds window updates, so whoever waited for one would wait for ever. What is bounded instead: frames,
//! headers, the number of streams, and what a stream holds until it is read; past that, the connection is not
//! read, and TCP makes the client wait.
//!
//! - `frame` and `headers` are the bytes, `dictionary` what headers are packed with.
//! - [`connection`] runs a connection; it knows nothing of pods.

mod connection;
mod dictionary;
mod frame;
mod headers;

use std::io;

use thiserror::Error;

pub(super) use connection::{Connection, Stream, Writer};

/// Why a connection can't go on.
#[derive(Debug, Error)]
pub(super) enum SpdyError {
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// Another version than 3.
    #[error("a frame has another version than 3")]
    Version,
    /// A frame or its headers are too big.
    #[error("a frame or its headers are too big")]
    TooBig,
    /// A frame is too short for its kind.
    #[error("a frame is too short")]
    Short,
    /// Headers can't be unpacked.
    #[error("headers can't be unpacked")]
    Headers,
    /// A stream has a number that it can't have.
    #[error("a stream has a number that it can't have")]
    Number,
}

impl PartialEq for SpdyError {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
