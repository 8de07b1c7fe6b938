//! The status of a ReplicaSet.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::{
    children::min_ready,
    deps::Deps,
    json::{counters, int, items},
    meta::deleting,
    pods,
};
use crate::{api::Status, store::Stored};

/// What the status should say, given the pods and how managing them went.
pub(super) fn of(deps: &Deps, set: &Value, children: &[Arc<Stored>], failure: Option<&Status>) -> Value {
    let now = deps.now();
    let count = |test: &dyn Fn(&Value) -> bool| {
        children.iter().map(|pod| pod.value()).filter(|pod| test(pod)).count() as i64
    };
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    let fully_labelled = |pod: &Value| {
        labels.as_object().into_iter().flatten().all(|(k, v)| pod["metadata"]["labels"].get(k) == Some(v))
    };
    let replicas = count(&pods::active);
    let mut status = Value::Object(counters([
        ("fullyLabeledReplicas", count(&|pod| pods::active(pod) && fully_labelled(pod))),
        ("readyReplicas", count(&|pod| pods::active(pod) && pods::ready(pod))),
        ("availableReplicas", count(&|pod| pods::active(pod) && pods::available(pod, min_ready(set), now))),
        ("observedGeneration", int(&set["metadata"]["generation"])),
    ]));
    status["replicas"] = replicas.into();
    let conditions = conditions(deps, set, replicas, failure);
    if !conditions.is_empty() {
        status["conditions"] = conditions.into();
    }
    status
}

/// How many pods are on their way out.
pub(super) fn terminating(children: &[Arc<Stored>]) -> usize {
    children.iter().map(|pod| pod.value()).filter(|pod| deleting(pod) && !pods::ended(pod)).count()
}

fn conditions(deps: &Deps, set: &Value, replicas: i64, failure: Option<&Status>) -> Vec<Value> {
    let mut conditions = items(&set["status"]["conditions"]).to_vec();
    let present = conditions.iter().any(|c| c["type"] == "ReplicaFailure");
    match failure {
        Some(failure) if !present => {
            let wanted = set["spec"]["replicas"].as_i64().unwrap_or(1);
            let reason = if replicas < wanted { "FailedCreate" } else { "FailedDelete" };
            conditions
                .push(json!({"type": "ReplicaFailure", "status": "True", "lastTransitionTime": deps.stamp(),
                "reason": reason, "message": failure.message}));
        }
        None => conditions.retain(|c| c["type"] != "ReplicaFailure"),
        Some(_) => {}
    }
    conditions
}
