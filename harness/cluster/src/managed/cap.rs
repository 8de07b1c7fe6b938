//! At most ten managers that updated an object are remembered one by one; the oldest beyond that become one.

use super::{ManagedFields, Operation, Owner};

/// How many managers that updated are kept.
const MOST: usize = 10;

/// Who owns what older managers owned.
const ANCIENT: &str = "ancient-changes";

pub(super) fn cap(managed: &mut ManagedFields) {
    let updates = |managed: &ManagedFields| {
        managed.entries().filter(|entry| entry.owner.operation == Operation::Update).count()
    };
    let mut count = updates(managed);
    if count <= MOST {
        return;
    }
    let mut oldest: Vec<_> =
        managed.entries().filter(|entry| entry.owner.operation == Operation::Update).cloned().collect();
    oldest.sort_by(|a, b| {
        let text =
            |owner: &Owner| (owner.manager.clone(), owner.api_version.clone(), owner.subresource.clone());
        a.seconds().cmp(&b.seconds()).then_with(|| text(&a.owner).cmp(&text(&b.owner)))
    });
    let mut firsts: Vec<Owner> = Vec::new();
    for entry in oldest {
        if count <= MOST {
            return;
        }
        let Some(first) = firsts.iter().find(|first| first.api_version == entry.owner.api_version) else {
            firsts.push(entry.owner);
            continue;
        };
        // The first one of a version becomes the bucket when a second one comes.
        let bucket = Owner {
            manager: ANCIENT.into(),
            operation: Operation::Update,
            api_version: first.api_version.clone(),
            subresource: String::new(),
        };
        let mut fields = entry.fields.clone();
        for owner in [&bucket, first] {
            if let Some(present) = managed.of(owner) {
                fields.unite(&present.fields);
            }
        }
        managed.set(first.clone(), crate::fields::FieldSet::default(), None);
        managed.set(entry.owner.clone(), crate::fields::FieldSet::default(), None);
        managed.set(bucket, fields, entry.time);
        count = updates(managed);
    }
}
