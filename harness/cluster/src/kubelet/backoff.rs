//! When something that failed may be tried again: 10 seconds after the first failure, doubling to five minutes.
//!
//! Pulls and restarts of containers have the same arithmetic and ask different questions of it: a pull counts from
//! its failure, a restart from the end of the container before it.

use pulldrill_clock::{SignedDuration, Timestamp};

const FIRST: SignedDuration = SignedDuration::from_secs(10);
const LONGEST: SignedDuration = SignedDuration::from_secs(300);
/// After this long without a failure everything is forgotten.
const FORGOTTEN: SignedDuration = SignedDuration::from_secs(600);

/// The back-off of one image, or of one container, in one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff {
    pub(super) wait: SignedDuration,
    updated: Timestamp,
}

impl Backoff {
    /// Takes in a failure that ended at `now`.
    pub(super) fn failed(previous: Option<Self>, now: Timestamp) -> Self {
        Self::next(previous, now, now)
    }

    /// Takes in a restart at `now`, after an end at `ended`.
    pub(super) fn restarted(previous: Option<Self>, ended: Timestamp, now: Timestamp) -> Self {
        Self::next(previous, ended, now)
    }

    fn next(previous: Option<Self>, event: Timestamp, now: Timestamp) -> Self {
        let wait = match previous {
            Some(entry) if !entry.is_forgotten(event) => (entry.wait * 2).min(LONGEST),
            _ => FIRST,
        };
        Self { wait, updated: now }
    }

    /// Whether a pull is not due yet.
    pub(super) fn holds(self, now: Timestamp) -> bool {
        !self.is_forgotten(now) && now.duration_since(self.updated) < self.wait
    }

    /// Whether the restart of a container that ended at `ended` is not due yet.
    pub(super) fn holds_since(self, ended: Timestamp, now: Timestamp) -> bool {
        !self.is_forgotten(ended) && now.duration_since(ended) < self.wait
    }

    fn is_forgotten(self, event: Timestamp) -> bool {
        event.duration_since(self.updated) > FORGOTTEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn it_doubles_to_the_cap_and_is_forgotten_in_time() {
        let mut entry = None;
        let mut waits = Vec::new();
        let mut now = 0;
        for _ in 0..7 {
            let next = Backoff::failed(entry, at(now));
            assert!(next.holds(at(now)) && !next.holds(at(now) + next.wait));
            waits.push(next.wait.as_secs());
            now += next.wait.as_secs();
            entry = Some(next);
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
        let last = entry.unwrap();
        assert_eq!(Backoff::failed(Some(last), at(now - 300 + 601)).wait, FIRST);
        assert_eq!(Backoff::failed(Some(last), at(now - 300 + 600)).wait, LONGEST);
    }

    #[test]
    fn a_container_that_ran_for_ten_minutes_starts_anew() {
        let first = Backoff::restarted(None, at(0), at(0));
        assert!(first.holds_since(at(5), at(14)) && !first.holds_since(at(5), at(15)));
        let second = Backoff::restarted(Some(first), at(5), at(15));
        assert_eq!(second.wait.as_secs(), 20);
        assert!(!second.holds_since(at(15 + 601), at(15 + 601)), "nobody waits after a long run");
        assert_eq!(Backoff::restarted(Some(second), at(15 + 601), at(15 + 601)).wait, FIRST);
    }
}
