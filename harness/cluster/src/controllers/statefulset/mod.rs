//! StatefulSets: pods with fixed names, made one after the other and replaced one after the other.
//!
//! - [`step`]: what to do next, pod by pod.
//! - [`identity`]: ordinals, and pods made for one.
//! - [`claims`]: the claims of those pods.
//! - [`status`]: the counters.
//!
//! One pod at a time is why a StatefulSet that rolled to an unpullable image stays stuck: the broken pod has
//! the right revision once the template is repaired only after somebody has deleted it.

mod claims;
mod identity;
mod status;
mod step;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    children::{Children, min_ready},
    deps::Deps,
    meta::name,
    pods,
    revisions::{self, Revisions},
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const RESOURCE: &str = "statefulsets.apps";

/// Keeps StatefulSets.
pub(crate) struct StatefulSets {
    deps: Deps,
    pods: Children,
    revisions: Children,
    timers: Timers,
}

impl StatefulSets {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self {
            pods: Children::new(&deps, RESOURCE, "StatefulSet", "pods"),
            revisions: Children::new(&deps, RESOURCE, "StatefulSet", revisions::RESOURCE),
            deps,
            timers: Timers::default(),
        }
    }

    fn sync(&mut self, key: &Key, context: &Context) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        let set = stored.value();
        let claimed = self.pods.claim(&self.deps, set, |pod| identity::ordinal(set, pod).is_some());
        let pods: Vec<Value> = claimed.iter().map(|pod| pod.value().clone()).collect();
        let revisions = Revisions::settle(&self.deps, &self.revisions, set)?;
        let current = revisions
            .find(super::json::text(&set["status"]["currentRevision"]))
            .unwrap_or_else(|| revisions.update());
        let view = View { deps: &self.deps, set, current, update: revisions.update(), pods: &pods };
        let stepped = view.step();
        let dropped = *stepped.as_ref().unwrap_or(&0);
        self.deps.write_status(RESOURCE, key, &view.status(dropped))?;
        stepped?;
        let used: BTreeSet<String> = pods
            .iter()
            .map(|pod| identity::revision(pod).to_owned())
            .chain([name(current).to_owned()])
            .collect();
        revisions.forget_old(&self.deps, set, &used)?;
        if let Some(at) = pods::next_available(&pods, min_ready(set), self.deps.now()) {
            self.timers.at_shown(key, at, context);
        }
        Ok(())
    }
}

impl Controller for StatefulSets {
    fn name(&self) -> &'static str {
        "statefulset-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        self.pods.observe(&self.deps, event, queue);
        self.revisions.observe(&self.deps, event, queue);
        if &*event.resource == claims::RESOURCE && event.change == Change::Deleted {
            // A pod may be waiting until that of an earlier one is gone.
            let sets = self.deps.list(RESOURCE, Some(&event.key.namespace));
            sets.iter().for_each(|set| queue.add(set.key().clone()));
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key, context);
        self.timers.outcome(key, &outcome, context);
    }
}

/// One look at one StatefulSet.
struct View<'a> {
    deps: &'a Deps,
    set: &'a Value,
    /// The revision that pods below the partition keep, and that of the last finished rollout.
    current: &'a Value,
    /// The revision of the present template.
    update: &'a Value,
    pods: &'a [Value],
}

impl View<'_> {
    fn replicas(&self) -> i64 {
        self.set["spec"]["replicas"].as_i64().unwrap_or(1)
    }

    fn rolls(&self) -> bool {
        self.set["spec"]["updateStrategy"]["type"] != "OnDelete"
    }

    fn partition(&self) -> i64 {
        super::json::int(&self.set["spec"]["updateStrategy"]["rollingUpdate"]["partition"])
    }
}
