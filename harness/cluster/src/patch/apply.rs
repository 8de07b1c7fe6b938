//! Server-side apply without ownership: the applied object is merged into the stored one by the schema's list
//! types. Nobody owns a field here, so there are no conflicts, and what a later apply leaves out stays.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::PatchError;
use crate::schema::{Definition, Field, Schema, Type};

/// Merges the applied object into the stored one; `original` is null when there is none yet.
///
/// # Errors
/// When the applied object has a field that its kind has not, or names a list element twice.
pub fn apply(schema: &Schema, original: &Value, applied: &Value) -> Result<Value, PatchError> {
    let text = |field: &str| applied.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version.is_empty() || kind.is_empty() {
        return Err(PatchError::Malformed(format!("invalid object type: {api_version}, Kind={kind}")));
    }
    let Some(definition) = schema.kind(api_version, kind) else {
        return Err(PatchError::Unsupported("application/json-patch+json, application/merge-patch+json"));
    };
    let Value::Object(fields) = applied else {
        return Err(PatchError::Malformed("error decoding YAML: the body is not an object".into()));
    };
    let original = original.as_object().cloned().unwrap_or_default();
    Apply { schema }.objects(definition, original, fields, "").map(Value::Object).map_err(|problem| {
        let meta = |field: &str| applied["metadata"][field].as_str().unwrap_or_default();
        let name = format!("{}/{}; {api_version}, Kind={kind}", meta("namespace"), meta("name"));
        PatchError::Failed(format!("failed to create typed patch object ({name}): {problem}"))
    })
}

struct Apply<'a> {
    schema: &'a Schema,
}

impl Apply<'_> {
    fn objects(
        &self,
        definition: &Definition,
        mut object: Map<String, Value>,
        applied: &Map<String, Value>,
        path: &str,
    ) -> Result<Map<String, Value>, String> {
        // A null stands for nothing applied, such as a creationTimestamp that a client writes along.
        for (name, value) in applied.iter().filter(|(_, value)| !value.is_null()) {
            let path = format!("{path}.{name}");
            let merged = match self.schema.field(definition, name) {
                Some(field) => self.field(field, object.remove(name), value, &path)?,
                None if definition.is_kind && (name == "apiVersion" || name == "kind") => value.clone(),
                None => return Err(format!("{path}: field not declared in schema")),
            };
            object.insert(name.clone(), merged);
        }
        Ok(object)
    }

    fn field(
        &self,
        field: &Field,
        current: Option<Value>,
        applied: &Value,
        path: &str,
    ) -> Result<Value, String> {
        let atomic = field.list_type.as_deref() == Some("atomic");
        match (&field.ty, applied) {
            (Type::Reference(_), Value::Object(fields)) => match self.schema.target(&field.ty) {
                Some(target) if target.items.is_none() => {
                    let current = match current {
                        Some(Value::Object(current)) if !(atomic || target.atomic) => current,
                        _ => Map::new(),
                    };
                    self.objects(target, current, fields, path).map(Value::Object)
                }
                _ => Ok(applied.clone()),
            },
            (Type::Map(_), Value::Object(entries)) if !atomic => {
                let mut merged = match current {
                    Some(Value::Object(current)) => current,
                    _ => Map::new(),
                };
                merged.extend(entries.iter().map(|(key, value)| (key.clone(), value.clone())));
                Ok(Value::Object(merged))
            }
            (Type::List(element), Value::Array(items)) => {
                let current = match (current, field.list_type.as_deref()) {
                    (Some(Value::Array(current)), Some("map" | "set")) => current,
                    _ => Vec::new(),
                };
                let target = self.schema.target(element);
                match field.list_type.as_deref() {
                    Some("map") => self.elements(field, target, current, items, path).map(Value::Array),
                    _ => self.values(target, current, items, path).map(Value::Array),
                }
            }
            _ => Ok(applied.clone()),
        }
    }

    /// The elements of an associative list, told apart by the list's keys.
    fn elements(
        &self,
        field: &Field,
        target: Option<&Definition>,
        mut merged: Vec<Value>,
        applied: &[Value],
        path: &str,
    ) -> Result<Vec<Value>, String> {
        let mut seen = Vec::new();
        for item in applied {
            let id = self.identity(field, target, item);
            let shown = shown(field, &id);
            if seen.contains(&id) {
                return Err(format!("{path}: duplicate entries for key {shown}"));
            }
            let at = merged.iter().position(|other| self.identity(field, target, other) == id);
            let old = at.and_then(|at| merged[at].as_object().cloned()).unwrap_or_default();
            let new = match (target, item) {
                (Some(target), Value::Object(fields)) => {
                    Value::Object(self.objects(target, old, fields, &format!("{path}{shown}"))?)
                }
                _ => item.clone(),
            };
            match at {
                Some(at) => merged[at] = new,
                None => merged.push(new),
            }
            seen.push(id);
        }
        Ok(merged)
    }

    /// The elements of a set or of a list that is replaced as a whole.
    fn values(
        &self,
        target: Option<&Definition>,
        mut merged: Vec<Value>,
        applied: &[Value],
        path: &str,
    ) -> Result<Vec<Value>, String> {
        let set = !merged.is_empty();
        for (index, item) in applied.iter().enumerate() {
            let new = match (target.filter(|target| target.items.is_none()), item) {
                (Some(target), Value::Object(fields)) => {
                    Value::Object(self.objects(target, Map::new(), fields, &format!("{path}[{index}]"))?)
                }
                _ => item.clone(),
            };
            if !set || !merged.contains(&new) {
                merged.push(new);
            }
        }
        Ok(merged)
    }

    fn identity(&self, field: &Field, target: Option<&Definition>, item: &Value) -> Vec<Value> {
        let default = |key: &str| {
            let field = target.and_then(|target| self.schema.field(target, key));
            field.and_then(|field| field.default.clone()).map_or(Value::Null, Value::String)
        };
        let keys = field.list_keys.iter();
        keys.map(|key| item.get(key).cloned().unwrap_or_else(|| default(key))).collect()
    }
}

/// `[name="c"]`.
fn shown(field: &Field, id: &[Value]) -> String {
    let mut text = String::from("[");
    for (index, (key, value)) in field.list_keys.iter().zip(id).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{key}={value}");
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "ns"}, "spec": spec})
    }

    #[test]
    fn lists_merge_by_their_keys() {
        let stored = pod(&json!({"containers": [{"name": "a", "image": "x",
            "ports": [{"containerPort": 80, "protocol": "TCP", "name": "web"}]}], "tolerations": [{"key": "a"}]}));
        let applied = pod(&json!({"containers": [{"name": "b", "image": "z"}, {"name": "a", "image": "y",
            "ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 80, "protocol": "UDP"}]}],
            "tolerations": [{"key": "b"}]}));
        let merged = apply(Schema::embedded(), &stored, &applied).unwrap();
        assert_eq!(
            merged["spec"],
            json!({"containers": [
            {"name": "a", "image": "y", "ports": [
                {"containerPort": 80, "protocol": "TCP", "name": "web", "hostPort": 8080},
                {"containerPort": 80, "protocol": "UDP"}]},
            {"name": "b", "image": "z"}], "tolerations": [{"key": "b"}]})
        );
        assert_eq!(apply(Schema::embedded(), &merged, &applied).unwrap(), merged);
    }

    #[test]
    fn nulls_apply_nothing() {
        let stored = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}});
        let applied =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "creationTimestamp": null}});
        assert_eq!(apply(Schema::embedded(), &stored, &applied).unwrap(), stored);
    }

    #[test]
    fn errors_name_the_place() {
        let message =
            |applied: &Value| apply(Schema::embedded(), &Value::Null, applied).unwrap_err().to_string();
        let prefix = "failed to create typed patch object (ns/a; v1, Kind=Pod): ";
        assert_eq!(
            message(&pod(&json!({"containers": [{"name": "c", "bogus": 1}]}))),
            format!("{prefix}.spec.containers[name=\"c\"].bogus: field not declared in schema")
        );
        assert_eq!(
            message(&pod(&json!({"containers": [{"name": "c"}, {"name": "c"}]}))),
            format!("{prefix}.spec.containers: duplicate entries for key [name=\"c\"]")
        );
        let error = apply(Schema::embedded(), &Value::Null, &json!({})).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (400, "invalid object type: , Kind="));
    }
}
