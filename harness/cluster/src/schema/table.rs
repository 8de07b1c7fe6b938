//! The schema table in memory: definitions, their fields, and which kind is which definition. The data is
//! `kubernetes.json`, made by `schema-tools/extract.py`; this module only reads it.

use std::{collections::BTreeMap, sync::Arc};

use rustc_hash::FxHashMap;
use serde::Deserialize;
use thiserror::Error;

use super::types::{self, Scalar, Type};

/// Versions of packages that the table lacks, and those whose types have the same fields.
const SAME_SHAPE: [((&str, &str), &str); 7] = [
    (("autoscaling", "v2beta2"), "v2"),
    (("coordination", "v1beta1"), "v1"),
    (("discovery", "v1beta1"), "v1"),
    (("events", "v1beta1"), "v1"),
    (("rbac", "v1beta1"), "v1"),
    (("scheduling", "v1beta1"), "v1"),
    (("storage", "v1beta1"), "v1"),
];

/// The built-in types of Kubernetes.
#[derive(Clone, Debug)]
pub struct Schema {
    pub(super) definitions: Vec<Definition>,
    by_name: FxHashMap<String, usize>,
}

/// One object type.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name in the table, for example `core.v1.Container`.
    pub name: String,
    /// Whether it is a kind of its own, with `apiVersion` and `kind`.
    pub is_kind: bool,
    /// Whether applying replaces it as a whole.
    pub atomic: bool,
    /// Not an object but a list of these, which protobuf wraps.
    pub items: Option<Type>,
    /// The fields, in the order of their JSON names.
    pub fields: Vec<Field>,
    /// Where the field of a name is, also of the parts that lie in the object itself: in which definition, and the how manieth
    /// there. Every field of every body is looked for several times.
    places: FxHashMap<String, (usize, usize)>,
    /// The names of the times that JSON has as null when they are not there.
    pub(super) null_times: Vec<String>,
}

/// One field of an object type.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name in JSON; empty when the fields of `ty` lie in the object itself.
    pub name: String,
    /// The name as a step of a path in `FieldsV1`: `f:name`.
    pub(crate) step: Arc<str>,
    /// The number in protobuf.
    pub number: u32,
    /// What it holds.
    pub ty: Type,
    /// `ty` in the table's notation.
    pub notation: String,
    /// Absent and zero differ.
    pub pointer: bool,
    /// It must be there.
    pub required: bool,
    /// Kept in JSON when zero.
    pub keep_zero: bool,
    /// `merge`, `replace`, `retainKeys`, or several.
    pub patch_strategy: Option<String>,
    /// By which field the elements of a list are told apart in a strategic merge.
    pub merge_key: Option<String>,
    /// `map`, `set`, `atomic` or `granular`.
    pub list_type: Option<String>,
    /// By which fields elements are told apart in an apply.
    pub list_keys: Vec<String>,
    /// What the API puts there when it is absent.
    pub default: Option<String>,
}

/// The table can't be read.
#[derive(Debug, Error)]
pub enum TableError {
    /// It is not the JSON that it should be.
    #[error("the schema table is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A field's type is unknown.
    #[error("{definition}.{field} has the unknown type {notation}")]
    UnknownType {
        /// Where the field is.
        definition: String,
        /// The field.
        field: String,
        /// What it says.
        notation: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDefinition {
    #[serde(default)]
    kind: bool,
    #[serde(default)]
    atomic: bool,
    items: Option<String>,
    #[serde(default)]
    fields: BTreeMap<String, RawField>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    n: u32,
    t: String,
    #[serde(default)]
    p: bool,
    #[serde(default)]
    r: bool,
    #[serde(default)]
    z: bool,
    s: Option<String>,
    k: Option<String>,
    l: Option<String>,
    #[serde(default)]
    m: Vec<String>,
    d: Option<String>,
}

impl Schema {
    /// Reads a table.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(json: &[u8]) -> Result<Self, TableError> {
        let raw: BTreeMap<String, RawDefinition> = serde_json::from_slice(json)?;
        let by_name: FxHashMap<String, usize> = raw.keys().cloned().zip(0..).collect();
        let reference = |name: &str| by_name.get(name).copied();
        let mut definitions = Vec::with_capacity(raw.len());
        for (name, raw) in raw {
            let read = |field: &str, notation: &str| {
                types::parse(notation, &reference).ok_or_else(|| TableError::UnknownType {
                    definition: name.clone(),
                    field: field.into(),
                    notation: notation.into(),
                })
            };
            let items = raw.items.map(|items| read("items", &items)).transpose()?;
            let mut fields = Vec::with_capacity(raw.fields.len());
            for (json_name, raw) in raw.fields {
                let ty = read(&json_name, &raw.t)?;
                let name = if json_name.starts_with('+') { String::new() } else { json_name };
                fields.push(Field::of(name, ty, raw));
            }
            let (is_kind, atomic, places) = (raw.kind, raw.atomic, FxHashMap::default());
            let null_times = Vec::new();
            definitions.push(Definition { name, is_kind, atomic, items, fields, places, null_times });
        }
        let mut schema = Self { definitions, by_name };
        schema.place_fields();
        Ok(schema)
    }

    /// To be called when definitions have got other fields.
    pub(super) fn place_fields(&mut self) {
        let found = |of: usize| {
            let mut places = FxHashMap::default();
            self.add_places(of, &mut places);
            let fields = self.fields(&self.definitions[of]).into_iter();
            let null_times = fields.filter(|field| field.is_null_time()).map(|field| field.name.clone());
            (places, null_times.collect())
        };
        let all: Vec<_> = (0..self.definitions.len()).map(found).collect();
        for (definition, found) in self.definitions.iter_mut().zip(all) {
            (definition.places, definition.null_times) = found;
        }
    }

    /// An object's own fields come before those of its parts.
    fn add_places(&self, of: usize, places: &mut FxHashMap<String, (usize, usize)>) {
        let fields = &self.definitions[of].fields;
        for (at, field) in fields.iter().enumerate().filter(|(_, field)| !field.name.is_empty()) {
            places.entry(field.name.clone()).or_insert((of, at));
        }
        for field in fields.iter().filter(|field| field.name.is_empty()) {
            if let Type::Reference(part) = field.ty {
                self.add_places(part, places);
            }
        }
    }

    /// Adds a field of which there is nothing special to say. One of an unknown type or definition is none.
    pub(super) fn add_field(&mut self, definition: &str, name: &str, number: u32, notation: &str) {
        let ty = types::parse(notation, &|name| self.by_name.get(name).copied());
        let found = self.by_name.get(definition).and_then(|index| self.definitions.get_mut(*index));
        let (Some(ty), Some(found)) = (ty, found) else { return };
        let at = found.fields.partition_point(|field| field.name.as_str() < name);
        let raw = RawField { n: number, t: notation.to_owned(), ..RawField::default() };
        found.fields.insert(at, Field::of(name.to_owned(), ty, raw));
    }

    /// The definition of that name in the table.
    #[must_use]
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.by_name.get(name).and_then(|index| self.definitions.get(*index))
    }

    /// The definition of a kind. The options and `Status`, which every group has, are found in any of them.
    #[must_use]
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<&Definition> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let package = if group.is_empty() { "core" } else { group.split('.').next().unwrap_or(group) };
        let named = |package, version| self.definition(&[package, ".", version, ".", kind].concat());
        let same = || SAME_SHAPE.iter().find(|(same, _)| *same == (package, version)).map(|(_, like)| *like);
        let own = named(package, version).or_else(|| named(package, same()?));
        own.or_else(|| named("meta", "v1")).filter(|found| found.is_kind)
    }

    /// The field with that JSON name, also of the parts that lie in the object itself.
    #[must_use]
    pub fn field<'a>(&'a self, definition: &'a Definition, name: &str) -> Option<&'a Field> {
        let (of, at) = *definition.places.get(name)?;
        self.definitions.get(of)?.fields.get(at)
    }

    /// All fields as JSON shows them, with those of the parts that lie in the object itself.
    #[must_use]
    pub fn fields<'a>(&'a self, definition: &'a Definition) -> Vec<&'a Field> {
        let mut all = Vec::new();
        for field in &definition.fields {
            match self.target(&field.ty) {
                Some(part) if field.name.is_empty() => all.extend(self.fields(part)),
                _ => all.push(field),
            }
        }
        all
    }

    /// The definition that a type refers to.
    #[must_use]
    pub fn target(&self, ty: &Type) -> Option<&Definition> {
        match ty {
            Type::Reference(index) => self.definitions.get(*index),
            _ => None,
        }
    }
}

impl Definition {
    /// Gives it parts, as it had before it became one thing.
    pub(super) fn in_parts(&mut self) {
        self.atomic &= self.name == "meta.v1.LabelSelector";
        for field in self.fields.iter_mut().filter(|field| matches!(field.ty, Type::Map(_))) {
            field.list_type = None;
        }
    }

    /// The bare name, for example `Container`.
    #[must_use]
    pub fn short_name(&self) -> &str {
        types::bare(&self.name)
    }
}

impl Field {
    fn of(name: String, ty: Type, raw: RawField) -> Self {
        Self {
            step: format!("f:{name}").into(),
            name,
            number: raw.n,
            ty,
            notation: raw.t,
            pointer: raw.p,
            required: raw.r,
            keep_zero: raw.z,
            patch_strategy: raw.s,
            merge_key: raw.k,
            list_type: raw.l,
            list_keys: raw.m,
            default: raw.d,
        }
    }

    /// A time that is kept when zero is the only field that is written as null.
    pub(super) fn is_null_time(&self) -> bool {
        self.keep_zero && matches!(self.ty, Type::Scalar(Scalar::Time | Scalar::MicroTime))
    }

    /// Whether a strategic merge joins the field's list or map in the way `strategy` says.
    #[must_use]
    pub fn has_strategy(&self, strategy: &str) -> bool {
        self.patch_strategy.as_deref().is_some_and(|all| all.split(',').any(|one| one == strategy))
    }
}
