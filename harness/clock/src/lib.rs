//! Time and chance for the whole lab.
//!
//! Every part of the lab reads the time from one [`Clock`] and draws its random numbers from [`seed`].
//! Nothing else may: `clippy.toml` forbids the system clock, sleeps and unseeded randomness elsewhere.
//!
//! - [`clock`]: the lab clock. It runs with real time, or stands still and is moved from timer to timer.
//! - [`busy`]: tokens that say "somebody is still working on this instant", so that the clock never jumps
//!   over work that has not been done yet.
//! - [`cron`]: schedules, and the times that they name.
//! - [`eager`]: work that does not wait for its turn when it wakes itself.
//! - [`mailbox`]: a channel whose messages carry such a token.
//! - [`real`]: real time, for what must stay on it: sockets, TLS, processes.
//! - [`secret`]: tokens that no seed reproduces.
//! - [`seed`]: named random number generators, the same for the same seed.
//!
//! It knows nothing of Kubernetes, registries or drills.

pub mod busy;
pub mod clock;
pub mod cron;
pub mod eager;
pub mod mailbox;
pub mod real;
pub mod secret;
pub mod seed;

pub use busy::Busy;
pub use clock::Clock;
pub use eager::Eager;
pub use jiff::{SignedDuration, Timestamp};

/// A time as APIs write it: RFC 3339 in UTC, in whole seconds, such as `2026-01-02T03:04:05Z`.
#[must_use]
pub fn stamp(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// [`stamp`] with microseconds, as in `2026-01-02T03:04:05.000006Z`.
#[must_use]
pub fn stamp_micros(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// A span that somebody outside has named, in seconds: at most a century either way, so that no sum of it
/// and a time of the lab is beyond all times.
#[must_use]
pub fn seconds(wanted: i64) -> SignedDuration {
    const CENTURY: i64 = 100 * 366 * 24 * 3600;
    SignedDuration::from_secs(wanted.clamp(-CENTURY, CENTURY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_whole_seconds_or_microseconds() {
        let at: Timestamp = "2026-01-02T03:04:05.999999999Z".parse().unwrap();
        assert_eq!(stamp(at), "2026-01-02T03:04:05Z");
        assert_eq!(stamp(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00Z");
        assert_eq!(stamp_micros(at), "2026-01-02T03:04:05.999999Z");
        assert_eq!(stamp_micros(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    }
}
