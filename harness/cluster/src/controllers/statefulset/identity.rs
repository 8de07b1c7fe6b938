//! Ordinals, and the pods that are made for one.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    super::{
        deps::Deps,
        json::text,
        meta::{label, name, namespace},
        pods,
        revisions::{HASH_LABEL, template_of},
    },
    claims,
};
use crate::{api::Status, store::Stored};

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

/// The name of the pod of an ordinal.
pub(super) fn pod_name(set: &Value, ordinal: i64) -> String {
    format!("{}-{ordinal}", name(set))
}

/// Makes the pod of an ordinal from a revision.
pub(super) fn make(deps: &Deps, set: &Value, revision: &Value, ordinal: i64) -> Result<Arc<Stored>, Status> {
    let pod_name = pod_name(set, ordinal);
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
    for (template, claim) in claims::named(set, &pod_name) {
        let volume = name(template);
        let volumes = &mut pod["spec"]["volumes"];
        if !volumes.is_array() {
            *volumes = json!([]);
        }
        if let Some(volumes) = volumes.as_array_mut() {
            volumes.retain(|v| v["name"] != volume);
            volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}}));
        }
    }
    deps.create("pods", namespace(set), pod)
}
