//! An object without some of its fields.

use serde_json::{Map, Value};

use super::{
    element,
    set::FieldSet,
    shape::{Shape, Walk},
};

/// The value without the paths of a set and all that is below them. What becomes empty becomes null.
pub(crate) fn remove(walk: Walk<'_>, shape: Shape<'_>, value: &Value, set: &FieldSet) -> Value {
    let shape = shape.settled([Some(value), None]);
    match (shape, value) {
        (Shape::Leaf, _) => value.clone(),
        (_, Value::Object(fields)) => {
            let mut kept = Map::new();
            for (name, value) in fields {
                let declared = walk.declared(shape, name);
                match set.get(&element::field(name, declared)) {
                    Some(node) if node.member => {}
                    Some(node) => {
                        let rest = remove(walk, walk.entry(shape, declared), value, &node.below);
                        kept.insert(name.clone(), rest);
                    }
                    None => drop(kept.insert(name.clone(), value.clone())),
                }
            }
            if kept.is_empty() { Value::Null } else { kept.into() }
        }
        (_, Value::Array(items)) => {
            let mut kept = Vec::new();
            for item in items {
                match set.get(&walk.item(shape, item)) {
                    Some(node) if node.member => {}
                    Some(node) => kept.push(remove(walk, walk.items(shape), item, &node.below)),
                    None => kept.push(item.clone()),
                }
            }
            if kept.is_empty() { Value::Null } else { kept.into() }
        }
        _ => value.clone(),
    }
}
