//! What workloads ask about pods, and how they make them from a template.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    json::{condition, int, items, text, time},
    meta::{annotation, controller_reference, deleting, name},
};

/// Whether the pod has ended, well or badly.
pub(crate) fn ended(pod: &Value) -> bool {
    matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed")
}

/// Whether the pod counts towards what a workload wants.
pub(crate) fn active(pod: &Value) -> bool {
    !ended(pod) && !deleting(pod)
}

/// Since when the pod has been ready.
pub(crate) fn ready_since(pod: &Value) -> Option<Timestamp> {
    let ready = condition(pod, "Ready").filter(|c| c["status"] == "True")?;
    Some(time(&ready["lastTransitionTime"]).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Whether the pod is ready.
pub(crate) fn ready(pod: &Value) -> bool {
    ready_since(pod).is_some()
}

/// Since when the pod has been, or from when it will be, available.
pub(crate) fn available_from(pod: &Value, min_ready: SignedDuration) -> Option<Timestamp> {
    Some(ready_since(pod)? + min_ready)
}

/// Whether the pod has been ready for long enough.
pub(crate) fn available(pod: &Value, min_ready: SignedDuration, now: Timestamp) -> bool {
    available_from(pod, min_ready).is_some_and(|from| min_ready.is_zero() || from <= now)
}

/// The first moment after `now` at which one of the pods becomes available.
pub(crate) fn next_available<'a>(
    pods: impl IntoIterator<Item = &'a Value>,
    min_ready: SignedDuration,
    now: Timestamp,
) -> Option<Timestamp> {
    pods.into_iter().filter_map(|pod| available_from(pod, min_ready)).filter(|from| *from > now).min()
}

/// A pod from the template of `owner`, without a name.
pub(crate) fn from_template(template: &Value, owner: &Value) -> Value {
    let mut metadata = json!({"ownerReferences": [controller_reference(owner)]});
    for field in ["labels", "annotations", "finalizers"] {
        if !template["metadata"][field].is_null() {
            metadata[field] = template["metadata"][field].clone();
        }
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

/// Orders pods by who is given up first: `Less` dies before `Greater`. `neighbours` says how many pods of the
/// same workload share a pod's node.
pub(crate) fn expendable_first(a: &Value, b: &Value, neighbours: impl Fn(&Value) -> usize) -> Ordering {
    let assigned = |pod: &Value| !text(&pod["spec"]["nodeName"]).is_empty();
    let phase = |pod: &Value| match text(&pod["status"]["phase"]) {
        "Running" => 2,
        "Unknown" => 1,
        _ => 0,
    };
    let cost = |pod: &Value| {
        annotation(pod, "controller.kubernetes.io/pod-deletion-cost").parse::<i32>().unwrap_or(0)
    };
    let created = |pod: &Value| time(&pod["metadata"]["creationTimestamp"]);
    assigned(a)
        .cmp(&assigned(b))
        .then_with(|| phase(a).cmp(&phase(b)))
        .then_with(|| ready(a).cmp(&ready(b)))
        .then_with(|| cost(a).cmp(&cost(b)))
        .then_with(|| neighbours(b).cmp(&neighbours(a)))
        .then_with(|| ready_since(b).cmp(&ready_since(a)))
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| created(b).cmp(&created(a)))
        .then_with(|| name(b).cmp(name(a)))
}

fn restarts(pod: &Value) -> i64 {
    items(&pod["status"]["containerStatuses"]).iter().map(|c| int(&c["restartCount"])).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, node: &str, phase: &str, ready: Option<&str>, restarts: i64) -> Value {
        let conditions = ready.map_or(
            json!([{"type": "Ready", "status": "False"}]),
            |at| json!([{"type": "Ready", "status": "True", "lastTransitionTime": at}]),
        );
        json!({"metadata": {"name": name, "creationTimestamp": "2026-11-22T20:00:00Z"},
            "spec": {"nodeName": node},
            "status": {"phase": phase, "conditions": conditions, "containerStatuses": [{"restartCount": restarts}]}})
    }

    #[test]
    fn broken_pods_die_first_and_the_oldest_healthy_one_last() {
        let mut pods = [
            pod("old", "n1", "Running", Some("2026-11-22T20:00:01Z"), 0),
            pod("crowded", "n2", "Running", Some("2026-11-22T20:00:01Z"), 0),
            pod("restarted", "n1", "Running", Some("2026-11-22T20:00:01Z"), 3),
            pod("new", "n1", "Running", Some("2026-11-22T20:00:09Z"), 0),
            pod("unready", "n1", "Running", None, 0),
            pod("pulling", "n1", "Pending", None, 0),
            pod("unassigned", "", "Pending", None, 0),
        ];
        pods.sort_by(|a, b| expendable_first(a, b, |p| if p["spec"]["nodeName"] == "n2" { 2 } else { 1 }));
        let names: Vec<&str> = pods.iter().map(name).collect();
        assert_eq!(names, ["unassigned", "pulling", "unready", "crowded", "new", "restarted", "old"]);
    }

    #[test]
    fn availability_waits_for_min_ready_seconds() {
        let pod = pod("a", "n1", "Running", Some("2026-11-22T20:00:00Z"), 0);
        let at = |s: i64| {
            Timestamp::from_second("2026-11-22T20:00:00Z".parse::<Timestamp>().unwrap().as_second() + s)
                .unwrap()
        };
        let ten = SignedDuration::from_secs(10);
        assert!(available(&pod, SignedDuration::ZERO, at(-5)));
        assert!(!available(&pod, ten, at(9)));
        assert!(available(&pod, ten, at(10)));
        assert_eq!(next_available([&pod], ten, at(3)), Some(at(10)));
        assert_eq!(next_available([&pod], ten, at(10)), None);
    }
}
