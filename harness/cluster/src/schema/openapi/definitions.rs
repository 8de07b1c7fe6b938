//! Schemas of the types, for the components of either version of OpenAPI.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    release::Release,
    resources::ResourceInfo,
    schema::{
        descriptions, enums,
        table::{Definition, Field, Schema},
        types::{Scalar, Type, element},
    },
};

/// Which version of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    V2,
    V3,
}

impl Style {
    /// A reference to a schema by its full name.
    pub(super) fn reference(self, name: &str) -> Value {
        match self {
            Self::V2 => json!({"$ref": format!("#/definitions/{name}")}),
            Self::V3 => json!({"$ref": format!("#/components/schemas/{name}")}),
        }
    }
}

/// Collects the schemas that a set of kinds needs.
pub(super) struct Definitions<'a> {
    schema: &'a Schema,
    style: Style,
    release: Release,
    served: &'a [ResourceInfo],
    done: BTreeMap<String, Value>,
}

/// The name of a type of the table in OpenAPI documents.
pub(super) fn full_name(name: &str) -> String {
    let (package, short) = name.split_once('.').unwrap_or(("", name));
    let path = match package {
        "meta" => "apimachinery.pkg.apis.meta",
        "resource" => "apimachinery.pkg.api.resource",
        "intstr" => "apimachinery.pkg.util.intstr",
        "runtime" => "apimachinery.pkg.runtime",
        package => return format!("io.k8s.api.{package}.{short}"),
    };
    format!("io.k8s.{path}.{short}")
}

/// The full name of a resource's kind, whether or not the table knows it.
pub(super) fn kind_name(resource: &ResourceInfo) -> String {
    match Schema::embedded().kind(&resource.api_version(), &resource.kind) {
        Some(definition) => full_name(&definition.name),
        None => {
            let mut labels: Vec<&str> = resource.group.split('.').rev().collect();
            labels.extend([resource.version.as_str(), resource.kind.as_str()]);
            labels.join(".")
        }
    }
}

impl<'a> Definitions<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        style: Style,
        release: Release,
        served: &'a [ResourceInfo],
    ) -> Self {
        Self { schema, style, release, served, done: BTreeMap::new() }
    }

    /// Adds a kind, its list, and what its operations speak.
    pub(super) fn add_kind(&mut self, resource: &ResourceInfo) {
        match self.schema.kind(&resource.api_version(), &resource.kind) {
            Some(definition) => self.add(definition),
            None => {
                let mut schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "x-kubernetes-group-version-kind": [resource.group_version_kind()]});
                let text = descriptions::of(&format!("{}.{}", resource.kind, resource.group), "");
                if !text.is_empty() {
                    schema["description"] = text.into();
                }
                self.done.insert(kind_name(resource), schema);
            }
        }
        let list = self.schema.kind(&resource.api_version(), &format!("{}List", resource.kind));
        let common = ["meta.v1.DeleteOptions", "meta.v1.Status"].map(|name| self.schema.definition(name));
        for definition in list.into_iter().chain(common.into_iter().flatten()) {
            self.add(definition);
        }
        self.done.entry(full_name("meta.v1.Patch")).or_insert_with(
            || json!({"description": descriptions::of("meta.v1.Patch", ""), "type": "object"}),
        );
    }

    pub(super) fn finish(self) -> Map<String, Value> {
        self.done.into_iter().collect()
    }

    fn add(&mut self, definition: &Definition) {
        let name = full_name(&definition.name);
        if self.done.contains_key(&name) {
            return;
        }
        // Reserved first: a type may lead back to itself.
        self.done.insert(name.clone(), Value::Null);
        let schema = self.object(definition);
        self.done.insert(name, schema);
    }

    fn object(&mut self, definition: &Definition) -> Value {
        let mut properties = Map::new();
        if definition.is_kind {
            for name in ["apiVersion", "kind"] {
                let text = descriptions::of(&definition.name, name);
                properties.insert(name.into(), json!({"description": text, "type": "string"}));
            }
        }
        let mut required = Vec::new();
        for field in self.schema.fields(definition) {
            properties.insert(field.name.clone(), self.property(definition, field));
            if field.required {
                required.push(field.name.clone());
            }
        }
        let mut out = json!({"description": descriptions::of(&definition.name, ""), "type": "object"});
        if !properties.is_empty() {
            out["properties"] = properties.into();
        }
        if !required.is_empty() {
            required.sort();
            out["required"] = required.into();
        }
        if definition.atomic {
            out["x-kubernetes-map-type"] = "atomic".into();
        }
        let kinds = self.kinds(definition);
        if !kinds.is_empty() {
            out["x-kubernetes-group-version-kind"] = kinds.into();
        }
        out
    }

    /// The kinds that a definition is the schema of.
    fn kinds(&self, definition: &Definition) -> Vec<Value> {
        if !definition.is_kind {
            return Vec::new();
        }
        let kind = definition.short_name();
        let mut kinds = Vec::new();
        for resource in self.served {
            let found = self.schema.kind(&resource.api_version(), kind);
            let one = json!({"group": resource.group, "version": resource.version, "kind": kind});
            if found.is_some_and(|found| found.name == definition.name) && !kinds.contains(&one) {
                kinds.push(one);
            }
        }
        kinds
    }

    fn property(&mut self, definition: &Definition, field: &Field) -> Value {
        let mut out = self.of_type(&field.ty, &field.notation);
        // In version 3 nothing may stand beside a reference.
        if self.style == Style::V3 && out.get("$ref").is_some() {
            out = json!({ "allOf": [out] });
            if !field.pointer && matches!(field.ty, Type::Reference(_)) {
                out["default"] = json!({});
            }
        }
        let mut text = descriptions::of(&definition.name, &field.name).into_owned();
        text.push_str(&enums::sentence(enums::of(element(&field.notation), self.release)));
        out["description"] = text.into();
        match field.default.as_deref() {
            Some("") | None if self.style == Style::V2 => {}
            Some(default) => out["default"] = default.into(),
            // What Go always writes is zero when nobody says anything.
            None if field.keep_zero && !field.pointer => {
                if let Some(zero) = zero(&field.ty) {
                    out["default"] = zero;
                }
            }
            None => {}
        }
        let extensions = [
            ("x-kubernetes-patch-strategy", &field.patch_strategy),
            ("x-kubernetes-patch-merge-key", &field.merge_key),
        ];
        for (name, value) in extensions {
            if let Some(value) = value {
                out[name] = value.clone().into();
            }
        }
        if let Some(kind) = &field.list_type {
            let name = match &field.ty {
                Type::List(_) => "x-kubernetes-list-type",
                _ => "x-kubernetes-map-type",
            };
            out[name] = kind.clone().into();
        }
        if !field.list_keys.is_empty() {
            out["x-kubernetes-list-map-keys"] = field.list_keys.clone().into();
        }
        out
    }

    fn of_type(&mut self, ty: &Type, notation: &str) -> Value {
        let element = element(notation);
        match ty {
            Type::List(inner) => json!({"type": "array", "items": self.of_type(inner, element)}),
            Type::Map(inner) => {
                json!({"type": "object", "additionalProperties": self.of_type(inner, element)})
            }
            Type::Scalar(scalar) => self.scalar(*scalar, notation),
            Type::Reference(_) => {
                let schema = self.schema;
                let Some(target) = schema.target(ty) else { return json!({}) };
                if let Some(items) = &target.items {
                    return json!({"type": "array", "items": self.of_type(items, "string")});
                }
                self.add(target);
                self.style.reference(&full_name(&target.name))
            }
        }
    }

    fn scalar(&mut self, scalar: Scalar, notation: &str) -> Value {
        let plain = match scalar {
            Scalar::String => return string(notation, self.release),
            Scalar::Bool => return json!({"type": "boolean"}),
            Scalar::Int32 => return json!({"type": "integer", "format": "int32"}),
            Scalar::Int64 => return json!({"type": "integer", "format": "int64"}),
            Scalar::Bytes => return json!({"type": "string", "format": "byte"}),
            // Version 2 knows no alternatives.
            Scalar::Quantity => match self.style {
                Style::V2 => json!({"type": "string"}),
                Style::V3 => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
            },
            Scalar::IntOrString => match self.style {
                Style::V2 => json!({"type": "string", "format": "int-or-string"}),
                Style::V3 => {
                    json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
                }
            },
            Scalar::Time | Scalar::MicroTime => json!({"type": "string", "format": "date-time"}),
            Scalar::Any => json!({"type": "object"}),
        };
        let name = full_name(notation);
        let reference = self.style.reference(&name);
        self.done.entry(name).or_insert_with(|| {
            let mut plain = plain;
            plain["description"] = descriptions::of(notation, "").into();
            plain
        });
        reference
    }
}

/// A string, with its values where these are known.
fn string(notation: &str, release: Release) -> Value {
    match enums::of(notation, release) {
        [] => json!({"type": "string"}),
        values => json!({"type": "string", "enum": values}),
    }
}

/// The zero value of a plain scalar.
fn zero(ty: &Type) -> Option<Value> {
    match ty {
        Type::Scalar(Scalar::String) => Some("".into()),
        Type::Scalar(Scalar::Bool) => Some(false.into()),
        Type::Scalar(Scalar::Int32 | Scalar::Int64) => Some(0.into()),
        _ => None,
    }
}
