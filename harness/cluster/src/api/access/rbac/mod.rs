//! Roles and their bindings: who may what, as the objects in the store say.
//!
//! [`Policy`] keeps an index of them that follows the store: a question takes in what has been written since
//! the last one, so nobody ever waits for it, and no right outlives the answer to the deletion of its role.

mod aggregate;
mod covers;
mod index;
mod rule;

use std::collections::BTreeSet;

pub(crate) use aggregate::aggregated;
pub(in crate::api) use covers::missing;
use index::{CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, Index, ROLE_BINDINGS, ROLES};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub(in crate::api) use rule::Rule;

use super::Attributes;
use crate::{
    api::User,
    store::{Key, Store, StoreError},
};

/// What the index is made from.
const RESOURCES: [&str; 4] = [CLUSTER_ROLES, ROLES, CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS];

/// What roles say about a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opinion {
    /// Whether one grants it.
    pub(super) allowed: bool,
    /// Which one does, or what is wrong with the bindings.
    pub(super) reason: String,
}

/// All that somebody may do in a namespace.
#[derive(Debug, Default)]
pub(super) struct Rights {
    pub(super) rules: Vec<Rule>,
    /// What is wrong with the bindings.
    pub(super) errors: Vec<String>,
}

/// The roles and bindings of one store, ready for questions.
#[derive(Debug, Default)]
pub(in crate::api) struct Policy(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    index: Index,
    /// Everything up to this revision is in the index; zero: nothing is.
    seen: u64,
}

impl Policy {
    /// Whether a role grants what is wanted.
    pub(super) fn opinion(&self, store: &Store, user: &User, wanted: &Attributes<'_>) -> Opinion {
        let state = self.current(store);
        let mut errors = BTreeSet::new();
        for held in state.index.held(user, wanted.namespace) {
            let Some(rules) = held.rules else {
                errors.insert(held.missing());
                continue;
            };
            if rules.iter().any(|rule| rule.allows(wanted)) {
                return Opinion { allowed: true, reason: format!("RBAC: allowed by {held}") };
            }
        }
        let reason = match aggregate(errors) {
            errors if errors.is_empty() => errors,
            errors => format!("RBAC: {errors}"),
        };
        Opinion { allowed: false, reason }
    }

    /// All rules that apply to a user in a namespace (empty: at the cluster scope).
    pub(super) fn rights(&self, store: &Store, user: &User, namespace: &str) -> Rights {
        let state = self.current(store);
        let mut rights = Rights::default();
        for held in state.index.held(user, namespace) {
            match held.rules {
                Some(rules) => rights.rules.extend(rules.iter().cloned()),
                None => rights.errors.push(held.missing()),
            }
        }
        rights
    }

    /// The rules of a role, if there is one of that name (and namespace; none for a ClusterRole).
    pub(super) fn role(&self, store: &Store, role: &Key) -> Option<Vec<Rule>> {
        self.current(store).index.rules(role).map(|rules| rules.to_vec())
    }

    /// The index as of now.
    fn current(&self, store: &Store) -> RwLockReadGuard<'_, State> {
        let changed = store.changed(&RESOURCES);
        let state = self.0.read();
        if state.seen >= changed {
            return state;
        }
        drop(state);
        let mut state = self.0.write();
        state.catch_up(store);
        RwLockWriteGuard::downgrade(state)
    }
}

impl State {
    /// Takes in everything that the store has.
    fn catch_up(&mut self, store: &Store) {
        if self.seen == 0 || self.follow(store).is_err() {
            // The objects may be newer than this revision: what happened since is then taken in twice, in order.
            let seen = store.revision();
            self.index = Index::default();
            for resource in RESOURCES {
                store.list(resource, None).0.iter().for_each(|object| self.index.set(resource, object));
            }
            self.seen = seen;
            let _compacted_since = self.follow(store);
        }
    }

    fn follow(&mut self, store: &Store) -> Result<(), StoreError> {
        let (events, seen) = store.events_of(&RESOURCES, self.seen)?;
        events.iter().for_each(|event| self.index.follow(event));
        self.seen = seen;
        Ok(())
    }
}

/// Several errors as one text.
pub(super) fn aggregate(errors: BTreeSet<String>) -> String {
    let errors: Vec<String> = errors.into_iter().collect();
    match errors.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

#[cfg(test)]
mod tests;
