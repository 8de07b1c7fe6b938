//! How many pods run on each node, in all and of each owner.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    controllers::{json::text, meta::controller_of, pods},
    store::{Change, Event, Key},
};

/// The pods of every node, counted.
#[derive(Debug, Default)]
pub(super) struct Load {
    places: HashMap<Key, Place>,
    pods: HashMap<String, usize>,
    of_owner: HashMap<Place, usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    node: String,
    owner: String,
}

impl Load {
    /// Follows a change of a pod.
    pub(super) fn observe(&mut self, event: &Event) {
        if let Some(place) = self.places.remove(&event.key) {
            decrease(&mut self.pods, &place.node);
            decrease(&mut self.of_owner, &place);
        }
        let pod = event.object.value();
        if event.change == Change::Deleted || pods::ended(pod) {
            return;
        }
        if let Some(place) = place_of(pod) {
            *self.pods.entry(place.node.clone()).or_default() += 1;
            *self.of_owner.entry(place.clone()).or_default() += 1;
            self.places.insert(event.key.clone(), place);
        }
    }

    /// The pods on a node: those of this owner, then all.
    pub(super) fn of(&self, node: &str, owner: &str) -> (usize, usize) {
        let place = Place { node: node.to_owned(), owner: owner.to_owned() };
        let same = if owner.is_empty() { 0 } else { self.of_owner.get(&place).copied().unwrap_or(0) };
        (same, self.pods.get(node).copied().unwrap_or(0))
    }
}

fn place_of(pod: &Value) -> Option<Place> {
    let node = text(&pod["spec"]["nodeName"]);
    let owner = controller_of(pod).map(|r| text(&r["uid"])).unwrap_or_default();
    (!node.is_empty()).then(|| Place { node: node.to_owned(), owner: owner.to_owned() })
}

fn decrease<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
