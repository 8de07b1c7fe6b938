//! How much memory a version of an object takes: an estimate by one walk, which depends on nothing but the content.
//!
//! It counts what the value occupies as it lies in memory, the owners of its fields, and its JSON, which is made as soon as
//! anybody watches. Allocators have overheads of their own; that the estimate stays near what one really gives is tested.

use serde_json::Value;

use crate::managed::ManagedFields;

/// What every version takes beside its content: its place in the store, in the window, and its key in both.
const FIXED: usize = 640;
/// A node of the tree that a map is: room for eleven keys and values, and what belongs to it.
const NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 32;
/// How many entries a node has at least, once there are several.
const LEAST: usize = 6;
/// What an allocation costs beside what was asked for.
const BLOCK: usize = 16;

/// What is told of a version of an object.
pub(super) struct Measure {
    /// What it takes, in bytes.
    pub(super) weight: u64,
    /// How many levels its value has; none if it has no parts.
    pub(super) depth: usize,
}

/// Measures a version of an object.
pub(super) fn of(value: &Value, managed: &ManagedFields) -> Measure {
    // One that is written as it was must not get heavier because of its number.
    let number = value["metadata"]["resourceVersion"].as_str().map_or(0, str::len);
    let size = Size::of(value);
    let bytes = FIXED + size.below + size.json + managed.weight() - number;
    Measure { weight: bytes as u64, depth: size.depth }
}

/// The size of a value.
struct Size {
    /// What it takes beside its own place.
    below: usize,
    /// How long its JSON is, give or take what has to be escaped.
    json: usize,
    depth: usize,
}

impl Size {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Self { below: 0, json: 4, depth: 0 },
            Value::String(text) => Self { below: block(text.len()), json: text.len() + 2, depth: 0 },
            Value::Array(items) => {
                let mut all = Self { below: block(size_of_val(items.as_slice())), json: 2, depth: 1 };
                items.iter().for_each(|item| all.add(&Self::of(item), 0, 1));
                all
            }
            Value::Object(fields) => {
                let nodes = match fields.len() {
                    0 => 0,
                    1..=11 => 1,
                    many => many / LEAST + 1,
                };
                let mut all = Self { below: nodes * NODE, json: 2, depth: 1 };
                for (name, value) in fields {
                    all.add(&Self::of(value), block(name.len()), name.len() + 4);
                }
                all
            }
        }
    }

    /// Adds a part, and what its name takes in memory and in JSON.
    fn add(&mut self, part: &Self, below: usize, json: usize) {
        self.below += part.below + below;
        self.json += part.json + json;
        self.depth = self.depth.max(part.depth + 1);
    }
}

/// What an allocation of so many bytes takes.
fn block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes.next_multiple_of(BLOCK) + BLOCK / 2 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        managed::Claim,
        store::{Key, Stored},
    };

    /// A pod as kubelets leave it.
    fn pod() -> Value {
        let state = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"registry.example/shop/web:1.2.3\""}});
        let condition = |of: &str| {
            json!({"type": of, "status": "False", "reason": "ContainersNotReady",
            "message": "containers with unready status: [web]", "lastProbeTime": null, "lastTransitionTime": "2026-01-02T03:04:05Z"})
        };
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web-5d4f8c7b9-x2x4z", "namespace": "shop", "uid": "c2a1f1b4-6c5e-4a3e-9d0e-0a4f2d1b7c11",
                "labels": {"app": "web", "pod-template-hash": "5d4f8c7b9"}, "generateName": "web-5d4f8c7b9-",
                "creationTimestamp": "2026-01-02T03:04:05Z",
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f8c7b9",
                    "uid": "aaa1f1b4-6c5e-4a3e-9d0e-0a4f2d1b7c11", "controller": true, "blockOwnerDeletion": true}]},
            "spec": {"containers": [{"name": "web", "image": "registry.example/shop/web:1.2.3", "resources": {},
                    "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log"}],
                "nodeName": "node-1", "tolerations": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}]},
            "status": {"phase": "Pending", "conditions": [condition("Ready"), condition("ContainersReady"), condition("Initialized")],
                "containerStatuses": [{"name": "web", "image": "registry.example/shop/web:1.2.3", "ready": false, "state": state}]}})
    }

    /// The owners of all its fields.
    fn owners() -> ManagedFields {
        let entry = |manager: &str, fields: Value| {
            json!({"manager": manager, "operation": "Update", "apiVersion": "v1",
            "time": "2026-01-02T03:04:05Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
        };
        let entries = json!([
            entry(
                "kube-controller-manager",
                json!({"f:metadata": {"f:generateName": {}, "f:labels": {".": {}, "f:app": {}}},
                "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}, "f:name": {}, "f:resources": {}}}}})
            ),
            entry(
                "kubelet",
                json!({"f:status": {"f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}, "f:status": {}}},
                "f:phase": {}}})
            ),
        ]);
        let Claim::Entries(owners) = ManagedFields::claimed(&entries) else { panic!("not read") };
        owners
    }

    #[test]
    fn the_estimate_is_near_what_is_allocated() {
        let long =
            json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"text": "x".repeat(500_000)}});
        let wide: Value = (0..2_000)
            .map(|n| (format!("key-{n:04}"), json!("value")))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let deep = (0..50).fold(json!(1), |inner, _| json!({"a": [inner]}));
        for (what, value, managed) in [
            ("a pod", pod(), owners()),
            ("a long text", long, ManagedFields::default()),
            ("many keys", wide, ManagedFields::default()),
            ("a deep one", deep, ManagedFields::default()),
        ] {
            let mut kept = None;
            let text = value.to_string();
            let taken = allocation_counter::measure(|| {
                // As a request brings it, and encoded.
                let read = serde_json::from_str::<Value>(&text).unwrap();
                let stored = Stored::new(
                    Key::of(&read),
                    crate::store::Body { value: read, managed: managed.clone() },
                    7,
                );
                drop(stored.bytes());
                kept = Some(stored);
            });
            let (estimate, taken) = (kept.unwrap().weight() as f64, taken.bytes_current as f64);
            assert!((0.8..1.9).contains(&(estimate / taken)), "{what}: {estimate} for {taken}");
        }
    }
}
