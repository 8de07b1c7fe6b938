//! Ordinals, and the pods that are made for one.

use serde_json::{Value, json};

use super::super::{
    deps::Deps,
    json::{items, text},
    meta::{label, name, namespace},
    pods,
    revisions::{HASH_LABEL, template_of},
};
use crate::api::Status;

/// The ordinal in a pod's name, if it is one of the set's.
pub(super) fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    let rest = name(pod).strip_prefix(name(set))?.strip_prefix('-')?;
    let canonical = rest == "0" || !rest.starts_with(['0', '+', '-']);
    rest.parse().ok().filter(|_| canonical)
}

/// The revision that a pod was made from.
pub(super) fn revision(pod: &Value) -> &str {
    text(&pod["metadata"]["labels"][HASH_LABEL])
}

/// Makes the pod of an ordinal from a revision, and the claims that it needs.
pub(super) fn make(deps: &Deps, set: &Value, revision: &Value, ordinal: i64) -> Result<(), Status> {
    let pod_name = format!("{}-{ordinal}", name(set));
    let mut pod = pods::from_template(&template_of(revision), set);
    pod["metadata"]["name"] = pod_name.as_str().into();
    pod["metadata"]["generateName"] = format!("{}-", name(set)).into();
    label(&mut pod, "statefulset.kubernetes.io/pod-name", &pod_name);
    label(&mut pod, HASH_LABEL, name(revision));
    if deps.wording.pod_index_label {
        label(&mut pod, "apps.kubernetes.io/pod-index", &ordinal.to_string());
    }
    pod["spec"]["hostname"] = pod_name.as_str().into();
    if let Some(service) = set["spec"]["serviceName"].as_str().filter(|s| !s.is_empty()) {
        pod["spec"]["subdomain"] = service.into();
    }
    for template in items(&set["spec"]["volumeClaimTemplates"]) {
        let volume = name(template);
        let claim = format!("{volume}-{pod_name}");
        claim_storage(deps, set, template, &claim)?;
        let volumes = &mut pod["spec"]["volumes"];
        if !volumes.is_array() {
            *volumes = json!([]);
        }
        if let Some(volumes) = volumes.as_array_mut() {
            volumes.retain(|v| v["name"] != volume);
            volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}}));
        }
    }
    deps.create("pods", namespace(set), pod).map(drop)
}

fn claim_storage(deps: &Deps, set: &Value, template: &Value, claim: &str) -> Result<(), Status> {
    let mut metadata = template["metadata"].clone();
    metadata["name"] = claim.into();
    let labels = &set["spec"]["selector"]["matchLabels"];
    if metadata["labels"].is_null() && labels.is_object() {
        metadata["labels"] = labels.clone();
    }
    let object = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]});
    match deps.create("persistentvolumeclaims", namespace(set), object) {
        Err(error) if error.reason != "AlreadyExists" => Err(error),
        _ => Ok(()),
    }
}
