//! How many pulls a node begins in a while: `registryPullQPS` and `registryBurst`. What is beyond fails at once.

use pulldrill_clock::Timestamp;

/// A limit: so many a second in the long run, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PullRate {
    /// In the long run, per second.
    pub per_second: f64,
    /// At once, after a rest.
    pub burst: f64,
}

impl PullRate {
    /// A kubelet's own: 5 a second, 10 at once.
    pub const DEFAULT: Self = Self { per_second: 5.0, burst: 10.0 };
}

/// What is left of a limit.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: Option<PullRate>,
    tokens: f64,
    filled: Option<Timestamp>,
}

impl Bucket {
    /// A full one; without a limit it is never empty.
    pub(super) fn new(limit: Option<PullRate>) -> Self {
        Self { limit, tokens: limit.map_or(0.0, |limit| limit.burst), filled: None }
    }

    /// Whether there is one left at `now`; it is taken.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let Some(limit) = self.limit else { return true };
        let rested = self.filled.map_or(0.0, |filled| now.duration_since(filled).as_secs_f64());
        self.tokens = (self.tokens + rested.max(0.0) * limit.per_second).min(limit.burst);
        self.filled = Some(now);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_followed_by_the_rate() {
        let at = |millis: i64| Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap();
        let mut bucket = Bucket::new(Some(PullRate::DEFAULT));
        assert_eq!((0..20).filter(|_| bucket.take(at(0))).count(), 10);
        assert_eq!((0..20).filter(|_| bucket.take(at(1000))).count(), 5);
        assert_eq!((0..20).filter(|_| bucket.take(at(60_000))).count(), 10);
        let mut unlimited = Bucket::new(None);
        assert!((0..1000).all(|_| unlimited.take(at(0))));
    }
}
