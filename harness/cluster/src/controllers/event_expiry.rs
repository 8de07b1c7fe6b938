//! Events are kept for an hour after they were last written.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{deps::Deps, json::time, timers::Timers};
use crate::{
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const RESOURCE: &str = "events";
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// Deletes old events.
pub(crate) struct EventExpiry {
    deps: Deps,
    timers: Timers,
}

impl EventExpiry {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }
}

impl Controller for EventExpiry {
    fn name(&self) -> &'static str {
        "event-expiry"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        // A count that rises only puts the end off: the timer that is set looks again.
        if &*event.resource == RESOURCE && event.change == Change::Added {
            queue.add(event.key.clone());
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let Some(event) = self.deps.get(RESOURCE, key) else { return };
        let Some(written) = last_written(event.value()) else { return };
        let end = written + KEPT;
        if end > self.deps.now() {
            self.timers.at_shown(key, end, context);
        } else {
            let outcome = self.deps.delete(RESOURCE, event.value());
            self.timers.outcome(key, &outcome, context);
        }
    }
}

fn last_written(event: &Value) -> Option<Timestamp> {
    [
        &event["metadata"]["creationTimestamp"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["series"]["lastObservedTime"],
    ]
    .into_iter()
    .filter_map(time)
    .max()
}
