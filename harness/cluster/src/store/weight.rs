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

/// What a version of an object takes, in bytes.
pub(super) fn of(value: &Value, managed: &ManagedFields) -> u64 {
    // One that is written as it was must not get heavier because of its number.
    let number = value["metadata"]["resourceVersion"].as_str().map_or(0, str::len);
    let bytes = FIXED + below(value) + json(value) + managed.weight() - number;
    bytes as u64
}

/// What a value takes beside its own place.
fn below(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => block(text.len()),
        Value::Array(items) => block(size_of_val(items.as_slice())) + items.iter().map(below).sum::<usize>(),
        Value::Object(fields) => {
            let nodes = match fields.len() {
                0 => 0,
                1..=11 => 1,
                many => many / LEAST + 1,
            };
            let entries = fields.iter().map(|(name, value)| block(name.len()) + below(value));
            nodes * NODE + entries.sum::<usize>()
        }
    }
}

/// How long the JSON is, give or take what has to be escaped.
fn json(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| json(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields.iter().map(|(name, value)| name.len() + 4 + json(value)).sum::<usize>()
        }
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
