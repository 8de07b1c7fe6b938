//! The symptom gate: whether exactly the expected failure can be seen through the Kubernetes API.

use std::sync::Arc;

use pulldrill_cluster::store::Stored;
use pulldrill_scenarios::Variant;
use serde_json::Value;

use crate::observe::{
    Snapshot, Workload, pods,
    snapshot::uid,
    workload::{container_status, is_leaving, is_ready},
};

/// What was seen; in `Err`, what instead of the symptom.
pub(crate) type Seen = Result<String, String>;

/// Looks for the symptom.
pub(crate) fn look(variant: &Variant, snapshot: &Snapshot) -> Seen {
    let (spec, symptom) = (&variant.workload, &variant.symptom);
    let Some(workload) = Workload::find(snapshot, spec.kind.resource(), &spec.name) else {
        return Err(format!("{} {} does not exist", spec.kind.resource(), spec.name));
    };
    let pods: Vec<Arc<Stored>> =
        workload.pods(snapshot).into_iter().filter(|pod| is_leaving(pod.value()).is_none()).collect();
    let failing = pods.iter().filter(|pod| fails(variant, snapshot, pod.value())).count();
    let running = pods.iter().filter(|pod| is_ready(pod.value())).count();
    if failing >= count(symptom.failing) && running >= count(symptom.running) {
        let reasons: Vec<&str> = symptom.reasons.iter().map(|reason| reason.text()).collect();
        let pod = if failing == 1 { "pod waits" } else { "pods wait" };
        return Ok(format!("{failing} {pod} with {}", reasons.join(" or ")));
    }
    let seen: Vec<String> = pods.iter().map(|pod| describe(pod.value(), &spec.container)).collect();
    Err(match seen.is_empty() {
        true => "there is no pod".into(),
        false => seen.join("; "),
    })
}

/// Whether a pod shows the expected failure.
fn fails(variant: &Variant, snapshot: &Snapshot, pod: &Value) -> bool {
    let Some(status) = container_status(pod, &variant.workload.container) else { return false };
    let waiting = &status["state"]["waiting"];
    let reason = waiting["reason"].as_str().unwrap_or_default();
    if !variant.symptom.reasons.iter().any(|expected| expected.text() == reason) {
        return false;
    }
    let message = waiting["message"].as_str().unwrap_or_default();
    let says = |words: &str, text: &str| text.split(" | ").any(|way| words.contains(way));
    let mut missing = variant.symptom.error.iter().filter(|text| !says(message, text)).peekable();
    if missing.peek().is_none() {
        return true;
    }
    let events = snapshot.list("events");
    let failures: Vec<&str> = events
        .iter()
        .map(|event| event.value())
        .filter(|event| event["reason"] == "Failed" && event["involvedObject"]["uid"] == uid(pod))
        .filter_map(|event| event["message"].as_str())
        .collect();
    missing.all(|text| failures.iter().any(|failure| says(failure, text)))
}

fn describe(pod: &Value, container: &str) -> String {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let message = container_status(pod, container)
        .and_then(|status| status["state"]["waiting"]["message"].as_str())
        .map(|message| format!(" ({message})"))
        .unwrap_or_default();
    format!("{name} is {}{message}", pods::status(pod))
}

fn count(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
