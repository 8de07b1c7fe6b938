//! Removes requests that nobody needs any more: an hour after they were decided, a day after nobody did.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::issued;
use crate::{
    api::certificates::STORE,
    controllers::{
        deps::Deps,
        json::{condition, items, time},
        timers::Timers,
    },
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

/// How long a decided one is kept.
const DECIDED: SignedDuration = SignedDuration::from_hours(1);

/// How long one is kept that nobody decides.
const PENDING: SignedDuration = SignedDuration::from_hours(24);

/// Removes old requests.
pub(in crate::controllers) struct Cleaner {
    deps: Deps,
    timers: Timers,
}

impl Cleaner {
    /// A controller that has seen nothing yet.
    pub(in crate::controllers) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }
}

/// When a request is to go. An approved one waits for its signer, however long that takes.
fn end(request: &Value) -> Option<Timestamp> {
    if items(&request["status"]["conditions"]).is_empty() && !issued(request) {
        return time(&request["metadata"]["creationTimestamp"]).map(|made| made + PENDING);
    }
    let decisions = [("Approved", issued(request)), ("Denied", true), ("Failed", true)];
    let ends = decisions.into_iter().filter(|(_, counts)| *counts).filter_map(|(kind, _)| {
        time(&condition(request, kind)?["lastUpdateTime"]).map(|decided| decided + DECIDED)
    });
    ends.min()
}

impl Controller for Cleaner {
    fn name(&self) -> &'static str {
        "csrcleaner"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        if &*event.resource == STORE && event.change != Change::Deleted {
            queue.add(event.key.clone());
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let Some(request) = self.deps.get(STORE, key) else { return };
        let Some(end) = end(request.value()) else { return };
        if end > self.deps.now() {
            self.timers.at_shown(key, end, context);
        } else {
            let outcome = self.deps.delete(STORE, request.value());
            self.timers.outcome(key, &outcome, context);
        }
    }
}
