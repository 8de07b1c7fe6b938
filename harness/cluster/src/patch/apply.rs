//! Server-side apply, the merging half: the applied object is merged into the stored one by the schema's list
//! types. What a manager no longer applies stays here: see [`crate::managed`].

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::PatchError;
use crate::{
    fields::{self, Element, Shape, Walk},
    schema::Schema,
};

/// Merges the applied object into the stored one; `original` is null when there is none yet. A null in the
/// applied object takes a single value away.
///
/// # Errors
/// When the applied object is not one of its kind, or names a list element twice.
pub fn apply(schema: &Schema, original: &Value, applied: &Value) -> Result<Value, PatchError> {
    let text = |field: &str| applied.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version.is_empty() || kind.is_empty() {
        return Err(PatchError::Malformed(format!("invalid object type: {}", gvk(api_version, kind))));
    }
    if !applied.is_object() {
        return Err(PatchError::Malformed("error decoding YAML: the body is not an object".into()));
    }
    let walk = Walk(schema);
    if let Some(definition) = schema.kind(api_version, kind) {
        let errors = fields::check(walk, definition, applied);
        if !errors.is_empty() {
            return Err(PatchError::Failed(refusal(applied, &errors)));
        }
    }
    Ok(Merge(walk).values(walk.root(api_version, kind), Some(original), Some(applied)).unwrap_or_default())
}

/// A kind with its group and version, as Go prints it: `apps/v1, Kind=Deployment`.
pub(crate) fn gvk(api_version: &str, kind: &str) -> String {
    let slash = if api_version.contains('/') { "" } else { "/" };
    format!("{slash}{api_version}, Kind={kind}")
}

fn refusal(applied: &Value, errors: &[String]) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let meta = |field: &str| text(&applied["metadata"][field]);
    let kind = gvk(&text(&applied["apiVersion"]), &text(&applied["kind"]));
    let all = match errors {
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    format!("failed to create typed patch object ({}/{}; {kind}): {all}", meta("namespace"), meta("name"))
}

struct Merge<'a>(Walk<'a>);

impl Merge<'_> {
    fn values(&self, shape: Shape<'_>, old: Option<&Value>, new: Option<&Value>) -> Option<Value> {
        let (Some(before), Some(after)) = (old, new) else { return new.or(old).cloned() };
        match (shape.settled([old, new]), before, after) {
            (Shape::Leaf, _, after) => Some(after.clone()),
            (Shape::Keyed(..) | Shape::Set, Value::Array(old), Value::Array(new)) => {
                Some(self.lists(shape, old, new).into())
            }
            (
                shape @ (Shape::Object(_) | Shape::Map(_) | Shape::Untyped),
                Value::Object(old),
                Value::Object(new),
            ) => Some(self.objects(shape, old, new).into()),
            // One of the two is null.
            (_, Value::Null, after) => Some(after.clone()),
            (_, before, _) => Some(before.clone()),
        }
    }

    fn objects(
        &self,
        shape: Shape<'_>,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) -> Map<String, Value> {
        let mut merged = old.clone();
        for (name, value) in new {
            if let Some(value) =
                self.values(self.0.entry(shape, self.0.declared(shape, name)), old.get(name), Some(value))
            {
                merged.insert(name.clone(), value);
            }
        }
        merged
    }

    /// Elements that both lists have come in the order of the new one; between them stay those that only one
    /// list has.
    fn lists(&self, shape: Shape<'_>, old: &[Value], new: &[Value]) -> Vec<Value> {
        let named = |list: &[Value]| list.iter().map(|item| self.0.item(shape, item)).collect::<Vec<_>>();
        let (before, after) = (named(old), named(new));
        let had: HashMap<&Element, &Value> = before.iter().zip(old).rev().collect();
        let has: HashSet<&Element> = after.iter().collect();
        let merged =
            |at: usize| self.values(self.0.items(shape), had.get(&after[at]).copied(), Some(&new[at]));
        let mut shared = after.iter().filter(|element| had.contains_key(element)).peekable();
        let mut done = HashSet::new();
        let mut out = Vec::new();
        let (mut left, mut right) = (0, 0);
        while left < before.len() || right < after.len() {
            if let (Some(l), Some(r)) = (before.get(left), after.get(right)) {
                if l == r {
                    done.insert(r);
                    out.extend(merged(right));
                    (left, right) = (left + 1, right + 1);
                    shared.next();
                    continue;
                }
                if has.contains(l) && shared.peek().is_some_and(|next| *next != l) {
                    // It comes later, where the new list has it.
                    left += 1;
                    continue;
                }
            }
            if let Some(l) = before.get(left) {
                if !has.contains(l) {
                    out.push(old[left].clone());
                    left += 1;
                    continue;
                }
                if done.contains(l) {
                    left += 1;
                }
            }
            if let Some(r) = after.get(right) {
                done.insert(r);
                out.extend(merged(right));
                right += 1;
                if shared.peek() == Some(&r) {
                    shared.next();
                }
            }
        }
        out
    }
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
            {"name": "b", "image": "z"},
            {"name": "a", "image": "y", "ports": [
                {"containerPort": 80, "protocol": "TCP", "name": "web", "hostPort": 8080},
                {"containerPort": 80, "protocol": "UDP"}]}], "tolerations": [{"key": "b"}]})
        );
        assert_eq!(apply(Schema::embedded(), &merged, &applied).unwrap(), merged);
    }

    #[test]
    fn nulls_take_single_values_away() {
        let stored =
            pod(&json!({"nodeName": "n", "containers": [{"name": "a"}], "nodeSelector": {"a": "b"}}));
        let applied = pod(&json!({"nodeName": null, "containers": null, "nodeSelector": null}));
        let merged = apply(Schema::embedded(), &stored, &applied).unwrap();
        let expected = json!({"nodeName": null, "containers": [{"name": "a"}], "nodeSelector": null});
        assert_eq!(merged["spec"], expected);
    }

    #[test]
    fn the_new_order_is_kept_among_the_old_elements() {
        let list = |names: &str| {
            let items: Vec<Value> = names.chars().map(|name| json!({"name": name.to_string()})).collect();
            pod(&json!({"containers": items}))
        };
        for (old, new, expected) in [
            ("abc", "b", "abc"),
            ("abc", "cb", "acb"),
            ("abc", "xb", "axbc"),
            ("ab", "ba", "ba"),
            ("", "ab", "ab"),
            ("abcd", "dxa", "bcdxa"),
        ] {
            let merged = apply(Schema::embedded(), &list(old), &list(new)).unwrap();
            let names: String = merged["spec"]["containers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| c["name"].as_str().unwrap())
                .collect();
            assert_eq!(names, expected, "{old} {new}");
        }
    }

    #[test]
    fn errors_name_the_place() {
        let message =
            |applied: &Value| apply(Schema::embedded(), &Value::Null, applied).unwrap_err().to_string();
        let prefix = "failed to create typed patch object (ns/a; /v1, Kind=Pod): ";
        assert_eq!(
            message(&pod(&json!({"containers": [{"name": "c", "bogus": 1}]}))),
            format!("{prefix}.spec.containers[name=\"c\"].bogus: field not declared in schema")
        );
        assert_eq!(
            message(&pod(&json!({"containers": [{"name": "c"}, {"name": "c"}]}))),
            format!("{prefix}.spec.containers: duplicate entries for key [name=\"c\"]")
        );
        let error = apply(Schema::embedded(), &Value::Null, &json!({})).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (400, "invalid object type: /, Kind="));
    }
}
