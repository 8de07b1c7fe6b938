//! Which fields an object has: what a manager that applies it will own.

use serde_json::Value;

use super::{
    element,
    set::{FieldSet, Node},
    shape::{Shape, Walk},
};

/// All fields of a value.
pub(crate) fn collect(walk: Walk<'_>, shape: Shape<'_>, value: &Value) -> FieldSet {
    node(walk, shape, value).below
}

fn node(walk: Walk<'_>, shape: Shape<'_>, value: &Value) -> Node {
    let shape = shape.settled([Some(value), None]);
    let mut below = FieldSet::default();
    match (shape, value) {
        (Shape::Leaf, _) => return Node::leaf(),
        (_, Value::Object(fields)) => {
            for (name, value) in fields {
                let declared = walk.declared(shape, name);
                let mut part = node(walk, walk.entry(shape, declared), value);
                let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
                part.member |= empty || !matches!(shape, Shape::Object(_));
                below.put(|| element::field(name, declared), part);
            }
        }
        (_, Value::Array(items)) => {
            for item in items {
                let mut part = node(walk, walk.items(shape), item);
                part.member = true;
                below.put(|| walk.item(shape, item), part);
            }
        }
        _ => {}
    }
    Node { member: false, below }
}
