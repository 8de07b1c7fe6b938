//! What a value is to field ownership: one thing that is owned as a whole, or one whose parts are. The schema
//! table says so; for kinds that it does not know, maps have parts and lists have none.

use serde_json::Value;

use super::{element, set::Element};
use crate::schema::{Definition, Field, Schema, Type};

/// What a value is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape<'a> {
    /// A scalar, or something that is replaced as a whole.
    Leaf,
    /// An object with declared fields.
    Object(&'a Definition),
    /// An object with arbitrary keys, and the type of its values.
    Map(&'a Type),
    /// A list whose elements are told apart by some of their fields, and the type of its elements.
    Keyed(&'a [String], &'a Type),
    /// A list whose elements are told apart as they are.
    Set,
    /// Nobody knows: the value shows.
    Untyped,
}

/// The schema, as all walks over objects need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'a>(pub(crate) &'a Schema);

impl<'a> Walk<'a> {
    /// An object of a kind.
    pub(crate) fn root(self, api_version: &str, kind: &str) -> Shape<'a> {
        self.0.kind(api_version, kind).map_or(Shape::Untyped, Shape::Object)
    }

    /// A declared field of an object.
    pub(crate) fn declared(self, shape: Shape<'a>, name: &str) -> Option<&'a Field> {
        match shape {
            Shape::Object(definition) => self.0.field(definition, name),
            _ => None,
        }
    }

    pub(super) fn of_field(self, field: &'a Field) -> Shape<'a> {
        let kind = field.list_type.as_deref();
        match (&field.ty, kind) {
            (_, Some("atomic")) => Shape::Leaf,
            (Type::List(element), Some("map")) => Shape::Keyed(&field.list_keys, element),
            (Type::List(_), Some("set")) => Shape::Set,
            // A field may have parts though its type has none elsewhere.
            (Type::Reference(_), Some("granular")) => {
                self.0.target(&field.ty).map_or(Shape::Leaf, Shape::Object)
            }
            (ty, _) => self.of_type(ty),
        }
    }

    pub(crate) fn of_type(self, ty: &'a Type) -> Shape<'a> {
        match ty {
            Type::Reference(_) => match self.0.target(ty) {
                Some(target) if !target.atomic && target.items.is_none() => Shape::Object(target),
                _ => Shape::Leaf,
            },
            Type::Map(values) => Shape::Map(values),
            Type::Scalar(_) | Type::List(_) => Shape::Leaf,
        }
    }

    /// The shape of a part, by its element in a set.
    pub(super) fn part(self, shape: Shape<'a>, element: &str) -> Shape<'a> {
        match shape {
            Shape::Object(_) => {
                let name = element.strip_prefix("f:").unwrap_or_default();
                self.declared(shape, name).map_or(Shape::Leaf, |field| self.of_field(field))
            }
            Shape::Map(ty) | Shape::Keyed(_, ty) => self.of_type(ty),
            Shape::Leaf | Shape::Set => Shape::Leaf,
            Shape::Untyped => Shape::Untyped,
        }
    }

    /// A part of a map or object, with the field that it is if it is a declared one.
    pub(crate) fn entry(self, shape: Shape<'a>, declared: Option<&'a Field>) -> Shape<'a> {
        match shape {
            Shape::Object(_) => declared.map_or(Shape::Leaf, |field| self.of_field(field)),
            Shape::Map(ty) => self.of_type(ty),
            _ => Shape::Untyped,
        }
    }

    /// The element that stands for one item of a list.
    pub(crate) fn item(self, shape: Shape<'a>, item: &Value) -> Element {
        match shape {
            Shape::Keyed(keys, ty) => element::key_element(self.0, keys, self.0.target(ty), item),
            _ => element::value(item),
        }
    }

    /// What items of a list are.
    pub(crate) fn items(self, shape: Shape<'a>) -> Shape<'a> {
        match shape {
            Shape::Keyed(_, ty) => self.of_type(ty),
            _ => Shape::Leaf,
        }
    }
}

impl Shape<'_> {
    /// The shape of these values: an untyped one is settled by them, and a value that is not what the schema
    /// says is one thing.
    pub(crate) fn settled(self, values: [Option<&Value>; 2]) -> Self {
        let all = |fits: fn(&Value) -> bool| values.into_iter().flatten().all(|v| v.is_null() || fits(v));
        match self {
            Self::Object(_) | Self::Map(_) if !all(Value::is_object) => Self::Leaf,
            Self::Keyed(..) | Self::Set if !all(Value::is_array) => Self::Leaf,
            Self::Untyped if !all(Value::is_object) => Self::Leaf,
            other => other,
        }
    }
}
