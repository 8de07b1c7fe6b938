//! Pods of nodes that have been removed, or never were there: nobody would ever end them, so they are removed as well.

use std::collections::HashSet;

use jiff::SignedDuration;

use crate::{
    controllers::{deps::Deps, json::text, nodes::note_disruption},
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key, Stored},
};

/// How long a node may be gone before its pods are: forty seconds, and a look every twenty.
const QUARANTINE: SignedDuration = SignedDuration::from_secs(50);

/// Removes the pods of removed nodes.
pub(crate) struct Orphans {
    deps: Deps,
    /// Nodes that have gone and have not been looked at since.
    gone: HashSet<Key>,
}

impl Orphans {
    /// A collector that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, gone: HashSet::new() }
    }

    fn collect(&self, node: &Key) {
        for pod in self.deps.pods_on(&node.name) {
            let pod = pod.value();
            note_disruption(&self.deps, pod, "DeletionByPodGC", "PodGC: node no longer exists");
            if let Err(status) = self.deps.delete_now("pods", pod) {
                tracing::debug!(%status, "orphaned pod not removed");
            }
        }
    }
}

impl Controller for Orphans {
    fn name(&self) -> &'static str {
        "pod-garbage-collector"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        let node = match &*event.resource {
            "nodes" if event.change == Change::Deleted => event.key.clone(),
            "pods" if event.change != Change::Deleted => {
                let on = |pod: &Stored| text(&pod.value()["spec"]["nodeName"]).to_owned();
                let node = Key::new("", on(&event.object));
                let is_news = event.previous.as_ref().is_none_or(|previous| on(previous) != node.name);
                if node.name.is_empty() || !is_news || self.deps.get("nodes", &node).is_some() {
                    return;
                }
                node
            }
            _ => return,
        };
        self.gone.insert(node.clone());
        queue.add(node);
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        if self.gone.remove(key) {
            context.again_at(key.clone(), context.clock.now() + QUARANTINE);
        } else if self.deps.get("nodes", key).is_none() {
            self.collect(key);
        }
    }
}
