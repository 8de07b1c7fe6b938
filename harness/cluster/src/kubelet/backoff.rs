//! When a failed pull may be tried again: 10 seconds after the first failure, doubling to five minutes.

use pulldrill_clock::{SignedDuration, Timestamp};

const FIRST: SignedDuration = SignedDuration::from_secs(10);
const LONGEST: SignedDuration = SignedDuration::from_secs(300);
/// After this long without a failure everything is forgotten.
const FORGOTTEN: SignedDuration = SignedDuration::from_secs(600);

/// The back-off of one image in one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff {
    wait: SignedDuration,
    failed: Timestamp,
}

impl Backoff {
    /// Takes in a failure that ended at `now`.
    pub(super) fn failed(previous: Option<Self>, now: Timestamp) -> Self {
        let wait = match previous {
            Some(entry) if !entry.is_forgotten(now) => (entry.wait * 2).min(LONGEST),
            _ => FIRST,
        };
        Self { wait, failed: now }
    }

    /// Whether a pull is not due yet.
    pub(super) fn holds(self, now: Timestamp) -> bool {
        !self.is_forgotten(now) && now.duration_since(self.failed) < self.wait
    }

    fn is_forgotten(self, now: Timestamp) -> bool {
        now.duration_since(self.failed) > FORGOTTEN
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
}
