//! The pod of a DaemonSet on one node.

use serde_json::{Value, json};

use super::{
    super::{
        json::{items, text},
        meta::{label, name},
        pods,
        revisions::HASH_LABEL,
    },
    template_generation,
};

/// What daemons put up with, so that they run where others don't: taint and effect.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// The pod for a node: the scheduler is told by affinity to put it there.
pub(super) fn on_node(set: &Value, node: &str, hash: &str) -> Value {
    let mut pod = pods::from_template(&set["spec"]["template"], set);
    pod["metadata"]["generateName"] = format!("{}-", name(set)).into();
    label(&mut pod, HASH_LABEL, hash);
    label(&mut pod, "pod-template-generation", &template_generation(set));
    let here = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    let required =
        &mut pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    match required["nodeSelectorTerms"].as_array_mut() {
        Some(terms) => terms.iter_mut().for_each(|term| term["matchFields"] = json!([here])),
        None => *required = json!({"nodeSelectorTerms": [{"matchFields": [here]}]}),
    }
    let mut tolerations = items(&pod["spec"]["tolerations"]).to_vec();
    tolerations
        .extend(TOLERATED.map(|(key, effect)| json!({"key": key, "operator": "Exists", "effect": effect})));
    if pod["spec"]["hostNetwork"] == true {
        tolerations.push(
            json!({"key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"}),
        );
    }
    pod["spec"]["tolerations"] = tolerations.into();
    pod
}

/// The node that a pod runs on, or is meant for.
pub(super) fn node_of(pod: &Value) -> &str {
    if let Some(node) = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()) {
        return node;
    }
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let fields = items(&required["nodeSelectorTerms"]).iter().flat_map(|term| items(&term["matchFields"]));
    let named = fields.filter(|f| f["key"] == "metadata.name").flat_map(|f| items(&f["values"])).next();
    named.map(text).unwrap_or_default()
}
