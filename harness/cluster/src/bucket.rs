//! A token bucket: so many at once, and so many a second in the long run. It knows no clock; whoever asks says when.

use pulldrill_clock::Timestamp;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limit {
    /// In the long run, per second.
    pub(crate) per_second: f64,
    /// At once, after a rest.
    pub(crate) burst: f64,
}

/// What is left of a limit.
#[derive(Debug)]
pub(crate) struct Bucket {
    limit: Limit,
    tokens: f64,
    filled: Option<Timestamp>,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(limit: Limit) -> Self {
        Self { limit, tokens: limit.burst, filled: None }
    }

    /// Whether there is one left at `now`; it is taken.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        let rested = self.filled.map_or(0.0, |filled| now.duration_since(filled).as_secs_f64());
        self.tokens = (self.tokens + rested.max(0.0) * self.limit.per_second).min(self.limit.burst);
        self.filled = Some(now);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}
