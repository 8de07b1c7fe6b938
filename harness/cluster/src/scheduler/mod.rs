//! The scheduler: gives every pod a node.
//!
//! - [`fit`]: which nodes a pod may run on whatever else runs there: taints, labels.
//! - [`resources`], [`affinity`], [`spread`]: what the pods that run have to do with it.
//! - [`claims`]: whether the storage that a pod claims is there.
//! - [`load`]: which pods run where, and what they take.
//! - [`score`]: which of the fitting nodes is the best.
//! - [`refusal`]: what is said when there is none.
//!
//! - [`backoff`]: when it is tried again.
//! - [`preemption`]: which less important pods have to go for a pod that found no room.

mod affinity;
mod backoff;
mod claims;
pub(crate) mod fit;
mod load;
mod preemption;
mod refusal;
mod resources;
mod score;
mod spread;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use pulldrill_clock::seed;
use rand::RngExt;
use serde_json::{Value, json};

use crate::{
    api::Status,
    controllers::{
        deps::Deps,
        json::{condition, items, text},
        meta::{self, controller_of, deleting, name, namespace},
        nodes, pods,
        timers::Timers,
        wording::fill,
    },
    engine::{Context, Controller, Queue},
    store::{Event, Key, Stored},
};
use affinity::Placed;
use backoff::Backoffs;
use load::Load;
use refusal::Refusal;

const NAME: &str = "default-scheduler";

/// Since this minor version a pod that has its node no longer says which it was promised
/// (`ClearingNominatedNodeNameAfterBinding`).
const CLEARS_NOMINATION: u32 = 35;

/// Binds pods to nodes.
pub(crate) struct Scheduler {
    deps: Deps,
    load: Load,
    /// Pods that no node would take; a change of a node is a new chance for them.
    waiting: HashSet<Key>,
    /// Those of them that wait for others to go, and the node where they do.
    promised: HashMap<Key, String>,
    backoffs: Backoffs,
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
            promised: HashMap::new(),
            backoffs: Backoffs::default(),
            rng: seed::rng(seed, "scheduler"),
            timers: Timers::default(),
        }
    }

    fn schedule(&mut self, key: &Key, pod: &Value) -> Result<(), Status> {
        let nodes = self.deps.list("nodes", None);
        let nodes: Vec<&Value> = nodes.iter().map(|node| node.value()).collect();
        if let Some(why) = claims::missing(&self.deps, pod) {
            let mut refusal = Refusal::new(nodes.len());
            refusal.add_to_all(&why, self.deps.wording);
            self.waiting.insert(key.clone());
            return self.refuse(key, pod, &refusal.message(self.deps.wording));
        }
        let around = self.around(pod);
        let (placed, loners) = (around.placed(&nodes), around.loners(&nodes));
        let spread = spread::Spread::of(pod, &nodes, &placed, true);
        let labels = |namespace: &str| self.labels_of(namespace);
        let mut refusal = Refusal::new(nodes.len());
        let mut fitting = Vec::new();
        for node in &nodes {
            let misfits = match fit::misfit(pod, node) {
                Some(misfit) => vec![misfit],
                None => resources::misfits(pod, node, self.taken(key, pod, name(node)).as_deref()),
            };
            let misfits = if misfits.is_empty() {
                let among = || affinity::misfit(pod, node, &placed, &loners, &labels);
                spread.misfit(node).or_else(among).into_iter().collect()
            } else {
                misfits
            };
            if misfits.is_empty() {
                fitting.push(*node);
            } else {
                refusal.add(&misfits, self.deps.wording);
            }
        }
        match self.pick(pod, &nodes, &fitting, &placed) {
            Some(node) => {
                self.forget(key);
                self.bind(key, pod, &node)
            }
            None => {
                self.waiting.insert(key.clone());
                self.make_room(key, pod, &nodes, &refusal)
            }
        }
    }

    /// What is taken of a node for a pod: also by those that wait for it and are no less important.
    fn taken(&self, key: &Key, pod: &Value, node: &str) -> Option<Cow<'_, load::Node>> {
        let present = self.load.on(node);
        let others = self.promised.iter().filter(|(other, place)| *other != key && *place == node);
        let others: Vec<Arc<Stored>> = others
            .filter_map(|(other, _)| self.deps.get("pods", other))
            .filter(|other| preemption::priority(other.value()) >= preemption::priority(pod))
            .collect();
        if others.is_empty() {
            return present.map(Cow::Borrowed);
        }
        let mut all = present.cloned().unwrap_or_default();
        others.iter().for_each(|other| all.add(other.value()));
        Some(Cow::Owned(all))
    }

    /// Makes less important pods go, where that gives this one a place; tells why it has none in any case.
    fn make_room(
        &mut self,
        key: &Key,
        pod: &Value,
        nodes: &[&Value],
        refusal: &Refusal,
    ) -> Result<(), Status> {
        let message = refusal.message(self.deps.wording);
        if !refusal.is_curable() || !preemption::may(pod) || !self.are_less_important(pod) {
            return self.refuse(key, pod, &message);
        }
        let mut placed: HashMap<String, Vec<Arc<Stored>>> = HashMap::new();
        for other in self.deps.list("pods", None).into_iter().filter(|other| !pods::ended(other.value())) {
            placed.entry(text(&other.value()["spec"]["nodeName"]).to_owned()).or_default().push(other);
        }
        let promised = self.promised.get(key).and_then(|node| placed.get(node));
        if promised.is_some_and(|there| preemption::is_under_way(pod, there)) {
            return Ok(());
        }
        let around: Vec<(&Value, Vec<Arc<Stored>>)> =
            nodes.iter().map(|node| (*node, placed.remove(name(node)).unwrap_or_default())).collect();
        let Some(plan) = preemption::plan(pod, &around) else {
            return self.refuse(key, pod, &message);
        };
        for victim in &plan.victims {
            self.preempt(pod, victim.value(), &plan.node)?;
        }
        self.promised.insert(key.clone(), plan.node.clone());
        self.deps.edit_sub("pods", key, "status", |pod| {
            pod["status"]["nominatedNodeName"] = plan.node.as_str().into();
        })?;
        self.refuse(key, pod, &refusal.message_for_now())
    }

    /// Whether there can be pods that are less important than this one.
    fn are_less_important(&self, pod: &Value) -> bool {
        let classes = self.deps.list("priorityclasses.scheduling.k8s.io", None);
        let least = classes.iter().map(|class| class.value()["value"].as_i64().unwrap_or(0)).min();
        preemption::priority(pod) > least.unwrap_or(0).min(0)
    }

    fn preempt(&self, pod: &Value, victim: &Value, node: &str) -> Result<(), Status> {
        let message = format!("{NAME}: preempting to accommodate a higher priority pod");
        nodes::note_disruption(&self.deps, victim, "PreemptionByScheduler", &message);
        self.deps.delete("pods", victim)?;
        let values =
            [("namespace", namespace(pod)), ("name", name(pod)), ("uid", meta::uid(pod)), ("node", node)];
        self.deps.normal(victim, "Preempted", &fill(self.deps.wording.preempted, &values));
        Ok(())
    }

    /// A pod waits for nothing any more.
    fn forget(&mut self, key: &Key) {
        self.waiting.remove(key);
        self.promised.remove(key);
        self.backoffs.forget(key);
    }

    fn labels_of(&self, namespace: &str) -> Value {
        let found = self.deps.get("namespaces", &Key::new("", namespace));
        found.map(|namespace| namespace.value()["metadata"]["labels"].clone()).unwrap_or_default()
    }

    /// The pods that matter for where this one may run.
    fn around(&self, pod: &Value) -> Around {
        let read = |keys: &mut dyn Iterator<Item = &Key>| -> Vec<Arc<Stored>> {
            keys.filter_map(|key| self.deps.get("pods", key)).collect()
        };
        let curious = affinity::matters(pod) || spread::matters(pod);
        Around {
            placed: if curious { read(&mut self.load.placed()) } else { Vec::new() },
            loners: read(&mut self.load.loners()),
        }
    }

    /// The best of the fitting nodes; chance decides among equals.
    fn pick(
        &mut self,
        pod: &Value,
        nodes: &[&Value],
        fitting: &[&Value],
        placed: &[Placed],
    ) -> Option<String> {
        let owner = controller_of(pod).map(|r| text(&r["uid"])).unwrap_or_default();
        let soft = spread::Spread::of(pod, nodes, placed, false);
        let scores: Vec<score::Score> = fitting
            .iter()
            .map(|node| {
                score::of(pod, node, placed, &|n| self.labels_of(n), &soft, self.load.of(name(node), owner))
            })
            .collect();
        let least = scores.iter().min()?;
        let equals: Vec<&str> = fitting
            .iter()
            .zip(&scores)
            .filter(|(_, score)| *score == least)
            .map(|(node, _)| name(node))
            .collect();
        let chosen = if equals.len() > 1 { self.rng.random_range(0..equals.len()) } else { 0 };
        equals.get(chosen).map(|node| (*node).to_owned())
    }

    /// Which of the pods that wait have a new chance because of a change of a pod: all when one has left its place,
    /// those that look at others when one has got one.
    fn chances(&self, event: &Event) -> Chances {
        let deleted = event.change == crate::store::Change::Deleted;
        let placed =
            |pod: &Stored| !text(&pod.value()["spec"]["nodeName"]).is_empty() && !pods::ended(pod.value());
        let before = event.previous.as_deref().map_or(deleted && placed(&event.object), placed);
        match (before, !deleted && placed(&event.object)) {
            _ if self.waiting.is_empty() => Chances::Nobody,
            (true, false) => Chances::All,
            (false, true) => Chances::Curious,
            _ => Chances::Nobody,
        }
    }

    fn look_at_waiting(&self, chances: Chances, queue: &mut Queue) {
        let curious = |key: &&Key| {
            let pod = self.deps.get("pods", key);
            pod.is_some_and(|pod| affinity::matters(pod.value()) || spread::matters(pod.value()))
        };
        let mut waiting: Vec<&Key> = match chances {
            Chances::Nobody => return,
            Chances::Curious => self.waiting.iter().filter(curious).collect(),
            Chances::All => self.waiting.iter().collect(),
        };
        waiting.sort();
        waiting.into_iter().for_each(|key| queue.add(key.clone()));
    }

    fn bind(&self, key: &Key, pod: &Value, node: &str) -> Result<(), Status> {
        let now = self.deps.stamp();
        let scheduled = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now});
        let bound = self.deps.edit_sub("pods", key, "binding", |pod| {
            pod["spec"]["nodeName"] = node.into();
            if self.deps.release().since(CLEARS_NOMINATION)
                && let Some(status) = pod["status"].as_object_mut()
            {
                status.remove("nominatedNodeName");
            }
            set_scheduled(pod, &scheduled);
        })?;
        if condition(bound.value(), "PodScheduled").is_none_or(|c| c["status"] != "True") {
            self.deps.edit_sub("pods", key, "status", |pod| set_scheduled(pod, &scheduled))?;
        }
        let message = format!("Successfully assigned {}/{} to {node}", namespace(pod), name(pod));
        self.deps.normal(pod, "Scheduled", &message);
        Ok(())
    }

    fn refuse(&self, key: &Key, pod: &Value, message: &str) -> Result<(), Status> {
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
        self.deps.warning(pod, "FailedScheduling", message);
        Ok(())
    }
}

/// Which of the pods that wait are to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chances {
    Nobody,
    /// Those that want to be with other pods, or away from them.
    Curious,
    All,
}

/// Pods that run.
struct Around {
    placed: Vec<Arc<Stored>>,
    loners: Vec<Arc<Stored>>,
}

impl Around {
    fn placed<'a>(&'a self, nodes: &[&'a Value]) -> Vec<Placed<'a>> {
        on_nodes(&self.placed, nodes)
    }

    fn loners<'a>(&'a self, nodes: &[&'a Value]) -> Vec<Placed<'a>> {
        on_nodes(&self.loners, nodes)
    }
}

/// Each pod with its node; pods of nodes that have gone are nowhere.
fn on_nodes<'a>(pods: &'a [Arc<Stored>], nodes: &[&'a Value]) -> Vec<Placed<'a>> {
    let place = |pod: &'a Arc<Stored>| {
        let node = nodes.iter().find(|node| name(node) == text(&pod.value()["spec"]["nodeName"]))?;
        Some((pod.value(), *node))
    };
    pods.iter().filter_map(place).collect()
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
        && items(&pod["spec"]["schedulingGates"]).is_empty()
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
                    self.forget(&event.key);
                }
                self.look_at_waiting(self.chances(event), queue);
                if !deleting(pod) && spec_changed && wants_node(pod) {
                    queue.add(event.key.clone());
                }
            }
            "nodes" => {
                let node = event.object.value();
                let changed = event.previous.as_ref().is_none_or(|before| {
                    let before = before.value();
                    before["spec"] != node["spec"]
                        || before["metadata"]["labels"] != node["metadata"]["labels"]
                        || before["status"]["allocatable"] != node["status"]["allocatable"]
                });
                if changed {
                    self.look_at_waiting(Chances::All, queue);
                }
            }
            claims::RESOURCE if event.change != crate::store::Change::Deleted => {
                self.look_at_waiting(Chances::All, queue);
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let Some(stored) = self.deps.get("pods", key) else { return };
        if wants_node(stored.value()) {
            let now = context.clock.now();
            if let Some(rest) = self.backoffs.rest(key, now) {
                return self.timers.after(key, rest, context);
            }
            let outcome = self.schedule(key, stored.value());
            if self.waiting.contains(key) {
                self.backoffs.failed(key, now);
            }
            self.timers.outcome(key, &outcome, context);
        }
    }
}
