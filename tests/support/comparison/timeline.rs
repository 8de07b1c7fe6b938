//! Comparing how objects went on: the conditions of pods and what their statuses held in the end, and the replicas and
//! conditions of what makes pods.
//!
//! Controllers write as often as they are woken, and how many pods they then find ready is of chance. What is not: every
//! condition that an object ever had, in which order, and each state in which it came to rest.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    compare::difference,
    normalise::Normaliser,
    recording::{Recording, Version},
};

/// Compares the timelines of `ours` with those of `real`.
pub(super) fn timelines(rules: &Normaliser, real: &Recording, ours: &Recording) -> Vec<String> {
    let mut differences = Vec::new();
    let both = |what: &str, of: &dyn Fn(&Recording) -> Vec<String>| {
        difference(what, &of(real).join("\n"), &of(ours).join("\n"))
    };
    let told = |all: bool| {
        both("conditions of pods over time", &|r| each_pod(r, |pod| conditions_over_time(rules, pod, all)))
    };
    differences.extend(told(true).and_then(|_| told(false)));
    differences.extend(waits(rules, real, ours));
    differences.extend(both("statuses of pods in the end", &|r| each_pod(r, |pod| last_status(rules, pod))));
    differences.extend(both("conditions of workloads, in the order of their first appearance", &|r| {
        each_workload(r, |versions| first_conditions(rules, versions))
    }));
    differences.extend(both("workloads at rest", &|r| each_workload(r, |versions| rests(rules, versions))));
    differences
}

/// How long pulls took that took long: where nodes pull one image at a time, most of that is waiting in line.
fn waits(rules: &Normaliser, real: &Recording, ours: &Recording) -> Vec<String> {
    let (least, tolerance) = rules.rules.long_pull;
    let mut differences = Vec::new();
    for (number, (real, ours)) in pulls(real).into_iter().zip(pulls(ours)).enumerate() {
        for (attempt, (real, ours)) in real.into_iter().zip(ours).enumerate() {
            if real.max(ours) >= least && (real - ours).abs() > tolerance {
                let (number, attempt) = (number + 1, attempt + 1);
                differences
                    .push(format!("container {number}: pull {attempt} took {real:.1} s, ours {ours:.1} s"));
            }
        }
    }
    differences
}

/// The pulls of one container.
struct Pulls<'a> {
    /// The uid of its pod, and its path.
    container: (&'a Value, &'a Value),
    /// When the one that has not ended began.
    since: Option<f64>,
    /// How many seconds the others took.
    took: Vec<f64>,
}

/// By container, in the order of their first pulls: the seconds from each `Pulling` to what came of it.
fn pulls(recording: &Recording) -> Vec<Vec<f64>> {
    let mut all: Vec<Pulls<'_>> = Vec::new();
    for event in &recording.events {
        let container =
            (&event.object["involvedObject"]["uid"], &event.object["involvedObject"]["fieldPath"]);
        let (begins, at) = (event.object["reason"] == "Pulling", event.happened());
        match all.iter_mut().find(|pulls| pulls.container == container) {
            None if begins => all.push(Pulls { container, since: Some(at), took: Vec::new() }),
            Some(pulls) if begins => pulls.since = Some(at),
            Some(pulls) if event.ends_a_pull() => {
                pulls.took.extend(pulls.since.take().map(|since| at - since));
            }
            _ => {}
        }
    }
    all.into_iter().map(|pulls| pulls.took).collect()
}

/// What is told of each pod, sorted: names are of chance.
fn each_pod(recording: &Recording, tell: impl Fn(&[&Value]) -> String) -> Vec<String> {
    let uids: BTreeSet<&str> =
        recording.pods.iter().filter_map(|pod| pod["metadata"]["uid"].as_str()).collect();
    let versions =
        |uid: &str| recording.pods.iter().filter(|pod| pod["metadata"]["uid"] == *uid).collect::<Vec<_>>();
    let mut told: Vec<String> = uids.into_iter().map(|uid| tell(&versions(uid))).collect();
    told.sort();
    told
}

/// What is told of each workload, in the order of their making.
fn each_workload(recording: &Recording, tell: impl Fn(&[&Version]) -> Vec<String>) -> Vec<String> {
    let mut uids: Vec<(&Value, &Value)> = Vec::new();
    for Version { object, .. } in &recording.workloads {
        let one = (&object["kind"], &object["metadata"]["uid"]);
        if !uids.contains(&one) {
            uids.push(one);
        }
    }
    uids.sort_by_key(|(kind, _)| kind.as_str());
    let mut told = Vec::new();
    for (number, (kind, uid)) in uids.into_iter().enumerate() {
        let of = recording.workloads.iter().filter(|seen| seen.object["metadata"]["uid"] == *uid);
        let kind = kind.as_str().unwrap_or_default();
        let lines = tell(&of.collect::<Vec<_>>());
        told.extend(lines.into_iter().map(|line| format!("{kind} {number}: {line}")));
    }
    told
}

/// One condition, without its times.
fn condition(rules: &Normaliser, condition: &Value) -> String {
    let text = |field: &str| rules.text(condition[field].as_str().unwrap_or_default());
    let mut line = format!("{}={}", text("type"), text("status"));
    if !condition["reason"].is_null() || !condition["message"].is_null() {
        line.push_str(&format!(" ({}: {})", text("reason"), text("message")));
    }
    if !condition["observedGeneration"].is_null() {
        line.push_str(&format!(" of generation {}", condition["observedGeneration"]));
    }
    line
}

/// The conditions of an object, sorted: their order in the list says nothing.
fn conditions(rules: &Normaliser, object: &Value) -> Vec<String> {
    let list = object["status"]["conditions"].as_array().into_iter().flatten();
    let mut conditions: Vec<String> = list.map(|one| condition(rules, one)).collect();
    conditions.sort();
    conditions
}

/// The states of a pod's conditions: `all` of them, or only those that are always seen.
fn conditions_over_time(rules: &Normaliser, pod: &[&Value], all: bool) -> String {
    let passing = |state: &String| rules.rules.passing_conditions.iter().any(|one| state.contains(one));
    let states = pod.iter().map(|version| conditions(rules, version).join(", "));
    let mut states: Vec<String> = states.filter(|state| all || !passing(state)).collect();
    states.dedup();
    states.join("\n")
}

/// Everything in the last status but conditions, which are told over time, as are reasons to wait for an image.
fn last_status(rules: &Normaliser, pod: &[&Value]) -> String {
    let mut lines = Vec::new();
    if let Some(last) = pod.last() {
        leaves(&last["status"], "", &mut lines);
    }
    let kept = |(path, _): &(String, String)| {
        let rule = |left_out: &String| path == left_out || path.starts_with(&format!("{left_out}."));
        !rules.rules.not_of_a_status.iter().any(rule)
    };
    let lines = lines.into_iter().filter(kept);
    lines.map(|(path, value)| rules.text(&format!("{path}: {value}"))).collect::<Vec<_>>().join("\n")
}

/// Every value in an object, by its path without the places in lists.
fn leaves(value: &Value, path: &str, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &path, into);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| leaves(value, path, into)),
        Value::String(text) => into.push((path.to_owned(), text.clone())),
        other => into.push((path.to_owned(), other.to_string())),
    }
}

fn first_conditions(rules: &Normaliser, versions: &[&Version]) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for one in versions.iter().flat_map(|version| conditions(rules, &version.object)) {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

/// The states that lasted, the last one among them.
fn rests(rules: &Normaliser, versions: &[&Version]) -> Vec<String> {
    let until = versions.iter().skip(1).map(|next| next.at).chain([f64::INFINITY]);
    let lasting =
        versions.iter().zip(until).filter(|(version, until)| until - version.at >= rules.rules.rest_seconds);
    let mut states: Vec<String> = lasting.map(|(version, _)| state(rules, &version.object)).collect();
    states.dedup();
    states
}

/// What is wanted of a workload, what there is, and its conditions.
fn state(rules: &Normaliser, object: &Value) -> String {
    let (metadata, spec) = (&object["metadata"], &object["spec"]);
    let mut words = vec![
        format!("generation {}", metadata["generation"]),
        format!("replicas {}", spec["replicas"]),
        format!("image {}", spec["template"]["spec"]["containers"][0]["image"]),
    ];
    if let Some(revision) = metadata["annotations"]["deployment.kubernetes.io/revision"].as_str() {
        words.push(format!("revision {revision}"));
    }
    let mut lines = Vec::new();
    leaves(&object["status"], "status", &mut lines);
    let counts = lines.into_iter().filter(|(path, _)| !path.starts_with("status.conditions"));
    words.extend(counts.map(|(path, value)| rules.text(&format!("{path} {value}"))));
    words.extend(conditions(rules, object));
    words.join(", ")
}
