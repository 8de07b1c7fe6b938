//! What happened to one object at one revision.

use std::{collections::BTreeMap, sync::Arc};

use super::{Key, Stored};

/// What kind of change an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The object is new.
    Added,
    /// The object has a new version.
    Modified,
    /// The object is gone; the event holds its last state.
    Deleted,
}

/// One change.
#[derive(Clone, Debug)]
pub struct Event {
    /// The revision that the change made.
    pub revision: u64,
    /// The resource, for example `pods` or `deployments.apps`.
    pub resource: Arc<str>,
    /// Namespace and name.
    pub key: Key,
    /// What happened.
    pub change: Change,
    /// The object after the change (before it, for a deletion, but at the deletion's revision).
    pub object: Arc<Stored>,
    /// The object before the change.
    pub previous: Option<Arc<Stored>>,
}

impl Event {
    /// Takes the change back in a copy of the resource's objects.
    pub(super) fn undo(&self, objects: &mut BTreeMap<Key, Arc<Stored>>) {
        match &self.previous {
            Some(previous) => objects.insert(self.key.clone(), previous.clone()),
            None => objects.remove(&self.key),
        };
    }
}
