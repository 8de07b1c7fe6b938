//! Deployments: a ReplicaSet for each template, and moving pods from one to the next without losing more
//! of them than allowed.
//!
//! - [`revision`]: finding and making the ReplicaSet of the present template; revisions.
//! - [`rolling`]: how far ReplicaSets may grow and shrink during a rolling update: arithmetic only.
//! - [`scale`]: changing sizes; what a changed number of replicas means in mid-rollout.
//! - [`status`]: counters, conditions, the progress deadline.
//! - [`strategy`]: one step of a rollout.

mod revision;
mod rolling;
mod scale;
mod status;
mod strategy;

pub(crate) use rolling::share;

use std::sync::Arc;

use serde_json::Value;

use super::{
    children::Children,
    deps::Deps,
    json::{int, text, time},
    meta::{annotation, controller_key, deleting, name},
    replicaset,
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key, Stored},
};

const RESOURCE: &str = "deployments.apps";
const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";
const HASH_LABEL: &str = "pod-template-hash";

/// Keeps Deployments.
pub(crate) struct Deployments {
    deps: Deps,
    sets: Children,
    pods: Children,
    timers: Timers,
}

impl Deployments {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self {
            sets: Children::new(&deps, RESOURCE, "Deployment", replicaset::RESOURCE),
            pods: Children::new(&deps, "", "", "pods"),
            deps,
            timers: Timers::default(),
        }
    }

    fn sync(&mut self, key: &Key, context: &Context) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        let sets = self.sets.claim(&self.deps, stored.value(), |_| true);
        let mut rollout = Rollout {
            deps: &self.deps,
            pods: &self.pods,
            key: key.clone(),
            deployment: stored.value().clone(),
            sets: sets.into_iter().map(|set| set.value().clone()).collect(),
        };
        rollout.sets.sort_by_key(age);
        if deleting(&rollout.deployment) {
            return rollout.write_counters();
        }
        rollout.note_pause()?;
        if rollout.paused() || rollout.size_changed() {
            rollout.resize()?;
        } else {
            rollout.advance()?;
        }
        if let Some(wait) = rollout.time_to_deadline() {
            self.timers.after(key, wait, context);
        }
        Ok(())
    }
}

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        self.sets.observe(&self.deps, event, queue);
        if &*event.resource == "pods" {
            self.pods.note(event);
            if event.change == Change::Deleted
                && let Some(set) = controller_key(event.object.value(), "ReplicaSet")
                && let Some(set) = self.deps.get(replicaset::RESOURCE, &set)
                && let Some(key) = controller_key(set.value(), "Deployment")
            {
                queue.add(key);
            }
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        match self.sync(key, context) {
            Ok(()) => self.timers.succeeded(key),
            Err(error) => {
                tracing::debug!(%key, %error, "deployment not brought further");
                self.timers.failed(key, context);
            }
        }
    }
}

/// One look at one Deployment.
struct Rollout<'a> {
    deps: &'a Deps,
    pods: &'a Children,
    key: Key,
    deployment: Value,
    /// All its ReplicaSets, oldest first, as last written.
    sets: Vec<Value>,
}

impl Rollout<'_> {
    fn paused(&self) -> bool {
        self.deployment["spec"]["paused"] == true
    }

    fn replicas(&self) -> i64 {
        self.deployment["spec"]["replicas"].as_i64().unwrap_or(1)
    }

    /// The place of the ReplicaSet of the present template. Several can have it, since sets are adopted: it is always the
    /// same one of them, whichever has the higher revision, for being chosen gives it a higher one.
    fn new_index(&self) -> Option<usize> {
        let wanted = revision::comparable(&self.deployment["spec"]["template"]);
        let same = |set: &Value| revision::comparable(&set["spec"]["template"]) == wanted;
        let found = self.sets.iter().enumerate().filter(|(_, set)| same(set));
        let oldest = found.min_by_key(|(_, set)| (time(&set["metadata"]["creationTimestamp"]), name(set)));
        oldest.map(|(index, _)| index)
    }

    /// The sum of a number over ReplicaSets.
    fn sum(&self, of: impl Fn(&Value) -> i64) -> i64 {
        self.sets.iter().map(of).sum()
    }

    /// Takes over a ReplicaSet that has been written.
    fn replace(&mut self, index: usize, set: &Arc<Stored>) {
        self.sets[index] = set.value().clone();
    }

    /// Writes a new status; the copy in hand follows.
    fn write_status(&mut self, status: &Value) -> Result<(), Status> {
        let written = self.deps.write_status(RESOURCE, &self.key, status)?;
        self.deployment = written.value().clone();
        Ok(())
    }
}

/// The pods that a ReplicaSet should have.
fn desired(set: &Value) -> i64 {
    set["spec"]["replicas"].as_i64().unwrap_or(1)
}

/// The pods of a ReplicaSet that count as available.
fn available(set: &Value) -> i64 {
    int(&set["status"]["availableReplicas"])
}

/// The order of age of ReplicaSets.
fn age(set: &Value) -> (Option<jiff::Timestamp>, i64, String) {
    let revision = annotation(set, REVISION).parse().unwrap_or(0);
    (time(&set["metadata"]["creationTimestamp"]), revision, name(set).to_owned())
}

/// Whether the Deployment replaces all its pods at once.
fn recreates(deployment: &Value) -> bool {
    text(&deployment["spec"]["strategy"]["type"]) == "Recreate"
}
