//! The objects that a workload owns: which they are, whom a change of one concerns, and adopting and
//! releasing them as labels change.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;

use super::{
    deps::Deps,
    json::text,
    meta::{add_controller, controller_of, deleting, namespace, remove_owner, uid},
    ownership::{Owner, Ownership},
    selector::{self, selects},
};
use crate::{
    engine::Queue,
    store::{Event, Key, Stored},
};

/// A kind of workload and the kind of object it owns.
pub(crate) struct Children {
    parent: &'static str,
    parent_kind: &'static str,
    child: &'static str,
    ownership: Ownership,
}

impl Children {
    /// Those that a controller's workloads own; `parent` and `child` are resources.
    pub(crate) fn new(
        deps: &Deps,
        parent: &'static str,
        parent_kind: &'static str,
        child: &'static str,
    ) -> Self {
        Self { parent, parent_kind, child, ownership: deps.ownership.clone() }
    }

    /// Takes note of an event, and queues the workloads that it concerns.
    pub(crate) fn observe(&self, deps: &Deps, event: &Event, queue: &mut Queue) {
        if &*event.resource == self.parent {
            queue.add(event.key.clone());
        } else if &*event.resource == self.child {
            self.note(event);
            let namespace = &event.key.namespace;
            for object in std::iter::once(&event.object).chain(event.previous.as_ref()) {
                self.queue_owner(deps, namespace, object.value(), queue);
            }
        }
    }

    /// Takes note of an event of a child.
    pub(crate) fn note(&self, event: &Event) {
        self.ownership.observe(event);
    }

    fn queue_owner(&self, deps: &Deps, namespace: &str, child: &Value, queue: &mut Queue) {
        if let Some(owner) = controller_of(child) {
            if owner["kind"] == self.parent_kind {
                queue.add(Key::new(namespace, text(&owner["name"])));
            }
            return;
        }
        for parent in deps.list(self.parent, Some(namespace)) {
            if selects(&selector::of(parent.value()), &child["metadata"]["labels"]) {
                queue.add(parent.key().clone());
            }
        }
    }

    /// The children as they are stored now, without adopting or releasing any.
    pub(crate) fn of(&self, deps: &Deps, owner_uid: &str) -> Vec<Arc<Stored>> {
        self.read(deps, &Owner::Uid(owner_uid.to_owned()))
    }

    fn read(&self, deps: &Deps, owner: &Owner) -> Vec<Arc<Stored>> {
        let keys = self.ownership.keys(self.child, owner).into_iter();
        keys.filter_map(|key| deps.get(self.child, &key))
            .filter(|child| match owner {
                Owner::Uid(uid) => controller_of(child.value()).is_some_and(|r| r["uid"] == uid.as_str()),
                Owner::Nobody(_) => controller_of(child.value()).is_none(),
            })
            .collect()
    }

    /// The children of `parent` after it has taken those without an owner that it selects (and that
    /// `fits` accepts) and let go those that it no longer selects.
    pub(crate) fn claim(
        &self,
        deps: &Deps,
        parent: &Value,
        fits: impl Fn(&Value) -> bool,
    ) -> Vec<Arc<Stored>> {
        let mine = self.of(deps, uid(parent));
        if deleting(parent) {
            return mine;
        }
        let selector = selector::of(parent);
        let selected = |child: &Value| selects(&selector, &child["metadata"]["labels"]) && fits(child);
        let mut kept = Vec::new();
        for child in mine {
            if selected(child.value()) || deleting(child.value()) {
                kept.push(child);
            } else if let Err(error) =
                deps.edit(self.child, child.key(), |object| remove_owner(object, uid(parent)))
            {
                tracing::debug!(child = %child.key(), %error, "not released");
            }
        }
        for child in self.read(deps, &Owner::Nobody(namespace(parent).to_owned())) {
            if deleting(child.value()) || !selected(child.value()) {
                continue;
            }
            let adopted = deps.edit(self.child, child.key(), |object| {
                if controller_of(object).is_none() {
                    add_controller(object, parent);
                }
            });
            kept.extend(
                adopted.ok().filter(|c| controller_of(c.value()).is_some_and(|r| r["uid"] == uid(parent))),
            );
        }
        kept
    }
}

/// How long a pod has to be ready before it counts as available.
pub(crate) fn min_ready(workload: &Value) -> SignedDuration {
    SignedDuration::from_secs(super::json::int(&workload["spec"]["minReadySeconds"]))
}
