//! Containers that are added to a running pod for a look (`kubectl debug`): what they may be, and that they stay.
//!
//! The rules are those of `ValidatePodEphemeralContainersUpdate` in Kubernetes' core validation.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{container, pod};
use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
};

/// What containers that are only for a look can't have.
const NOT_THEIRS: [&str; 8] = [
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "resizePolicy",
    "resources",
    "restartPolicy",
    "startupProbe",
];

const PATH: &str = "spec.ephemeralContainers";

/// Complaints about a new pod.
pub(super) fn none_yet(pod: &Value, errors: &mut Errors) {
    if !items(&pod["spec"]["ephemeralContainers"]).is_empty() {
        errors.forbidden(PATH, "cannot be set on create");
    }
}

/// Complaints about such containers of a pod's spec (`validateEphemeralContainers`).
pub(super) fn check(path: FieldPath<'_>, spec: &Value, volumes: &BTreeSet<&str>, errors: &mut Errors) {
    let names_in =
        |list: &str| -> BTreeSet<&str> { items(&spec[list]).iter().map(|c| text(&c["name"])).collect() };
    let containers = items(&spec["ephemeralContainers"]);
    if containers.is_empty() {
        return;
    }
    let targets = names_in("containers");
    let mut taken: BTreeSet<&str> = targets.union(&names_in("initContainers")).copied().collect();
    for (index, container) in containers.iter().enumerate() {
        let path = format_args!("{path}.ephemeralContainers[{index}]");
        container::common(&path, container, volumes, errors);
        container::image_only_for_pods(&format_args!("{path}.image"), &container["image"], errors);
        let name = &container["name"];
        if !taken.insert(text(name)) {
            errors.duplicate(format_args!("{path}.name"), name);
        }
        let target = &container["targetContainerName"];
        if !text(target).is_empty() && !targets.contains(text(target)) {
            errors.not_found(format_args!("{path}.targetContainerName"), target);
        }
        for field in NOT_THEIRS.into_iter().filter(|field| is_set(&container[*field])) {
            errors.forbidden(format_args!("{path}.{field}"), "cannot be set for an Ephemeral Container");
        }
    }
}

/// Complaints about a change of a pod's ephemeral containers.
pub(super) fn change(old: &Value, new: &Value, errors: &mut Errors) {
    let spec = &new["spec"];
    let volumes = items(&spec["volumes"]).iter().map(|volume| text(&volume["name"])).collect();
    check(&"spec", spec, &volumes, errors);
    let present = items(&spec["ephemeralContainers"]);
    for was in items(&old["spec"]["ephemeralContainers"]) {
        let name = text(&was["name"]);
        match present.iter().find(|c| c["name"] == was["name"]) {
            None => {
                let detail = format!("existing ephemeral containers {name:?} may not be removed\n");
                errors.forbidden(PATH, &detail);
            }
            Some(is) if is != was => {
                let difference = pod::difference(was, is);
                let detail =
                    format!("existing ephemeral containers {name:?} may not be changed\n{difference}");
                errors.forbidden(PATH, &detail);
            }
            Some(_) => {}
        }
    }
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(added: &Value) -> Value {
        json!({"spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "first"}],
            "ephemeralContainers": added}})
    }

    fn complaints(old: &Value, new: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        change(&pod(old), &pod(new), &mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn they_are_added_and_never_changed() {
        let one = json!({"name": "d1", "image": "b", "imagePullPolicy": "Always", "resources": {}});
        let mut two = one.clone();
        two["name"] = json!("d2");
        two["targetContainerName"] = json!("app");
        assert!(complaints(&json!([one]), &json!([two, one])).is_empty());
        let removed = complaints(&json!([one]), &json!([two]));
        assert_eq!(
            removed,
            [
                "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"d1\" may not be removed\n"
            ]
        );
        let mut changed = one.clone();
        changed["image"] = json!("c");
        assert!(
            complaints(&json!([one]), &json!([changed]))[0].contains("\"d1\" may not be changed\n- \timage")
        );
    }

    #[test]
    fn they_have_names_of_their_own_and_fewer_fields() {
        let bad = json!([
            {"name": "app", "image": "b", "imagePullPolicy": "Always", "ports": [{"containerPort": 80}]},
            {"name": "d", "image": "b", "imagePullPolicy": "Always", "targetContainerName": "first"},
        ]);
        assert_eq!(
            complaints(&json!([]), &bad),
            [
                "spec.ephemeralContainers[0].name: Duplicate value: \"app\"",
                "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
                "spec.ephemeralContainers[1].targetContainerName: Not found: \"first\"",
            ]
        );
    }
}
