//! Looking at a key again later: at a known time, or after a failure, each time a little later.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::{engine::Context, store::Key};

/// The timers of one controller: at most one pending for each key.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    pending: HashMap<Key, Timestamp>,
    /// How many there may be until those that have fired are forgotten.
    prune_at: usize,
    failures: HashMap<Key, u32>,
}

impl Timers {
    /// Looks at `key` again when `shown` is what clients are shown as the time; not at all if that is past,
    /// so that nobody waits for a moment that has come in a circle.
    pub(crate) fn at_shown(&mut self, key: &Key, shown: Timestamp, context: &Context) {
        let wait = shown.duration_since(context.clock.shown_now());
        if wait.is_positive() {
            self.after(key, wait, context);
        }
    }

    /// Looks at `key` again after `wait` of lab time, unless a look is pending that comes no later.
    pub(crate) fn after(&mut self, key: &Key, wait: SignedDuration, context: &Context) {
        let now = context.clock.now();
        let at = now + wait;
        if self.pending.get(key).is_some_and(|pending| *pending > now && *pending <= at) {
            return;
        }
        if self.pending.len() >= self.prune_at {
            self.pending.retain(|_, pending| *pending > now);
            self.prune_at = 2 * self.pending.len() + 64;
        }
        self.pending.insert(key.clone(), at);
        context.again_at(key.clone(), at);
    }

    /// Looks again after a failure: first after 5 ms, then twice as long each time, up to 1,000 s. A look that is
    /// pending and comes no later is enough: failures for other reasons to look must not pile up.
    pub(crate) fn failed(&mut self, key: &Key, context: &Context) {
        let failures = self.failures.entry(key.clone()).or_default();
        let millis = 5_i64.saturating_mul(1 << (*failures).min(40)).min(1_000_000);
        *failures = failures.saturating_add(1);
        self.after(key, SignedDuration::from_millis(millis), context);
    }

    /// Forgets earlier failures of `key`.
    pub(crate) fn succeeded(&mut self, key: &Key) {
        self.failures.remove(key);
    }
}

impl Timers {
    /// [`Timers::succeeded`] or [`Timers::failed`], as it went.
    pub(crate) fn outcome(&mut self, key: &Key, outcome: &Result<(), crate::api::Status>, context: &Context) {
        match outcome {
            Ok(()) => self.succeeded(key),
            Err(error) => {
                tracing::debug!(%key, %error, "to be tried again");
                self.failed(key, context);
            }
        }
    }
}
