//! Whether two objects have the same fields, whatever their values are: then whoever makes either of them owns the same.

use serde_json::Value;

use super::shape::{Shape, Walk};
use crate::schema::is_zero;

/// Whether [`compare`](super::compare()) finds the same fields in both when the older version has none. It may say no
/// though they are the same.
pub(crate) fn alike(walk: Walk<'_>, shape: Shape<'_>, one: &Value, other: &Value) -> bool {
    match (shape.settled([Some(one), Some(other)]), one, other) {
        (
            shape @ (Shape::Object(_) | Shape::Map(_) | Shape::Untyped),
            Value::Object(one),
            Value::Object(other),
        ) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|((name, one), (twin, other))| {
                    // Most fields have no parts, whatever their shape could be.
                    let parts = one.is_object() || one.is_array();
                    let inner = || walk.entry(shape, walk.declared(shape, name));
                    name == twin && if parts { alike(walk, inner(), one, other) } else { same(one, other) }
                })
        }
        (shape @ (Shape::Keyed(..) | Shape::Set), Value::Array(one), Value::Array(other)) => {
            let inner = walk.items(shape);
            let named_alike = |one: &Value, other: &Value| match shape {
                Shape::Keyed(keys, _) => keys.iter().all(|key| one.get(key) == other.get(key)),
                _ => one == other,
            };
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| named_alike(one, other) && alike(walk, inner, one, other))
        }
        (_, one, other) => same(one, other),
    }
}

/// Whether two values without parts are there or not alike: some fields are not there when they are zero.
fn same(one: &Value, other: &Value) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other) && is_zero(one) == is_zero(other)
}
