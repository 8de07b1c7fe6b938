//! ReplicaSets: as many pods as asked for, and a status that says how they are. ReplicationControllers, which came
//! before them, are kept in the same way.

mod status;

use std::sync::Arc;

use serde_json::Value;

use super::{
    children::{Children, min_ready},
    deps::Deps,
    json::text,
    meta::{deleting, name, namespace},
    pods,
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Event, Key, Stored},
};

/// The resource that this controller keeps.
pub(crate) const RESOURCE: &str = "replicasets.apps";

/// No more pods than this are made or deleted in one go.
const BURST: usize = 500;

/// What the kinds that are kept in this way differ in.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The name of the controller.
    pub(crate) controller: &'static str,
    resource: &'static str,
    kind: &'static str,
    /// Whether the status counts pods that are on their way out, in releases that do.
    counts_terminating: bool,
}

/// ReplicaSets.
pub(crate) const REPLICA_SETS: Kind = Kind {
    controller: "replicaset-controller",
    resource: RESOURCE,
    kind: "ReplicaSet",
    counts_terminating: true,
};

/// ReplicationControllers.
pub(crate) const REPLICATION_CONTROLLERS: Kind = Kind {
    controller: "replication-controller",
    resource: "replicationcontrollers",
    kind: "ReplicationController",
    counts_terminating: false,
};

/// Keeps ReplicaSets, or what is like them.
pub(crate) struct ReplicaSets {
    deps: Deps,
    of: &'static Kind,
    children: Children,
    timers: Timers,
}

impl ReplicaSets {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps, of: &'static Kind) -> Self {
        let children = Children::new(&deps, of.resource, of.kind, "pods");
        Self { deps, of, children, timers: Timers::default() }
    }

    /// Makes or deletes pods until as many are active as the spec wants.
    fn manage(&self, set: &Value, active: &[Arc<Stored>]) -> Result<(), Status> {
        let wanted = usize::try_from(set["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap_or(0);
        if active.len() < wanted {
            self.create((wanted - active.len()).min(BURST), set)
        } else {
            self.delete((active.len() - wanted).min(BURST), set, active)
        }
    }

    /// Stops at the first failure: one refusal usually means that all would be refused.
    fn create(&self, count: usize, set: &Value) -> Result<(), Status> {
        for _ in 0..count {
            create_pod(&self.deps, set)?;
        }
        Ok(())
    }

    fn delete(&self, count: usize, set: &Value, active: &[Arc<Stored>]) -> Result<(), Status> {
        let mut victims: Vec<&Value> = active.iter().map(|pod| pod.value()).collect();
        let on_node = |pod: &Value| {
            active.iter().filter(|p| p.value()["spec"]["nodeName"] == pod["spec"]["nodeName"]).count()
        };
        if count < victims.len() && count > 0 {
            victims.sort_by(|a, b| pods::expendable_first(a, b, on_node));
        }
        for pod in victims.into_iter().take(count) {
            delete_pod(&self.deps, set, pod)?;
        }
        Ok(())
    }
}

impl Controller for ReplicaSets {
    fn name(&self) -> &'static str {
        self.of.controller
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        self.children.observe(&self.deps, event, queue);
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let Some(stored) = self.deps.get(self.of.resource, key) else {
            self.timers.succeeded(key);
            return;
        };
        let set = stored.value();
        let children = self.children.claim(&self.deps, set, pods::active);
        let active: Vec<Arc<Stored>> =
            children.iter().filter(|pod| pods::active(pod.value())).cloned().collect();
        let managed = if deleting(set) { Ok(()) } else { self.manage(set, &active) };
        let now = self.deps.now();
        let mut status = status::of(&self.deps, set, &children, managed.as_ref().err());
        if self.of.counts_terminating && self.deps.wording.terminating_replicas {
            status["terminatingReplicas"] = status::terminating(&children).into();
        }
        if let Err(error) = self.deps.write_status(self.of.resource, key, &status) {
            tracing::debug!(%key, %error, "status not written");
        }
        match managed {
            Ok(()) => self.timers.succeeded(key),
            Err(_) => self.timers.failed(key, context),
        }
        if let Some(at) = pods::next_available(active.iter().map(|pod| pod.value()), min_ready(set), now) {
            self.timers.at_shown(key, at, context);
        }
    }
}

/// Makes a pod from a workload's template.
fn create_pod(deps: &Deps, owner: &Value) -> Result<Option<Arc<Stored>>, Status> {
    let mut pod = pods::from_template(&owner["spec"]["template"], owner);
    pod["metadata"]["generateName"] = format!("{}-", name(owner)).into();
    create_pod_from(deps, owner, pod)
}

/// Makes a pod for a workload and tells of it. In a namespace that ends nothing is made, and that is no
/// failure.
pub(crate) fn create_pod_from(deps: &Deps, owner: &Value, pod: Value) -> Result<Option<Arc<Stored>>, Status> {
    if deps.namespace_ends(namespace(owner)) {
        return Ok(None);
    }
    match deps.create("pods", namespace(owner), pod) {
        Ok(pod) => {
            deps.normal(owner, "SuccessfulCreate", &format!("Created pod: {}", pod.meta("name")));
            Ok(Some(pod))
        }
        Err(status) => {
            deps.warning(owner, "FailedCreate", &format!("Error creating: {status}"));
            Err(status)
        }
    }
}

/// Deletes a workload's pod and tells of it.
pub(crate) fn delete_pod(deps: &Deps, owner: &Value, pod: &Value) -> Result<(), Status> {
    let pod_name = text(&pod["metadata"]["name"]);
    match deps.delete("pods", pod) {
        Ok(()) => {
            deps.normal(owner, "SuccessfulDelete", &format!("Deleted pod: {pod_name}"));
            Ok(())
        }
        Err(status) => {
            deps.warning(owner, "FailedDelete", &format!("Error deleting: {status}"));
            Err(status)
        }
    }
}
