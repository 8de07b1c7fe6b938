//! How long a pod that found no node is left alone, whatever happens meanwhile: a second, then twice as long after each
//! try, ten seconds at the most (`podInitialBackoffSeconds` and `podMaxBackoffSeconds` of the scheduler's configuration).

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::store::Key;

const FIRST: i64 = 1;
const LONGEST: i64 = 10;

/// The pods that found no node.
#[derive(Debug, Default)]
pub(super) struct Backoffs(HashMap<Key, Tries>);

#[derive(Clone, Copy, Debug)]
struct Tries {
    times: u32,
    last: Timestamp,
}

impl Backoffs {
    /// A pod has found no node.
    pub(super) fn failed(&mut self, key: &Key, now: Timestamp) {
        let tries = self.0.entry(key.clone()).or_insert(Tries { times: 0, last: now });
        *tries = Tries { times: tries.times.saturating_add(1), last: now };
    }

    /// How much longer a pod is left alone.
    pub(super) fn rest(&self, key: &Key, now: Timestamp) -> Option<SignedDuration> {
        let Tries { times, last } = self.0.get(key)?;
        let seconds = FIRST.saturating_mul(1 << (times - 1).min(16)).min(LONGEST);
        let rest = (*last + SignedDuration::from_secs(seconds)).duration_since(now);
        rest.is_positive().then_some(rest)
    }

    /// A pod has found a node, or has gone.
    pub(super) fn forget(&mut self, key: &Key) {
        self.0.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_ten_seconds() {
        let (mut backoffs, key) = (Backoffs::default(), Key::new("ns", "p"));
        let mut now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for seconds in [1, 2, 4, 8, 10, 10] {
            assert_eq!(backoffs.rest(&key, now), None);
            backoffs.failed(&key, now);
            assert_eq!(backoffs.rest(&key, now), Some(SignedDuration::from_secs(seconds)));
            now += SignedDuration::from_secs(seconds);
        }
        backoffs.failed(&key, now);
        backoffs.forget(&key);
        assert_eq!(backoffs.rest(&key, now), None);
    }
}
