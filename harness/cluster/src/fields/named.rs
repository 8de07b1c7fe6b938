//! A set with the objects on the way: a manager of `spec.strategy.type` is one of `spec.strategy` too, where it is
//! about what to take away. Maps with arbitrary keys are not on the way.

use super::{
    set::FieldSet,
    shape::{Shape, Walk},
};

/// The set, and every declared field that has something of the set below it.
pub(crate) fn with_named(walk: Walk<'_>, shape: Shape<'_>, set: &FieldSet) -> FieldSet {
    let mut all = set.clone();
    extend(walk, shape, &mut all);
    all
}

fn extend(walk: Walk<'_>, shape: Shape<'_>, set: &mut FieldSet) {
    for (element, node) in &mut set.0 {
        if let Shape::Object(definition) = shape
            && let Some(name) = element.strip_prefix("f:")
            && walk.0.field(definition, name).is_some()
        {
            node.member = true;
        }
        extend(walk, walk.part(shape, element), &mut node.below);
    }
}
