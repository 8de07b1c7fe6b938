//! The scheduler: gives every pod a node.
//!
//! - [`fit`]: which nodes a pod may run on, and why not on the others.
//! - [`load`]: which pods run where, to spread them.

pub(crate) mod fit;
mod load;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use pulldrill_clock::seed;
use rand::RngExt;
use serde_json::{Value, json};

use crate::{
    api::Status,
    controllers::{
        deps::Deps,
        json::{condition, text},
        meta::{controller_of, deleting, name, namespace},
        pods,
        timers::Timers,
        wording::fill,
    },
    engine::{Context, Controller, Queue},
    store::{Event, Key, Stored},
};
use fit::Misfit;
use load::Load;

const NAME: &str = "default-scheduler";

/// Binds pods to nodes.
pub(crate) struct Scheduler {
    deps: Deps,
    load: Load,
    /// Pods that no node would take; a change of a node is a new chance for them.
    waiting: HashSet<Key>,
    rng: seed::Rng,
    timers: Timers,
}

impl Scheduler {
    /// A scheduler that has seen nothing yet.
    pub(crate) fn new(deps: Deps, seed: u64) -> Self {
        Self {
            deps,
            load: Load::default(),
            waiting: HashSet::new(),
            rng: seed::rng(seed, "scheduler"),
            timers: Timers::default(),
        }
    }

    fn schedule(&mut self, key: &Key, pod: &Value) -> Result<(), Status> {
        let nodes = self.deps.list("nodes", None);
        let mut misfits: BTreeMap<String, usize> = BTreeMap::new();
        let mut fitting = Vec::new();
        for node in &nodes {
            match fit::misfit(pod, node.value()) {
                None => fitting.push(node),
                Some(misfit) => *misfits.entry(self.reason(&misfit)).or_default() += 1,
            }
        }
        match self.pick(pod, &fitting) {
            Some(node) => {
                self.waiting.remove(key);
                self.bind(key, pod, &node)
            }
            None => {
                self.waiting.insert(key.clone());
                self.refuse(key, pod, nodes.len(), &misfits)
            }
        }
    }

    fn reason(&self, misfit: &Misfit) -> String {
        match misfit {
            Misfit::Unschedulable => "node(s) were unschedulable".to_owned(),
            Misfit::Affinity => self.deps.wording.node_affinity.to_owned(),
            Misfit::Taint { key, value, .. } => {
                fill(self.deps.wording.taint, &[("key", key), ("value", value)])
            }
        }
    }

    /// The fitting node with the fewest pods of the same owner, then the fewest pods; chance decides among
    /// equals.
    fn pick(&mut self, pod: &Value, fitting: &[&Arc<Stored>]) -> Option<String> {
        let owner = controller_of(pod).map(|r| text(&r["uid"])).unwrap_or_default();
        let load = |node: &Stored| self.load.of(name(node.value()), owner);
        let least = fitting.iter().map(|node| load(node)).min()?;
        let best: Vec<&str> =
            fitting.iter().filter(|node| load(node) == least).map(|node| name(node.value())).collect();
        let chosen = if best.len() > 1 { self.rng.random_range(0..best.len()) } else { 0 };
        best.get(chosen).map(|node| (*node).to_owned())
    }

    fn bind(&self, key: &Key, pod: &Value, node: &str) -> Result<(), Status> {
        let now = self.deps.stamp();
        let scheduled = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now});
        let bound = self.deps.edit_sub("pods", key, "binding", |pod| {
            pod["spec"]["nodeName"] = node.into();
            set_scheduled(pod, &scheduled);
        })?;
        if condition(bound.value(), "PodScheduled").is_none_or(|c| c["status"] != "True") {
            self.deps.edit_sub("pods", key, "status", |pod| set_scheduled(pod, &scheduled))?;
        }
        let message = format!("Successfully assigned {}/{} to {node}", namespace(pod), name(pod));
        self.deps.normal(pod, "Scheduled", &message);
        Ok(())
    }

    fn refuse(
        &self,
        key: &Key,
        pod: &Value,
        nodes: usize,
        misfits: &BTreeMap<String, usize>,
    ) -> Result<(), Status> {
        let message = if nodes == 0 {
            "no nodes available to schedule pods".to_owned()
        } else {
            // Sorted as texts, each with its number in front.
            let mut reasons: Vec<String> =
                misfits.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
            reasons.sort();
            let tail = fill(self.deps.wording.no_fit_tail, &[("nodes", &nodes.to_string())]);
            format!("0/{nodes} nodes are available: {}{tail}", reasons.join(", "))
        };
        let now = self.deps.stamp();
        self.deps.edit_sub("pods", key, "status", |pod| {
            let since = match condition(pod, "PodScheduled") {
                Some(c) if c["status"] == "False" => c["lastTransitionTime"].clone(),
                _ => now.as_str().into(),
            };
            let refused = json!({"type": "PodScheduled", "status": "False", "lastProbeTime": null,
                "lastTransitionTime": since, "reason": "Unschedulable", "message": message});
            set_scheduled(pod, &refused);
        })?;
        self.deps.warning(pod, "FailedScheduling", &message);
        Ok(())
    }
}

fn set_scheduled(pod: &mut Value, scheduled: &Value) {
    match pod["status"]["conditions"].as_array_mut() {
        Some(conditions) => {
            conditions.retain(|c| c["type"] != "PodScheduled");
            conditions.push(scheduled.clone());
        }
        None => pod["status"]["conditions"] = json!([scheduled]),
    }
}

fn wants_node(pod: &Value) -> bool {
    let scheduler = text(&pod["spec"]["schedulerName"]);
    text(&pod["spec"]["nodeName"]).is_empty()
        && (scheduler.is_empty() || scheduler == NAME)
        && pods::active(pod)
}

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        match &*event.resource {
            "pods" => {
                self.load.observe(event);
                let pod = event.object.value();
                // Its own note that a pod has no place is no reason to look again.
                let spec_changed =
                    event.previous.as_ref().is_none_or(|before| before.value()["spec"] != pod["spec"]);
                if event.change == crate::store::Change::Deleted || deleting(pod) {
                    self.waiting.remove(&event.key);
                } else if spec_changed && wants_node(pod) {
                    queue.add(event.key.clone());
                }
            }
            "nodes" => {
                let changed = event.previous.as_ref().is_none_or(|before| {
                    let part = |node: &Stored| {
                        (node.value()["spec"].clone(), node.value()["metadata"]["labels"].clone())
                    };
                    part(before) != part(&event.object)
                });
                if changed {
                    let mut waiting: Vec<&Key> = self.waiting.iter().collect();
                    waiting.sort();
                    waiting.into_iter().for_each(|key| queue.add(key.clone()));
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let Some(stored) = self.deps.get("pods", key) else { return };
        if wants_node(stored.value()) {
            let outcome = self.schedule(key, stored.value());
            self.timers.outcome(key, &outcome, context);
        }
    }
}
