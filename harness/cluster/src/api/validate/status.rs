//! What a status can't say: fewer than none. (`Validate…Status` of Kubernetes' apps, batch and policy validation.)

use serde_json::Value;

use super::workload::not_negative;
use crate::api::Errors;

/// The counters of a status, by resource.
const COUNTERS: [(&str, &[&str]); 7] = [
    (
        "deployments.apps",
        &[
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "collisionCount",
        ],
    ),
    ("replicasets.apps", SETS),
    ("replicationcontrollers", SETS),
    (
        "statefulsets.apps",
        &[
            "replicas",
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
            "observedGeneration",
            "collisionCount",
        ],
    ),
    (
        "daemonsets.apps",
        &[
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
            "collisionCount",
        ],
    ),
    ("jobs.batch", &["active", "succeeded", "failed", "ready", "terminating"]),
    (
        "poddisruptionbudgets.policy",
        &["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"],
    ),
];

const SETS: &[&str] =
    &["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"];

/// Complaints about a new status.
pub(super) fn counters(store: &str, status: &Value, errors: &mut Errors) {
    let fields =
        COUNTERS.iter().find(|(resource, _)| *resource == store).map_or(&[][..], |(_, fields)| fields);
    for field in fields {
        not_negative(&format_args!("status.{field}"), &status[*field], errors);
    }
}
