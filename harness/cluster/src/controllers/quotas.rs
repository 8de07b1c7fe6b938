//! The status of ResourceQuotas: what they limit, and how much of it is used.

use serde_json::json;

use super::{deps::Deps, meta::deleting, timers::Timers};
use crate::{
    api::{Status, quota},
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const RESOURCE: &str = "resourcequotas";

/// Counts what quotas limit.
pub(crate) struct Quotas {
    deps: Deps,
    timers: Timers,
}

impl Quotas {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }

    fn sync(&self, key: &Key) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        let quota = stored.value();
        if deleting(quota) {
            return Ok(());
        }
        let used = quota::written(&self.deps.quota_used(quota));
        let status = json!({"hard": quota["spec"]["hard"], "used": used});
        self.deps.write_status(RESOURCE, key, &status).map(drop)
    }
}

impl Controller for Quotas {
    fn name(&self) -> &'static str {
        "resourcequota-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        if &*event.resource == RESOURCE && event.change != Change::Deleted {
            queue.add(event.key.clone());
        } else if !event.key.namespace.is_empty() && &*event.resource != "events" {
            for quota in self.deps.list(RESOURCE, Some(&event.key.namespace)) {
                queue.add(quota.key().clone());
            }
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key);
        self.timers.outcome(key, &outcome, context);
    }
}
