//! What a write other than an apply does to the owners: whoever changes a field owns it alone.

use std::{borrow::Cow, sync::LazyLock};

use jiff::Timestamp;
use serde_json::Value;

use super::{ManagedFields, Owner, cap::cap};
use crate::{
    fields::{Comparison, FieldSet, Shape, Walk, compare},
    schema::Schema,
};

/// How objects look in the versions that managers speak.
pub trait Versions {
    /// The table of types.
    fn schema(&self) -> &Schema;

    /// The kind, which all versions share.
    fn kind(&self) -> &str;

    /// An object, of whatever version, at a version; nothing if there is no such version (any more).
    fn at<'v>(&self, api_version: &str, object: &'v Value) -> Option<Cow<'v, Value>>;
}

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// Who writes.
    pub owner: Owner,
    /// When.
    pub now: Timestamp,
    /// What writes through this subresource can't change.
    pub ignored: FieldSet,
}

pub(super) fn shape<'v>(versions: &'v dyn Versions, api_version: &str) -> (Walk<'v>, Shape<'v>) {
    let walk = Walk(versions.schema());
    (walk, walk.root(api_version, versions.kind()))
}

/// Two versions of an object, compared as often as managers speak other versions of its kind.
pub(super) struct Change<'a> {
    versions: &'a dyn Versions,
    old: &'a Value,
    new: &'a Value,
    ignored: &'a FieldSet,
    done: Vec<(String, Option<Comparison>)>,
}

impl<'a> Change<'a> {
    pub(super) fn new(
        versions: &'a dyn Versions,
        old: &'a Value,
        new: &'a Value,
        ignored: &'a FieldSet,
    ) -> Self {
        Self { versions, old, new, ignored, done: Vec::new() }
    }

    pub(super) fn at(&mut self, api_version: &str) -> Option<&Comparison> {
        let at = match self.done.iter().position(|(version, _)| version == api_version) {
            Some(at) => at,
            None => {
                let comparison = self.compare(api_version);
                self.done.push((api_version.to_owned(), comparison));
                self.done.len() - 1
            }
        };
        self.done[at].1.as_ref()
    }

    /// The comparison at a version that it was compared at.
    fn into_own(self, api_version: &str) -> Comparison {
        let own = self.done.into_iter().find(|(version, _)| version == api_version);
        own.and_then(|(_, comparison)| comparison).unwrap_or_default()
    }

    fn compare(&self, api_version: &str) -> Option<Comparison> {
        let (walk, shape) = shape(self.versions, api_version);
        let old = self.versions.at(api_version, self.old)?;
        let new = self.versions.at(api_version, self.new)?;
        Some(compare(walk, shape, &old, &new).without(self.ignored))
    }

    /// Takes from all owners but one what changed. An owner that speaks a version that is no more goes.
    pub(super) fn take_over(&mut self, managed: &mut ManagedFields, winner: &Owner) {
        managed.change(|entry| {
            if entry.owner.is(winner) {
                return None;
            }
            let Some(comparison) = self.at(&entry.owner.api_version) else {
                return Some(FieldSet::default());
            };
            let lost = [&comparison.modified, &comparison.added, &comparison.removed];
            if lost.iter().all(|set| entry.fields.intersection(set).is_empty()) {
                return None;
            }
            let mut fields = entry.fields.clone();
            lost.into_iter().for_each(|set| fields.subtract(set));
            Some(fields)
        });
    }
}

/// The owners after a write that made `new` of `old`; `old` has no fields when the object is new.
#[must_use]
pub fn update(
    versions: &dyn Versions,
    old: &Value,
    new: &Value,
    mut managed: ManagedFields,
    write: &Write,
) -> ManagedFields {
    let mut change = Change::new(versions, old, new, &write.ignored);
    if change.at(&write.owner.api_version).is_none_or(Comparison::is_same) {
        return managed;
    }
    change.take_over(&mut managed, &write.owner);
    let Comparison { added: mut set, modified, removed } = change.into_own(&write.owner.api_version);
    set.unite(&modified);
    set.subtract(unowned());
    let (fields, time) = match managed.of(&write.owner) {
        Some(before) => {
            let time = if set.is_empty() { before.time } else { Some(write.now) };
            let mut fields = before.fields.clone();
            fields.subtract(&removed);
            fields.unite(&set);
            (fields, time)
        }
        None => (set, Some(write.now)),
    };
    managed.set(write.owner.clone(), fields, time);
    cap(&mut managed);
    managed.sort();
    managed
}

/// What nobody owns: identity, and what the server counts.
pub(super) fn unowned() -> &'static FieldSet {
    static UNOWNED: LazyLock<FieldSet> = LazyLock::new(|| {
        const META: [&str; 8] = [
            "creationTimestamp",
            "generation",
            "managedFields",
            "name",
            "namespace",
            "resourceVersion",
            "selfLink",
            "uid",
        ];
        let paths = META.map(|field| ["metadata", field]);
        let mut all: Vec<&[&str]> = vec![&["apiVersion"], &["kind"], &["metadata"]];
        all.extend(paths.iter().map(|path| &path[..]));
        FieldSet::of_names(&all)
    });
    &UNOWNED
}
