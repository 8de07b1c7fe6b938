//! Real time, for what has to stay on it: sockets, TLS handshakes, processes, cookie and log dates.
//!
//! Nothing that a drill's outcome depends on may use this module.
#![expect(clippy::disallowed_methods, reason = "this module is the owner of real time")]

use std::{future::Future, time::Duration};

use jiff::Timestamp;

/// The system's time of day.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A stopwatch for progress reports and benches.
#[must_use]
pub fn stopwatch() -> std::time::Instant {
    std::time::Instant::now()
}

/// Waits in real time.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Bounds an operation in real time; `None` when it did not end in time.
pub async fn timeout<F: Future>(limit: Duration, operation: F) -> Option<F::Output> {
    tokio::time::timeout(limit, operation).await.ok()
}
