//! The entries of `managedFields`: one for each manager, operation, version and subresource.

use std::{cmp::Ordering, sync::Arc};

use jiff::Timestamp;
use pulldrill_clock::SignedDuration;

use crate::fields::FieldSet;

/// How a manager came to own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// It applied them.
    Apply,
    /// It wrote them in another way.
    Update,
}

/// Who owns fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The manager, for example `kubectl-create`.
    pub manager: String,
    /// How it wrote.
    pub operation: Operation,
    /// In which version it spoke of the object.
    pub api_version: String,
    /// Through which subresource; empty for the object itself.
    pub subresource: String,
}

impl Owner {
    /// Whether both are one manager. An applier is the same in every version.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }
}

/// What one manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The manager.
    pub owner: Owner,
    /// When it last changed something.
    pub time: Option<Timestamp>,
    /// Its fields.
    pub fields: FieldSet,
    /// Its JSON, when it is kept.
    pub(super) json: Kept,
}

/// JSON that is kept because many objects have it. It belongs to nothing but the entry that it was made from.
#[derive(Debug, Default)]
pub(super) struct Kept(pub(super) Option<Box<[u8]>>);

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}

impl Entry {
    /// The entry with its JSON, for many objects.
    pub(super) fn written(mut self) -> Arc<Self> {
        let mut json = Vec::new();
        self.write(&mut json);
        self.json = Kept(Some(json.into()));
        Arc::new(self)
    }

    pub(super) fn is_written(&self) -> bool {
        self.json.0.is_some()
    }

    /// The entry to be changed, for one object alone.
    fn own(entry: &mut Arc<Self>) -> &mut Self {
        let entry = Arc::make_mut(entry);
        entry.json = Kept::default();
        entry
    }

    pub(super) fn seconds(&self) -> i64 {
        self.time.map_or(0, Timestamp::as_second)
    }

    fn order(&self, other: &Self) -> Ordering {
        let key = |entry: &Self| (entry.owner.operation, entry.seconds());
        let text = |entry: &Self| {
            let Owner { manager, api_version, subresource, .. } = &entry.owner;
            [manager.clone(), api_version.clone(), subresource.clone()]
        };
        key(self).cmp(&key(other)).then_with(|| text(self).cmp(&text(other)))
    }
}

/// The owners of an object's fields. Versions of an object share the entries that did not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedFields(pub(super) Vec<Arc<Entry>>);

impl ManagedFields {
    /// Whether nobody owns anything: then writes other than applies are not recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much memory they take, with their JSON: an estimate, in bytes.
    pub(crate) fn weight(&self) -> usize {
        // Beside the set: the entry itself, and in the JSON the names of its fields.
        self.entries().map(|entry| size_of::<Entry>() + 256 + entry.fields.weight()).sum()
    }

    /// The entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().map(|entry| &**entry)
    }

    pub(super) fn of(&self, owner: &Owner) -> Option<&Entry> {
        self.entries().find(|entry| entry.owner.is(owner))
    }

    /// Gives an owner a set, and a time; an empty set removes it.
    pub(super) fn set(&mut self, owner: Owner, fields: FieldSet, time: Option<Timestamp>) {
        self.0.retain(|entry| !entry.owner.is(&owner));
        if !fields.is_empty() {
            self.0.push(Arc::new(Entry { owner, time, fields, json: Kept::default() }));
        }
    }

    /// Changes the sets of some owners; those that become empty vanish.
    pub(super) fn change(&mut self, mut change: impl FnMut(&Entry) -> Option<FieldSet>) {
        self.0.retain_mut(|entry| {
            if let Some(fields) = change(entry) {
                Entry::own(entry).fields = fields;
            }
            !entry.fields.is_empty()
        });
    }

    /// Brings the entries into the order in which the API shows them.
    pub(super) fn sort(&mut self) {
        self.0.sort_by(|a, b| a.order(b));
    }

    /// Whether the owners own the same, whenever they got it.
    #[must_use]
    pub fn same_but_times(&self, other: &Self) -> bool {
        let without = |entry: &Entry| (entry.owner.clone(), entry.fields.clone());
        self.0.len() == other.0.len()
            && self.entries().all(|entry| {
                other
                    .of(&entry.owner)
                    .is_some_and(|twin| std::ptr::eq(twin, entry) || without(twin) == without(entry))
            })
    }

    /// Moves all times into the past.
    pub(crate) fn shift_times(&mut self, by: SignedDuration) {
        for entry in &mut self.0 {
            let entry = Entry::own(entry);
            entry.time = entry.time.and_then(|time| time.checked_sub(by).ok());
        }
    }
}
