//! Whether the values of a JSON body have the types of the table, with the texts of Go's decoder, which clients
//! show as they are. Not whether they make sense: that is validation, and the API's.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use thiserror::Error;

use super::{
    path::Path,
    quantity,
    table::{Definition, Schema},
    types::{self, Scalar, Type},
};
use crate::go;

/// What the metadata of all kinds is.
const METADATA: &str = "meta.v1.ObjectMeta";

/// A value of the wrong type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{decoded}")]
pub struct Mismatch {
    /// As Go's JSON decoder words it.
    decoded: String,
    /// As the conversion from what has no type words it, which strategic patches go through.
    converted: String,
}

impl Mismatch {
    /// As `FromUnstructured` of apimachinery words it.
    #[must_use]
    pub fn converted(&self) -> &str {
        &self.converted
    }
}

/// What types with a decoder of their own say, however they are reached.
impl From<String> for Mismatch {
    fn from(why: String) -> Self {
        Self { decoded: why.clone(), converted: why }
    }
}

/// Where the value being checked is.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The name of the struct that has the field, in Go or in the table.
    owner: &'a str,
    /// The path of JSON names, without indexes.
    path: &'a Path<'a>,
    /// The expected type in the table's notation.
    notation: &'a str,
}

impl Schema {
    /// Checks the types of all values. Absent and null values are fine; unknown fields are not looked at, and of unknown kinds
    /// nothing but the metadata, which all kinds have.
    ///
    /// # Errors
    /// The first mismatch.
    pub fn check_types(&self, api_version: &str, kind: &str, object: &Value) -> Result<(), Mismatch> {
        match self.kind(api_version, kind) {
            Some(definition) => self.check_object(definition, object, &Path::Root),
            None => self.check_metadata(kind, &object["metadata"]),
        }
    }

    fn check_metadata(&self, kind: &str, value: &Value) -> Result<(), Mismatch> {
        let Some(definition) = self.definition(METADATA).filter(|_| !value.is_null()) else { return Ok(()) };
        let path = &Path::Field(&Path::Root, "metadata");
        if value.is_object() {
            self.check_object(definition, value, path)
        } else {
            Err(Place { owner: kind, path, notation: METADATA }.mismatch(value))
        }
    }

    fn check_object(&self, definition: &Definition, value: &Value, path: &Path<'_>) -> Result<(), Mismatch> {
        let Value::Object(fields) = value else { return Ok(()) };
        for (name, value) in fields {
            let Some(field) = self.field(definition, name) else { continue };
            let path = &Path::Field(path, name);
            let place = Place { owner: &definition.name, path, notation: &field.notation };
            self.check_value(&field.ty, value, &place)?;
        }
        Ok(())
    }

    fn check_value(&self, ty: &Type, value: &Value, place: &Place<'_>) -> Result<(), Mismatch> {
        if value.is_null() {
            return Ok(());
        }
        match (ty, value) {
            (Type::List(element), Value::Array(items)) => {
                let inner = place.element();
                items.iter().try_for_each(|item| self.check_value(element, item, &inner))
            }
            (Type::Map(element), Value::Object(entries)) => {
                let inner = place.element();
                entries.values().try_for_each(|entry| self.check_value(element, entry, &inner))
            }
            (Type::Reference(_), _) => match (self.target(ty), value) {
                (Some(target), value) if target.items.is_some() => match (&target.items, value) {
                    (Some(items), Value::Array(list)) => {
                        let inner = Place { notation: "string", ..place.element() };
                        list.iter().try_for_each(|item| self.check_value(items, item, &inner))
                    }
                    _ => Err(place.mismatch(value)),
                },
                (Some(target), Value::Object(_)) => self.check_object(target, value, place.path),
                _ => Err(place.mismatch(value)),
            },
            (Type::Scalar(scalar), _) => check_scalar(*scalar, value, place),
            _ => Err(place.mismatch(value)),
        }
    }
}

impl<'a> Place<'a> {
    fn element(&self) -> Place<'a> {
        Place { notation: types::element(self.notation), ..*self }
    }

    fn mismatch(&self, value: &Value) -> Mismatch {
        let Self { owner, path, notation } = self;
        let owner = types::bare(owner);
        let wanted = types::go_name(notation);
        Mismatch {
            decoded: format!(
                "json: cannot unmarshal {} into Go struct field {owner}.{path} of type {wanted}",
                shape(value),
            ),
            converted: converted(value, notation),
        }
    }
}

fn check_scalar(scalar: Scalar, value: &Value, place: &Place<'_>) -> Result<(), Mismatch> {
    let whole = |fits: bool| match value {
        Value::Number(_) if fits => Ok(()),
        Value::Number(number) => {
            let Mismatch { decoded, converted } = place.mismatch(value);
            Err(Mismatch { decoded: decoded.replacen("number", &format!("number {number}"), 1), converted })
        }
        _ => Err(place.mismatch(value)),
    };
    match (scalar, value) {
        (Scalar::Any, _)
        | (Scalar::String, Value::String(_))
        | (Scalar::Bool, Value::Bool(_))
        | (Scalar::IntOrString, Value::String(_)) => Ok(()),
        (Scalar::Int32 | Scalar::IntOrString, Value::Number(n)) => {
            whole(n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()))
        }
        (Scalar::Int64, Value::Number(n)) => whole(n.is_i64()),
        (Scalar::Bytes, Value::String(text)) => check_base64(text).map_err(Mismatch::from),
        (Scalar::Quantity, Value::String(text)) if quantity::is_quantity(text) => Ok(()),
        (Scalar::Quantity, Value::Number(number)) if quantity::is_quantity(&number.to_string()) => Ok(()),
        (Scalar::Quantity, _) => Err(quantity::ERROR.to_owned().into()),
        (Scalar::Time | Scalar::MicroTime, Value::String(text)) => {
            let layout = match scalar {
                Scalar::Time => "2006-01-02T15:04:05Z07:00",
                _ => "2006-01-02T15:04:05.000000Z07:00",
            };
            text.parse::<jiff::Timestamp>().map(|_| ()).map_err(|_| {
                format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\"").into()
            })
        }
        (Scalar::Time | Scalar::MicroTime, _) => {
            Err(format!("json: cannot unmarshal {} into Go value of type string", shape(value)).into())
        }
        _ => Err(place.mismatch(value)),
    }
}

fn check_base64(text: &str) -> Result<(), String> {
    // Go skips line breaks, and names the first byte that it can't use.
    let kept: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    STANDARD.decode(&kept).map(|_| ()).map_err(|error| go::illegal_base64(&error, kept.len() / 4 * 4))
}

/// What `FromUnstructured` says of a value that is to become one of a type, in the table's notation.
fn converted(value: &Value, notation: &str) -> String {
    let wanted = types::go_name(notation);
    let kind = notation.split_once('=').map_or(wanted.as_str(), |(_, kind)| kind);
    let found = match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    };
    match kind {
        _ if wanted.starts_with("[]") => format!("cannot restore slice from {found}"),
        _ if wanted.starts_with("map[") => format!("cannot restore map from {found}"),
        "string" | "int32" | "int64" if value.is_number() => format!("cannot convert {found} to {wanted}"),
        "string" | "int32" | "int64" | "bool" => format!("unrecognized type: {kind}"),
        _ => format!("cannot restore struct from: {found}"),
    }
}

/// What Go calls the JSON that it found.
fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(api_version: &str, kind: &str, value: &Value) -> String {
        Schema::embedded()
            .check_types(api_version, kind, value)
            .err()
            .map(|why| why.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn mismatches_are_worded_as_go_words_them() {
        let prefix = "json: cannot unmarshal ";
        for (api_version, kind, value, expected) in [
            (
                "apps/v1",
                "Deployment",
                json!({"spec": {"replicas": "two"}}),
                "string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                "v1",
                "Pod",
                json!({"spec": {"imagePullSecrets": ["regcred"]}}),
                "string into Go struct field PodSpec.spec.imagePullSecrets of type v1.LocalObjectReference",
            ),
            (
                "v1",
                "Pod",
                json!({"spec": {"containers": {"name": "a"}}}),
                "object into Go struct field PodSpec.spec.containers of type []v1.Container",
            ),
            (
                "v1",
                "Pod",
                json!({"spec": {"containers": [{"image": 5}]}}),
                "number into Go struct field Container.spec.containers.image of type string",
            ),
            (
                "v1",
                "Pod",
                json!({"metadata": {"labels": {"a": 1}}}),
                "number into Go struct field ObjectMeta.metadata.labels of type string",
            ),
            (
                "apps/v1",
                "Deployment",
                json!({"spec": {"replicas": 1.5}}),
                "number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                "v1",
                "Pod",
                json!({"spec": {"hostNetwork": "yes"}}),
                "string into Go struct field PodSpec.spec.hostNetwork of type bool",
            ),
            // Of a kind that nobody knows.
            (
                "example.org/v1",
                "Thing",
                json!({"metadata": 1.5}),
                "number into Go struct field Thing.metadata of type v1.ObjectMeta",
            ),
            (
                "example.org/v1",
                "Thing",
                json!({"spec": 1, "metadata": {"labels": ["a"]}}),
                "array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
            ),
        ] {
            assert_eq!(check(api_version, kind, &value), format!("{prefix}{expected}"));
        }
    }

    #[test]
    fn special_values_have_their_own_words() {
        assert_eq!(
            check("v1", "Secret", &json!({"data": {"a": "!!!"}})),
            "illegal base64 data at input byte 0"
        );
        assert_eq!(check("v1", "Secret", &json!({"data": {"a": "YQ==\n"}})), "");
        let limits = |cpu: Value| json!({"spec": {"containers": [{"resources": {"limits": {"cpu": cpu}}}]}});
        assert_eq!(check("v1", "Pod", &limits(json!("lots"))), quantity::ERROR);
        assert_eq!(check("v1", "Pod", &limits(json!(1))), "");
        let time = check("v1", "Pod", &json!({"metadata": {"creationTimestamp": "yesterday"}}));
        assert!(time.starts_with("parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\""), "{time}");
    }

    #[test]
    fn nulls_and_absent_values_are_fine() {
        let pod =
            json!({"metadata": {"creationTimestamp": null}, "spec": {"containers": null}, "status": {}});
        assert_eq!(check("v1", "Pod", &pod), "");
    }
}
