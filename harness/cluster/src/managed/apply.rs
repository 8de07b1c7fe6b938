//! What an apply does to an object and its owners: the applied fields are the manager's, alone or with others who
//! want the same; those that it no longer applies go, if they were only its own.

use serde_json::{Value, json};
use thiserror::Error;

use super::{
    Conflicts, ManagedFields, Operation, Owner, Write, last_applied,
    prune::prune,
    update::{Change, Versions, shape, unowned, update},
};
use crate::{
    fields::{Comparison, FieldSet, collect},
    patch::{self, PatchError},
};

/// Who owns the fields of an object that had no owners before the first apply.
const BEFORE: &str = "before-first-apply";

/// An object after an apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object, before defaults; the live one if the apply changes nothing.
    pub object: Value,
    /// Its owners.
    pub managed: ManagedFields,
}

/// An object can't be applied.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// Others own fields that would change.
    #[error("{}", .0.message())]
    Conflict(Conflicts),
    /// The applied object is not one of its kind.
    #[error(transparent)]
    Patch(#[from] PatchError),
}

/// Applies an object to a live one, which has no fields when there is none yet. With `force`, other owners lose
/// what would change.
///
/// # Errors
/// When the object is not one of its kind, or others own what would change.
pub fn apply(
    versions: &dyn Versions,
    live: &Value,
    applied: &Value,
    mut managed: ManagedFields,
    write: &Write,
    force: bool,
) -> Result<Applied, ApplyError> {
    let owner = &write.owner;
    let (walk, shape) = shape(versions, &owner.api_version);
    if managed.is_empty() {
        let before = Owner { manager: BEFORE.into(), operation: Operation::Update, ..owner.clone() };
        let nothing = json!({"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": {}});
        managed = update(versions, &nothing, live, managed, &Write { owner: before, ..write.clone() });
    }
    let at_version = versions.at(&owner.api_version, live).ok_or(PatchError::Rejected)?;
    let merged = patch::apply(versions.schema(), &at_version, applied)?;
    let mut set = collect(walk, shape, applied);
    set.subtract_all(&write.ignored);
    let previous = managed.of(owner).cloned();
    let last = previous.as_ref().map(|entry| entry.fields.clone()).unwrap_or_default();

    let mut owned = set.clone();
    managed.entries().filter(|entry| !entry.owner.is(owner)).for_each(|entry| owned.unite(&entry.fields));
    let object = prune(walk, shape, &merged, &last, &owned);
    drop(at_version);

    let mut change = Change::new(versions, live, &object, &write.ignored);
    let conflicts = conflicts(&mut change, &managed, owner);
    if !force && !conflicts.is_empty() {
        let allowed = last_applied::allowed(versions, &owner.manager, live, &owner.api_version);
        let left = conflicts.without(&allowed);
        if !left.is_empty() {
            return Err(ApplyError::Conflict(left));
        }
    }
    change.take_over(&mut managed, owner);
    let same = change.at(&owner.api_version).is_some_and(Comparison::is_same);
    set.subtract(unowned());
    let time = if same { previous.and_then(|entry| entry.time) } else { Some(write.now) };
    managed.set(owner.clone(), set, time);
    managed.sort();
    let mut object = if same { live.clone() } else { object };
    last_applied::keep(&owner.manager, &mut object, applied);
    Ok(Applied { object, managed })
}

fn conflicts(change: &mut Change<'_>, managed: &ManagedFields, owner: &Owner) -> Conflicts {
    let mut all = Vec::new();
    for entry in managed.entries().filter(|entry| !entry.owner.is(owner)) {
        let Some(comparison) = change.at(&entry.owner.api_version) else { continue };
        let fields: FieldSet = entry.fields.intersection(&comparison.set());
        if !fields.is_empty() {
            all.push((entry.owner.clone(), fields));
        }
    }
    Conflicts(all)
}
