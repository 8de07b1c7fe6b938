//! Owners of objects that were made lately. Most objects are made like others, such as the pods of a workload: then their
//! owners are the same, and are neither found out nor written again.

use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::Value;

use super::{Entry, ManagedFields, Versions, Write, update::shape};
use crate::fields::alike;

/// How many objects are remembered.
const MANY: usize = 8;
/// How much text there may be in one, in bytes: large ones are seldom alike.
const LARGE: usize = 8 << 10;

/// What was made lately by those who wrote without owners before them.
#[derive(Debug, Default)]
pub struct Known(RwLock<Ring>);

#[derive(Debug, Default)]
struct Ring {
    all: Vec<One>,
    /// Which is forgotten next.
    next: usize,
}

#[derive(Debug)]
struct One {
    kind: String,
    object: Value,
    entry: Arc<Entry>,
}

impl One {
    fn fits(&self, versions: &dyn Versions, object: &Value, write: &Write) -> bool {
        self.kind == versions.kind() && self.entry.owner == write.owner && {
            let (walk, shape) = shape(versions, &write.owner.api_version);
            alike(walk, shape, &self.object, object)
        }
    }
}

impl Known {
    /// The owners of a new object that `write` makes; `find_out` does so when nothing like it was made lately.
    pub fn owners(
        &self,
        versions: &dyn Versions,
        object: &Value,
        write: &Write,
        find_out: impl FnOnce() -> ManagedFields,
    ) -> ManagedFields {
        // Of one that is written in another version the fields are those of that one.
        if object["apiVersion"] != write.owner.api_version.as_str() {
            return find_out();
        }
        let ring = self.0.read();
        let found = ring.all.iter().find(|one| one.fits(versions, object, write));
        let found = found.map(|one| one.entry.clone());
        drop(ring);
        let Some(entry) = found else {
            let owners = find_out();
            self.remember(versions, object, write, &owners);
            return owners;
        };
        if entry.is_written() && entry.seconds() == write.now.as_second() {
            return ManagedFields(vec![entry]);
        }
        let renewed = Entry::written(Entry { time: Some(write.now), ..Entry::clone(&entry) });
        let mut ring = self.0.write();
        if let Some(one) = ring.all.iter_mut().find(|one| Arc::ptr_eq(&one.entry, &entry)) {
            one.entry = renewed.clone();
        }
        ManagedFields(vec![renewed])
    }

    fn remember(&self, versions: &dyn Versions, object: &Value, write: &Write, owners: &ManagedFields) {
        let [entry] = owners.0.as_slice() else { return };
        if entry.owner != write.owner || text(object) > LARGE {
            return;
        }
        let one = One { kind: versions.kind().to_owned(), object: object.clone(), entry: entry.clone() };
        let mut ring = self.0.write();
        let Ring { all, next } = &mut *ring;
        match all.get_mut(*next) {
            Some(oldest) => *oldest = one,
            None => all.push(one),
        }
        *next = (*next + 1) % MANY;
    }
}

/// How much text is in a value.
fn text(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(text).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + text(value)).sum(),
        _ => 0,
    }
}
