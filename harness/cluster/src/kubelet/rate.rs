//! How many pulls a node begins in a while: `registryPullQPS` and `registryBurst`. What is beyond fails at once.

use pulldrill_clock::Timestamp;

use crate::bucket::{Bucket, Limit};

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

/// What is left of a node's rate.
#[derive(Debug)]
pub(super) struct Rate(Option<Bucket>);

impl Rate {
    /// All of it; without a rate there is no end.
    pub(super) fn new(rate: Option<PullRate>) -> Self {
        let limit = |PullRate { per_second, burst }| Limit { per_second, burst };
        Self(rate.map(limit).map(Bucket::new))
    }

    /// Whether a pull may begin at `now`; it counts then.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        self.0.as_mut().is_none_or(|bucket| bucket.take(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_followed_by_the_rate() {
        let at = |millis: i64| Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap();
        let mut rate = Rate::new(Some(PullRate::DEFAULT));
        assert_eq!((0..20).filter(|_| rate.take(at(0))).count(), 10);
        assert_eq!((0..20).filter(|_| rate.take(at(1000))).count(), 5);
        assert_eq!((0..20).filter(|_| rate.take(at(60_000))).count(), 10);
        let mut unlimited = Rate::new(None);
        assert!((0..1000).all(|_| unlimited.take(at(0))));
    }
}
