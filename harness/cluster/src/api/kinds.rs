//! Small facts about kinds that the verbs need: who counts generations, what a new status is.

use serde_json::{Value, json};

/// Kinds whose `metadata.generation` counts changes of the spec.
const GENERATIONS: [&str; 15] = [
    "pods",
    "replicationcontrollers",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
    "poddisruptionbudgets.policy",
    "ingresses.networking.k8s.io",
    "ingressclasses.networking.k8s.io",
    "networkpolicies.networking.k8s.io",
    "endpointslices.discovery.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
    "priorityclasses.scheduling.k8s.io",
];

/// Whether a kind's `metadata.generation` counts changes of its spec.
pub(super) fn has_generation(store: &str) -> bool {
    GENERATIONS.contains(&store)
}

/// Whether a new object may bring its status: a node registers itself with one.
pub(super) fn keeps_status_when_new(store: &str) -> bool {
    store == "nodes"
}

/// The status of a new object, where it is not empty.
pub(super) fn new_status(store: &str) -> Option<Value> {
    Some(match store {
        "pods" => json!({"phase": "Pending"}),
        "namespaces" => json!({"phase": "Active"}),
        "replicasets.apps" | "replicationcontrollers" => json!({"replicas": 0}),
        "statefulsets.apps" => json!({"availableReplicas": 0, "replicas": 0}),
        "daemonsets.apps" => json!({"currentNumberScheduled": 0, "desiredNumberScheduled": 0,
            "numberMisscheduled": 0, "numberReady": 0}),
        "services" => json!({"loadBalancer": {}}),
        "persistentvolumeclaims" | "persistentvolumes" => json!({"phase": "Pending"}),
        "poddisruptionbudgets.policy" => json!({"currentHealthy": 0, "desiredHealthy": 0,
            "disruptionsAllowed": 0, "expectedPods": 0}),
        "horizontalpodautoscalers.autoscaling" => json!({"currentReplicas": 0, "desiredReplicas": 0}),
        _ => return None,
    })
}
