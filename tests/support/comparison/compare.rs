//! Comparing two recordings of the same drill: same events in the same order, same texts, same statuses,
//! same back-off steps. The answer is a list of differences that a person can read; empty means alike.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use similar::TextDiff;

use super::{
    normalise::Normaliser,
    recording::{Recording, Version, containers, status_column},
    sequence::sequence,
    timeline::timelines,
};

/// Compares all of `ours` with `real`: what [`compare`] does, and how pods and workloads went on from the beginning.
#[allow(dead_code, reason = "not every test program compares all")]
pub(crate) fn compare_whole(
    rules: &Normaliser,
    dialect: &str,
    real: &Recording,
    ours: &Recording,
) -> Vec<String> {
    let mut differences = compare(rules, dialect, real, ours);
    differences.extend(timelines(rules, real, ours));
    differences
}

/// Compares `ours` with `real`, recorded under `dialect`.
pub(crate) fn compare(rules: &Normaliser, dialect: &str, real: &Recording, ours: &Recording) -> Vec<String> {
    let mut differences = Vec::new();
    let (Some(real_pod), Some(our_pod)) = (real.pod_in_question(), ours.pod_in_question()) else {
        return vec!["no pod with events in one of the recordings".into()];
    };
    let (real_events, our_events) = (events_of(rules, real, &real_pod), events_of(rules, ours, &our_pod));
    differences.extend(texts(rules, dialect, &real_events, &our_events));
    for (whose, events) in [("real", &real_events), ("ours", &our_events)] {
        for container in judged_containers(events) {
            let beside = events.iter().any(|e| e.object["reason"] == "Started" && field_path(e) != container);
            differences.extend(sequence(rules, dialect, whose, &events_about(events, &container), beside));
        }
    }
    differences.extend(around(rules, (real, &real_pod), (ours, &our_pod)));
    differences.extend(counts(rules, &real_events, &our_events));
    differences.extend(statuses(rules, (real, &real_pod), (ours, &our_pod)));
    differences.extend(waiting_messages(rules, (real, &real_pod), (ours, &our_pod)));
    differences.extend(describe(rules, real, ours));
    differences
}

fn events_of<'a>(rules: &Normaliser, recording: &'a Recording, pod: &str) -> Vec<&'a Version> {
    let mine = |e: &&Version| e.object["involvedObject"]["uid"] == pod && !rules.is_dropped(&e.object);
    recording.events.iter().filter(mine).collect()
}

/// The distinct events about the failing pod, in the order of their first appearance.
fn texts(rules: &Normaliser, dialect: &str, real: &[&Version], ours: &[&Version]) -> Option<String> {
    let either = rules.rules.unordered_pairs.get(dialect).copied().unwrap_or_default();
    let list = |events: &[&Version]| {
        let mut lines: Vec<String> = Vec::new();
        for event in events {
            let line = line(rules, &event.object);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        if either {
            lines.sort();
        }
        lines.join("\n")
    };
    difference("events, in the order of their first appearance", &list(real), &list(ours))
}

/// The containers (as field paths) whose images could not be pulled; where all could be, those that started.
fn judged_containers(events: &[&Version]) -> BTreeSet<String> {
    let about = |reason: &str| -> BTreeSet<String> {
        let events = events.iter().filter(|e| e.object["reason"] == reason);
        events.map(|e| field_path(e).to_owned()).collect()
    };
    let failed = about("Failed");
    if failed.is_empty() { about("Started") } else { failed }
}

/// The events about one container, and those about its pod.
fn events_about<'a>(events: &[&'a Version], container: &str) -> Vec<&'a Version> {
    events.iter().copied().filter(|e| ["", container].contains(&field_path(e))).collect()
}

fn field_path(event: &Version) -> &str {
    event.object["involvedObject"]["fieldPath"].as_str().unwrap_or_default()
}

/// What is said about everything else in the namespace: the workload and its other pods.
fn around(rules: &Normaliser, real: (&Recording, &str), ours: (&Recording, &str)) -> Option<String> {
    let list = |(recording, pod): (&Recording, &str)| {
        let others = recording.events.iter().map(|e| &e.object);
        let others = others.filter(|o| o["involvedObject"]["uid"] != pod && !rules.is_dropped(o));
        let lines: BTreeSet<String> = others.map(|o| line(rules, o)).collect();
        lines.into_iter().collect::<Vec<_>>().join("\n")
    };
    difference("events about other objects, sorted", &list(real), &list(ours))
}

/// Who says what about what.
fn line(rules: &Normaliser, event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {} {} {} {} | {}",
        text(&event["type"]),
        text(&event["reason"]),
        text(&event["source"]["component"]),
        text(&event["involvedObject"]["kind"]),
        text(&event["involvedObject"]["fieldPath"]),
        rules.text(event["message"].as_str().unwrap_or_default()),
    )
}

/// Totals by reason at the end.
fn counts(rules: &Normaliser, real: &[&Version], ours: &[&Version]) -> Vec<String> {
    let totals = |events: &[&Version]| {
        let mut totals: BTreeMap<String, i64> = BTreeMap::new();
        for event in events {
            let reason = event.object["reason"].as_str().unwrap_or_default();
            *totals.entry(reason.to_owned()).or_default() += 1;
        }
        totals
    };
    let (real, ours) = (totals(real), totals(ours));
    let mut differences = Vec::new();
    for reason in real.keys().chain(ours.keys()) {
        let of = |totals: &BTreeMap<String, i64>| totals.get(reason).copied().unwrap_or_default();
        let tolerance = rules.rules.count_tolerance.get(reason).copied().unwrap_or_default();
        if (of(&real) - of(&ours)).abs() > tolerance {
            differences.push(format!("{reason}: written {} times, ours {} times", of(&real), of(&ours)));
        }
    }
    differences.dedup();
    differences
}

/// The STATUS column over time.
fn statuses(rules: &Normaliser, real: (&Recording, &str), ours: (&Recording, &str)) -> Option<String> {
    let list = |(recording, pod): (&Recording, &str)| {
        let mut seen: Vec<String> = Vec::new();
        for change in recording.pods.iter().filter(|p| p["metadata"]["uid"] == pod) {
            let status = status_column(change);
            if seen.last() != Some(&status) {
                seen.push(status);
            }
        }
        seen
    };
    let (real, ours) = (list(real), list(ours));
    if real == ours && !real.is_empty() {
        return None;
    }
    let common = real.len().min(ours.len());
    let tail = real.len().abs_diff(ours.len());
    if tail <= rules.rules.status_tail && common >= 5 && real[..common] == ours[..common] {
        return None;
    }
    difference("STATUS over time", &real.join("\n"), &ours.join("\n"))
        .or_else(|| Some(format!("too few statuses: {real:?}")))
}

/// Reason and message of every waiting container.
fn waiting_messages(
    rules: &Normaliser,
    real: (&Recording, &str),
    ours: (&Recording, &str),
) -> Option<String> {
    let list = |(recording, pod): (&Recording, &str)| {
        let mut seen: Vec<String> = Vec::new();
        for change in recording.pods.iter().filter(|p| p["metadata"]["uid"] == pod) {
            for (n, container) in containers(change).enumerate() {
                let waiting = &container["state"]["waiting"];
                let text = |value: &Value| rules.text(value.as_str().unwrap_or_default());
                let line = format!("{n}: {}: {}", text(&waiting["reason"]), text(&waiting["message"]));
                if !waiting.is_null() && !seen.contains(&line) {
                    seen.push(line);
                }
            }
        }
        seen.join("\n")
    };
    difference("waiting reasons and messages", &list(real), &list(ours))
}

/// What `kubectl describe pods` prints.
fn describe(rules: &Normaliser, real: &Recording, ours: &Recording) -> Option<String> {
    let text = |recording: &Recording| rules.describe(&recording.describe).join("\n");
    difference("kubectl describe pods", &text(real), &text(ours))
}

pub(super) fn difference(what: &str, real: &str, ours: &str) -> Option<String> {
    if real == ours {
        return None;
    }
    let (real, ours) = (format!("{real}\n"), format!("{ours}\n"));
    let diff = TextDiff::from_lines(&real, &ours);
    Some(format!("{what}:\n{}", diff.unified_diff().context_radius(1).header("real", "ours")))
}
