//! What goes when a manager applies less than before: the fields that it owned, if nobody else owns them and
//! they are not part of something that somebody put there.

use serde_json::Value;

use crate::fields::{FieldSet, Shape, Walk, collect, remove, with_named};

/// The merged object without what was only in the last applied set. `owned` is what all managers own after this
/// apply, the applying one included.
pub(super) fn prune(
    walk: Walk<'_>,
    shape: Shape<'_>,
    merged: &Value,
    last: &FieldSet,
    owned: &FieldSet,
) -> Value {
    if last.is_empty() {
        return merged.clone();
    }
    let named = |set: &FieldSet| with_named(walk, shape, set);
    let fields = |object: &Value| named(&collect(walk, shape, object));
    let (last, present) = (named(last), fields(merged));

    let pruned = remove(walk, shape, merged, &last);
    // Taking away an object took away what others own in it: go on from what is neither left nor owned.
    let mut gone = present.clone();
    gone.subtract(&fields(&pruned));
    gone.subtract(&named(owned));
    let pruned = remove(walk, shape, merged, &gone);
    // And what nobody owns stays, unless it was in the last set.
    let mut gone = present;
    gone.subtract(&fields(&pruned));
    remove(walk, shape, merged, &gone.intersection(&last))
}
