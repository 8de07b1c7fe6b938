//! Comparing two recordings of the same drill: same events in the same order, same texts, same statuses,
//! same back-off steps. The answer is a list of differences that a person can read; empty means alike.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use similar::TextDiff;

use super::{
    normalise::Normaliser,
    recording::{EventChange, Recording, containers, status_column},
};

/// Compares `ours` with `real`, recorded under `dialect`.
pub(crate) fn compare(rules: &Normaliser, dialect: &str, real: &Recording, ours: &Recording) -> Vec<String> {
    let mut differences = Vec::new();
    let (Some(real_pod), Some(our_pod)) = (real.failing_pod(), ours.failing_pod()) else {
        return vec!["no pod with a Failed event in one of the recordings".into()];
    };
    let (real_events, our_events) = (events_of(rules, real, &real_pod), events_of(rules, ours, &our_pod));
    differences.extend(texts(rules, dialect, &real_events, &our_events));
    for (whose, events) in [("real", &real_events), ("ours", &our_events)] {
        for container in failing_containers(events) {
            let beside = events.iter().any(|e| e.object["reason"] == "Started");
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

fn events_of<'a>(rules: &Normaliser, recording: &'a Recording, pod: &str) -> Vec<&'a EventChange> {
    let mine = |e: &&EventChange| e.object["involvedObject"]["name"] == pod && !rules.is_dropped(&e.object);
    recording.events.iter().filter(mine).collect()
}

/// The distinct events about the failing pod, in the order of their first appearance.
fn texts(rules: &Normaliser, dialect: &str, real: &[&EventChange], ours: &[&EventChange]) -> Option<String> {
    let either = rules.rules.unordered_pairs.get(dialect).copied().unwrap_or_default();
    let list = |events: &[&EventChange]| {
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

/// How many events there may be after the limit.
const LONGEST_REST: usize = 16;

/// The containers (as field paths) whose images could not be pulled.
fn failing_containers(events: &[&EventChange]) -> BTreeSet<String> {
    let failed = events.iter().filter(|e| e.object["reason"] == "Failed");
    failed.map(|e| field_path(e).to_owned()).collect()
}

/// The events about one container, and those about its pod.
fn events_about<'a>(events: &[&'a EventChange], container: &str) -> Vec<&'a EventChange> {
    events.iter().copied().filter(|e| ["", container].contains(&field_path(e))).collect()
}

fn field_path(event: &EventChange) -> &str {
    event.object["involvedObject"]["fieldPath"].as_str().unwrap_or_default()
}

/// What is said about everything else in the namespace: the workload and its other pods.
fn around(rules: &Normaliser, real: (&Recording, &str), ours: (&Recording, &str)) -> Option<String> {
    let list = |(recording, pod): (&Recording, &str)| {
        let others = recording.events.iter().map(|e| &e.object);
        let others = others.filter(|o| o["involvedObject"]["name"] != pod && !rules.is_dropped(o));
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

/// What a kubelet says at every sync, whatever the state of the pull.
const AT_EVERY_SYNC: &str = "FailedToRetrieveImagePullSecret";

/// One letter an event: `p`ulling, `f`ailed to pull, `e`rror ErrImagePull, `b`ack-off, `i` for Error:
/// ImagePullBackOff, `S` for scheduled and anything else as `?`.
fn letter(event: &EventChange) -> char {
    let message = event.object["message"].as_str().unwrap_or_default();
    match event.object["reason"].as_str().unwrap_or_default() {
        "Scheduled" => 'S',
        "Pulling" => 'p',
        "BackOff" => 'b',
        "Failed" if message.starts_with("Failed to pull image") => 'f',
        "Failed" if message == "Error: ErrImagePull" => 'e',
        "Failed" if message == "Error: ImagePullBackOff" => 'i',
        _ => '?',
    }
}

/// Checks the order of one recording's events, and the back-off steps, against the state machine. After the
/// event limit has been reached single events are missing, so only what came before is held to the order.
fn sequence(
    rules: &Normaliser,
    dialect: &str,
    whose: &str,
    events: &[&EventChange],
    is_beside: bool,
) -> Vec<String> {
    let either = rules.rules.unordered_pairs.get(dialect).copied().unwrap_or_default();
    let of_the_pull = events.iter().filter(|e| e.object["reason"] != AT_EVERY_SYNC);
    let all: String = of_the_pull.map(|e| letter(e)).collect();
    let mut rest = all.strip_prefix('S').unwrap_or("");
    let pair = |rest: &str, a: char, b: char| {
        let (ab, ba) = (format!("{a}{b}"), format!("{b}{a}"));
        rest.starts_with(&ab) || (either && rest.starts_with(&ba))
    };
    let mut differences = Vec::new();
    let mut back_offs = Vec::new();
    while rest.starts_with('p') && pair(&rest[1..], 'f', 'e') {
        rest = &rest[3..];
        let mut n = 0;
        while pair(rest, 'b', 'i') {
            rest = &rest[2..];
            n += 1;
        }
        back_offs.push(n);
    }
    // What is left was written after the limit, or is the beginning of a step that the end cut off.
    let allowed_rest = rest.chars().all(|c| if either { "pfebi".contains(c) } else { "pb".contains(c) });
    if back_offs.len() < 3 || !allowed_rest || rest.len() > LONGEST_REST {
        differences.push(format!("{whose}: the order of events is not that of a kubelet: {all}"));
    }
    for (attempt, n) in back_offs.iter().enumerate() {
        let last = attempt + 1 == back_offs.len();
        let (least, mut most) = rules.rules.back_offs_after_attempt.get(attempt).copied().unwrap_or((0, 99));
        if attempt == 0 && is_beside {
            most += rules.rules.back_offs_beside_a_started_container;
        }
        if *n > most || (*n < least && !last) {
            differences
                .push(format!("{whose}: {n} back-offs after pull {}, not {least} to {most}", attempt + 1));
        }
    }
    let at =
        |wanted: char| -> Vec<f64> { events.iter().filter(|e| letter(e) == wanted).map(|e| e.at).collect() };
    let (pulls, failures) = (at('p'), at('f'));
    for (step, (failed, next)) in failures.iter().zip(pulls.iter().skip(1)).enumerate() {
        let gap = next - failed;
        let (least, most) = rules.rules.seconds_between_attempts.get(step).copied().unwrap_or((0.0, 999.0));
        if gap < least || gap > most {
            differences.push(format!("{whose}: {gap:.1} s before pull {}, not {least} to {most}", step + 2));
        }
    }
    differences
}

/// Totals by reason at the end.
fn counts(rules: &Normaliser, real: &[&EventChange], ours: &[&EventChange]) -> Vec<String> {
    let totals = |events: &[&EventChange]| {
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
        for change in recording.pods.iter().filter(|p| p["metadata"]["name"] == pod) {
            let status = status_column(change);
            if seen.last() != Some(&status) {
                seen.push(status);
            }
        }
        seen
    };
    let (real, ours) = (list(real), list(ours));
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
        for change in recording.pods.iter().filter(|p| p["metadata"]["name"] == pod) {
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

fn difference(what: &str, real: &str, ours: &str) -> Option<String> {
    if real == ours {
        return None;
    }
    let (real, ours) = (format!("{real}\n"), format!("{ours}\n"));
    let diff = TextDiff::from_lines(&real, &ours);
    Some(format!("{what}:\n{}", diff.unified_diff().context_radius(1).header("real", "ours")))
}
