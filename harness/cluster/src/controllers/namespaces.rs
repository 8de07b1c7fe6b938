//! The end of namespaces: what is in them is deleted, pods first, then they are let go.

mod left;

use jiff::SignedDuration;
use left::Left;

use super::{
    deps::Deps,
    json::time,
    meta::{deleting, name},
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const RESOURCE: &str = "namespaces";

/// How long after its deletion a namespace is looked at: a real controller gives other API servers the time to see it
/// (`namespaceDeletionGracePeriod`).
const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// Ends namespaces.
pub(crate) struct Namespaces {
    deps: Deps,
    timers: Timers,
}

impl Namespaces {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }

    fn end(&self, key: &Key) -> Result<(), Status> {
        let Some(namespace) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        if !deleting(namespace.value()) {
            return Ok(());
        }
        let mut left = Left::default();
        self.clear("pods", key, &mut left)?;
        if left.is_empty() {
            for resource in self.deps.resources() {
                self.clear(&resource, key, &mut left)?;
            }
        }
        if left.is_empty() { self.let_go(key) } else { self.tell(key, &left) }
    }

    /// Deletes the objects of a resource. Some take time to end.
    fn clear(&self, resource: &str, namespace: &Key, left: &mut Left) -> Result<(), Status> {
        for object in self.deps.list(resource, Some(&namespace.name)) {
            if !deleting(object.value()) {
                self.deps.delete(resource, object.value())?;
            }
        }
        for object in self.deps.list(resource, Some(&namespace.name)) {
            left.count(resource, object.value());
        }
        Ok(())
    }

    /// Says in the namespace's status what its end waits for.
    fn tell(&self, key: &Key, left: &Left) -> Result<(), Status> {
        let stamp = self.deps.stamp();
        let told = self.deps.edit_sub(RESOURCE, key, "status", |namespace| {
            left.tell(&mut namespace["status"], &stamp);
        });
        match told {
            Err(status) if status.code != 404 => Err(status),
            _ => Ok(()),
        }
    }

    fn let_go(&self, key: &Key) -> Result<(), Status> {
        let finalized = self.deps.edit_sub(RESOURCE, key, "finalize", |namespace| {
            if let Some(spec) = namespace["spec"].as_object_mut() {
                spec.remove("finalizers");
            }
        });
        match finalized {
            Err(status) if status.code != 404 => return Err(status),
            _ => {}
        }
        match self.deps.get(RESOURCE, key) {
            Some(namespace) if name(namespace.value()) == key.name => {
                self.deps.delete(RESOURCE, namespace.value())
            }
            _ => Ok(()),
        }
    }
}

impl Controller for Namespaces {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        if &*event.resource == RESOURCE {
            if event.change != Change::Deleted && deleting(event.object.value()) {
                queue.add(event.key.clone());
            }
        } else if !event.key.namespace.is_empty() && self.deps.namespace_ends(&event.key.namespace) {
            queue.add(Key::new("", &event.key.namespace));
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let namespace = self.deps.get(RESOURCE, key);
        let since = namespace
            .as_ref()
            .and_then(|namespace| time(&namespace.value()["metadata"]["deletionTimestamp"]));
        let Some(since) = since else { return };
        let due = since + GRACE;
        if due > context.clock.shown_now() {
            return self.timers.at_shown(key, due, context);
        }
        let outcome = self.end(key);
        self.timers.outcome(key, &outcome, context);
    }
}
