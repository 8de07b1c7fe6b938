//! DaemonSets: one pod on every node that takes it, replaced a few at a time.

mod pod;
mod status;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    children::{Children, min_ready},
    deps::Deps,
    json::{int, text},
    meta::{deleting, name},
    pods,
    replicaset::{create_pod_from, delete_pod},
    revisions::{self, Revisions},
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    scheduler::fit::{Misfit, misfit},
    store::{Event, Key},
};

const RESOURCE: &str = "daemonsets.apps";

/// Keeps DaemonSets.
pub(crate) struct DaemonSets {
    deps: Deps,
    pods: Children,
    revisions: Children,
    timers: Timers,
}

impl DaemonSets {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self {
            pods: Children::new(&deps, RESOURCE, "DaemonSet", "pods"),
            revisions: Children::new(&deps, RESOURCE, "DaemonSet", revisions::RESOURCE),
            deps,
            timers: Timers::default(),
        }
    }

    fn sync(&mut self, key: &Key, context: &Context) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        let set = stored.value();
        if deleting(set) {
            return Ok(());
        }
        let claimed = self.pods.claim(&self.deps, set, |_| true);
        let revisions = Revisions::settle(&self.deps, &self.revisions, set)?;
        let hash = revisions::hash_of(revisions.update(), set).to_owned();
        let mut view = View { deps: &self.deps, set, hash, nodes: BTreeMap::new() };
        for node in self.deps.list("nodes", None) {
            let wanted = wanted_on(set, node.value());
            view.nodes.insert(name(node.value()).to_owned(), Place { wanted, pods: Vec::new() });
        }
        for pod in &claimed {
            if let Some(place) = view.nodes.get_mut(pod::node_of(pod.value())) {
                place.pods.push(pod.value().clone());
            }
        }
        // Of several pods on a node the oldest counts.
        for place in view.nodes.values_mut() {
            place.pods.sort_by(|a, b| {
                text(&a["metadata"]["creationTimestamp"]).cmp(text(&b["metadata"]["creationTimestamp"]))
            });
        }
        let changed = view.manage().and_then(|moved| if moved { Ok(()) } else { view.roll() });
        self.deps.write_status(RESOURCE, key, &view.status())?;
        changed?;
        let hashes = claimed.iter().map(|p| &p.value()["metadata"]["labels"][revisions::HASH_LABEL]);
        let used = hashes.map(|hash| format!("{}-{}", name(set), text(hash))).collect();
        revisions.forget_old(&self.deps, set, &used)?;
        let all = claimed.iter().map(|pod| pod.value());
        if let Some(at) = pods::next_available(all, min_ready(set), self.deps.now()) {
            self.timers.at_shown(key, at, context);
        }
        Ok(())
    }
}

impl Controller for DaemonSets {
    fn name(&self) -> &'static str {
        "daemonset-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        self.pods.observe(&self.deps, event, queue);
        self.revisions.observe(&self.deps, event, queue);
        let placing = |node: &Value| (node["spec"].clone(), node["metadata"]["labels"].clone());
        let before = event.previous.as_ref().map(|node| placing(node.value()));
        if &*event.resource == "nodes" && before != Some(placing(event.object.value())) {
            self.deps.list(RESOURCE, None).iter().for_each(|set| queue.add(set.key().clone()));
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key, context);
        self.timers.outcome(key, &outcome, context);
    }
}

/// One look at one DaemonSet.
struct View<'a> {
    deps: &'a Deps,
    set: &'a Value,
    /// The hash of the present template.
    hash: String,
    nodes: BTreeMap<String, Place>,
}

/// A node, and the pods that the set has there.
struct Place {
    wanted: Wanted,
    pods: Vec<Value>,
}

/// Whether the set wants a pod on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Yes,
    /// Not a new one, but one that runs may stay.
    Stay,
    No,
}

fn wanted_on(set: &Value, node: &Value) -> Wanted {
    let probe = pod::on_node(set, name(node), "");
    match misfit(&probe, node) {
        None => Wanted::Yes,
        Some(Misfit::Taint { no_execute: false, .. }) => Wanted::Stay,
        Some(_) => Wanted::No,
    }
}

impl View<'_> {
    /// Makes pods where they are missing and deletes those that should not be. True when it did something.
    fn manage(&self) -> Result<bool, Status> {
        let mut moved = false;
        for (node, place) in &self.nodes {
            for pod in place.pods.iter().filter(|pod| !deleting(pod)) {
                if pods::ended(pod) {
                    let message = format!(
                        "Found failed daemon pod {} on node {node}, will try to kill it",
                        key_of(pod)
                    );
                    self.deps.warning(self.set, "FailedDaemonPod", &message);
                }
                if pods::ended(pod) || place.wanted == Wanted::No {
                    delete_pod(self.deps, self.set, pod)?;
                    moved = true;
                }
            }
            if place.wanted == Wanted::Yes && place.pods.is_empty() {
                create_pod_from(self.deps, self.set, pod::on_node(self.set, node, &self.hash))?;
                moved = true;
            }
        }
        Ok(moved)
    }

    /// Deletes pods of old templates: broken ones at once, others as far as the rest is available.
    fn roll(&self) -> Result<(), Status> {
        if self.set["spec"]["updateStrategy"]["type"] == "OnDelete" {
            return Ok(());
        }
        let surge = self.most("maxSurge", 0);
        if surge > 0 {
            return self.surge(surge);
        }
        let (mut unavailable, mut broken, mut spare) = (0, Vec::new(), Vec::new());
        for place in self.nodes.values().filter(|place| place.wanted != Wanted::No) {
            let Some(pod) = place.pods.first() else {
                unavailable += 1;
                continue;
            };
            let works = self.available(pod) && !deleting(pod);
            unavailable += i64::from(!works);
            if self.is_old(pod) && !deleting(pod) {
                if works { spare.push(pod) } else { broken.push(pod) }
            }
        }
        let room = usize::try_from(self.most("maxUnavailable", 1) - unavailable).unwrap_or(0);
        broken
            .into_iter()
            .chain(spare.into_iter().take(room))
            .try_for_each(|pod| delete_pod(self.deps, self.set, pod))
    }

    /// Makes new pods beside old ones, on so many nodes at a time; an old one goes when the new one is available.
    fn surge(&self, most: i64) -> Result<(), Status> {
        let (mut surging, mut broken, mut candidates) = (0, Vec::new(), Vec::new());
        for (node, place) in self.nodes.iter().filter(|(_, place)| place.wanted == Wanted::Yes) {
            let alive = place.pods.iter().filter(|pod| !deleting(pod));
            let (mut olds, news): (Vec<&Value>, Vec<&Value>) = alive.partition(|pod| self.is_old(pod));
            // Of several that are old, as after a change in the middle of one, the best stays for now.
            olds.sort_by_key(|pod| !self.available(pod));
            for superfluous in olds.iter().skip(1) {
                delete_pod(self.deps, self.set, superfluous)?;
            }
            match (olds.first(), news.first()) {
                (Some(old), Some(new)) if self.available(new) => delete_pod(self.deps, self.set, old)?,
                (Some(_), Some(_)) => surging += 1,
                (Some(old), None) if self.available(old) => candidates.push(node),
                (Some(_), None) => broken.push(node),
                (None, _) => {}
            }
        }
        let room = usize::try_from(most - surging).unwrap_or(0);
        for node in broken.into_iter().chain(candidates.into_iter().take(room)) {
            create_pod_from(self.deps, self.set, pod::on_node(self.set, node, &self.hash))?;
        }
        Ok(())
    }

    /// How many nodes a bound of the strategy means.
    fn most(&self, bound: &str, default: i64) -> i64 {
        let nodes = self.nodes.values().filter(|place| place.wanted == Wanted::Yes).count() as i64;
        match &self.set["spec"]["updateStrategy"]["rollingUpdate"][bound] {
            Value::String(percent) => {
                let percent = percent.trim_end_matches('%').parse::<i64>().unwrap_or(0);
                (percent * nodes + 99) / 100
            }
            Value::Number(number) => number.as_i64().unwrap_or(default),
            _ => default,
        }
    }

    fn is_old(&self, pod: &Value) -> bool {
        pod["metadata"]["labels"][revisions::HASH_LABEL] != self.hash.as_str()
    }

    fn available(&self, pod: &Value) -> bool {
        pods::available(pod, min_ready(self.set), self.deps.now())
    }
}

fn key_of(pod: &Value) -> Key {
    Key::of(pod)
}

/// The number of the template that pods are labelled with, where the API keeps one.
fn template_generation(set: &Value) -> String {
    match super::meta::annotation(set, "deprecated.daemonset.template.generation") {
        "" => int(&set["metadata"]["generation"]).max(1).to_string(),
        kept => kept.to_owned(),
    }
}
