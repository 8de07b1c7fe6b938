//! What runs on each node: how many pods, in all and of each owner, what they ask for, and which ports they hold.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::resources;
use crate::{
    api::quantity::Quantity,
    controllers::{json::text, meta::controller_of, pods},
    store::{Change, Event, Key},
};

/// The pods of every node, counted.
#[derive(Debug, Default)]
pub(super) struct Load {
    places: HashMap<Key, Place>,
    nodes: HashMap<String, Node>,
    of_owner: HashMap<(String, String), usize>,
    /// The pods that don't want to be with others.
    loners: HashSet<Key>,
}

/// Where a pod runs, and what it takes there.
#[derive(Clone, Debug)]
struct Place {
    node: String,
    owner: String,
    requests: BTreeMap<String, Quantity>,
    ports: Vec<String>,
}

/// What the pods of a node take together.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) pods: usize,
    pub(super) requested: BTreeMap<String, Quantity>,
    pub(super) ports: HashMap<String, usize>,
}

impl Node {
    /// Counts a pod, as if it ran here.
    pub(super) fn add(&mut self, pod: &Value) {
        self.enter(&Place::of(pod));
    }

    /// Counts a pod no more.
    pub(super) fn remove(&mut self, pod: &Value) {
        self.leave(&Place::of(pod));
    }

    fn enter(&mut self, place: &Place) {
        self.pods += 1;
        for (name, amount) in &place.requests {
            let sum = self.requested.entry(name.clone()).or_default();
            *sum = sum.plus(*amount);
        }
        place.ports.iter().for_each(|port| *self.ports.entry(port.clone()).or_default() += 1);
    }

    fn leave(&mut self, place: &Place) {
        self.pods = self.pods.saturating_sub(1);
        for (name, amount) in &place.requests {
            if let Some(sum) = self.requested.get_mut(name) {
                *sum = sum.minus(*amount);
            }
        }
        place.ports.iter().for_each(|port| decrease(&mut self.ports, port));
    }
}

impl Load {
    /// Follows a change of a pod.
    pub(super) fn observe(&mut self, event: &Event) {
        if let Some(place) = self.places.remove(&event.key) {
            self.leave(&place);
        }
        self.loners.remove(&event.key);
        let pod = event.object.value();
        if event.change == Change::Deleted || pods::ended(pod) {
            return;
        }
        if !text(&pod["spec"]["nodeName"]).is_empty() {
            let place = Place::of(pod);
            self.enter(&place);
            self.places.insert(event.key.clone(), place);
            if !super::affinity::required(pod, "podAntiAffinity").is_empty() {
                self.loners.insert(event.key.clone());
            }
        }
    }

    /// The pods on a node: those of this owner, then all.
    pub(super) fn of(&self, node: &str, owner: &str) -> (usize, usize) {
        let place = (node.to_owned(), owner.to_owned());
        let same = if owner.is_empty() { 0 } else { self.of_owner.get(&place).copied().unwrap_or(0) };
        (same, self.nodes.get(node).map_or(0, |node| node.pods))
    }

    /// What is taken of a node, if anything is.
    pub(super) fn on(&self, node: &str) -> Option<&Node> {
        self.nodes.get(node)
    }

    /// The pods that run somewhere.
    pub(super) fn placed(&self) -> impl Iterator<Item = &Key> {
        self.places.keys()
    }

    /// Those of them that don't want to be with others.
    pub(super) fn loners(&self) -> impl Iterator<Item = &Key> {
        self.loners.iter()
    }

    fn enter(&mut self, place: &Place) {
        self.nodes.entry(place.node.clone()).or_default().enter(place);
        *self.of_owner.entry((place.node.clone(), place.owner.clone())).or_default() += 1;
    }

    fn leave(&mut self, place: &Place) {
        if let Some(node) = self.nodes.get_mut(&place.node) {
            node.leave(place);
            if node.pods == 0 {
                self.nodes.remove(&place.node);
            }
        }
        decrease(&mut self.of_owner, &(place.node.clone(), place.owner.clone()));
    }
}

impl Place {
    fn of(pod: &Value) -> Self {
        let owner = controller_of(pod).map(|r| text(&r["uid"])).unwrap_or_default();
        Self {
            node: text(&pod["spec"]["nodeName"]).to_owned(),
            owner: owner.to_owned(),
            requests: resources::requests(pod),
            ports: resources::host_ports(pod),
        }
    }
}

fn decrease<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
