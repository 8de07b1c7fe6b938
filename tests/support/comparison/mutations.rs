//! Ways to spoil a recording, each of which the comparison must tell from the original.

use serde_json::json;

use super::{
    Normaliser, Recording, Version, compare, over_time::OVER_TIME, status_column, timeline::timelines,
};

/// A way to spoil a recording.
pub(super) type Mutation = (&'static str, fn(&mut Recording));

const MUTATIONS: &[Mutation] = &[
    ("two events swapped", |r| {
        let one = position(r, "Pulling").or_else(|| position(r, "Scheduled"));
        let uid = |e: &Version| e.object["involvedObject"]["uid"].clone();
        let next = |at: usize| {
            let later = r.events.iter().skip(at + 1);
            later.clone().position(|e| uid(e) == uid(&r.events[at])).map(|n| at + 1 + n)
        };
        let other = position(r, "Pulling").and_then(next).or_else(|| position(r, "Failed"));
        let Some((one, other)) = one.zip(other) else { return };
        let (a, b) = (r.events[one].object.clone(), r.events[other].object.clone());
        r.events[one].object = b;
        r.events[other].object = a;
    }),
    ("an event left out", |r| {
        let at = position(r, "Failed").or_else(|| position(r, "Created"));
        r.events.remove(at.unwrap_or_default());
    }),
    ("a word changed in an event", |r| {
        replace_in_events(r, "Back-off pulling", "Backoff pulling");
    }),
    ("a word changed in the registry's part of an event", |r| {
        replace_in_events(r, "failed to pull and unpack", "could not pull and unpack");
    }),
    ("an event from another component", |r| {
        let at = position(r, "BackOff").or_else(|| position(r, "Scheduled"));
        r.events[at.unwrap_or_default()].object["source"]["component"] = json!("controller");
    }),
    ("another event type", |r| {
        for event in &mut r.events {
            if event.object["reason"] == "BackOff" {
                event.object["type"] = json!("Warning");
            }
        }
    }),
    ("something else said about another object", |r| {
        let pod = r.pod_in_question();
        let other = |e: &&mut Version| e.object["involvedObject"]["uid"].as_str() != pod.as_deref();
        if let Some(event) = r.events.iter_mut().find(other) {
            event.object["message"] = json!("somebody else was here");
        } else if let Some(event) = r.events.first().cloned() {
            let mut stray = event;
            stray.object["involvedObject"]["uid"] = json!("another");
            r.events.push(stray);
        }
    }),
    ("a status dropped", |r| {
        r.pods.retain(|p| !status_column(p).ends_with("ErrImagePull"));
    }),
    ("the first status dropped", |r| {
        let first = r.pods.first().map(status_column);
        r.pods.retain(|p| Some(status_column(p)) != first);
    }),
    ("a waiting message changed", |r| {
        for pod in &mut r.pods {
            for list in ["containerStatuses", "initContainerStatuses"] {
                let found = pod.pointer_mut(&format!("/status/{list}"));
                for container in found.and_then(|list| list.as_array_mut()).into_iter().flatten() {
                    let waiting = container.pointer_mut("/state/waiting");
                    if let Some(waiting) = waiting.filter(|w| w["message"].is_string()) {
                        waiting["message"] = json!("image can't be pulled");
                    }
                }
            }
        }
    }),
    ("a pull too early", |r| {
        let Some(at) = position(r, "Pulling") else { return };
        let about = r.events[at].object["involvedObject"].clone();
        let again = |e: &Version| e.object["reason"] == "Pulling" && e.object["involvedObject"] == about;
        if let Some(next) = r.events.iter().skip(at + 1).position(again) {
            r.events[at + 1 + next].happen_later(-12);
        }
    }),
    ("a container that never started", |r| {
        r.events.retain(|e| e.object["reason"] != "Started");
    }),
    ("a refusal left out", |r| {
        let refusal = |e: &Version| {
            let message = e.object["message"].as_str().unwrap_or_default();
            let of_a_pull = ["Error: ErrImagePull", "Error: ImagePullBackOff"].contains(&message);
            message.starts_with("Error: ") && !of_a_pull
        };
        let pod = r.pod_in_question();
        let mine = |e: &&Version| e.object["involvedObject"]["uid"].as_str() == pod.as_deref();
        let nth = r.events.iter().filter(mine).filter(|e| refusal(e)).nth(2).map(|e| e.at);
        r.events.retain(|e| Some(e.at) != nth);
    }),
    ("a line of describe left out", |r| {
        r.describe = r.describe.lines().filter(|l| !l.contains("Image ID")).collect::<Vec<_>>().join("\n");
    }),
    ("a word changed in describe", |r| {
        r.describe = r.describe.replace("ContainersReady", "ContainerReady");
    }),
];

/// Where such an event is, about the container in question, or about its pod.
fn position(recording: &Recording, reason: &str) -> Option<usize> {
    let pod = recording.pod_in_question();
    let failed = recording.events.iter().find(|e| e.object["reason"] == "Failed");
    let container = failed.map(|e| e.object["involvedObject"]["fieldPath"].clone());
    let matches = |e: &Version| {
        let about = &e.object["involvedObject"];
        let path = &about["fieldPath"];
        e.object["reason"] == reason
            && about["uid"].as_str() == pod.as_deref()
            && (path.is_null() || container.as_ref().is_none_or(|container| path == container))
    };
    recording.events.iter().position(matches)
}

fn replace_in_events(recording: &mut Recording, find: &str, with: &str) {
    for event in &mut recording.events {
        let message = event.object["message"].as_str().unwrap_or_default().replace(find, with);
        event.object["message"] = json!(message);
    }
}

/// One of the comparisons.
type Comparison = fn(&Normaliser, &str, &Recording, &Recording) -> Vec<String>;

/// What [`compare`] says wrongly of a recording: that it is unlike itself, or like a mutation of itself. Some
/// recordings have nothing that a mutation could spoil; see [`applied`].
#[allow(dead_code, reason = "not every test program asks only this")]
pub(crate) fn mistakes(rules: &Normaliser, dialect: &str, recording: &Recording) -> Vec<String> {
    mistakes_of(compare, rules, dialect, recording, mutants(MUTATIONS, recording))
}

/// What [`super::compare_whole`] says wrongly of a recording.
#[allow(dead_code, reason = "not every test program asks for all")]
pub(crate) fn all_mistakes(rules: &Normaliser, dialect: &str, recording: &Recording) -> Vec<String> {
    let over_time: Comparison = |rules, _, real, ours| timelines(rules, real, ours);
    let mut mistakes = mistakes_of(compare, rules, dialect, recording, mutants(MUTATIONS, recording));
    mistakes.extend(mistakes_of(over_time, rules, dialect, recording, mutants(OVER_TIME, recording)));
    mistakes
}

fn mistakes_of(
    compare: Comparison,
    rules: &Normaliser,
    dialect: &str,
    recording: &Recording,
    mutants: impl Iterator<Item = (&'static str, Recording)>,
) -> Vec<String> {
    let same = compare(rules, dialect, recording, recording);
    let mut mistakes: Vec<String> =
        same.iter().map(|difference| format!("it is not like itself: {difference}")).collect();
    for (name, mutant) in mutants {
        if compare(rules, dialect, recording, &mutant).is_empty() {
            mistakes.push(format!("nobody noticed {name}"));
        }
    }
    mistakes
}

/// The mutations that find something to spoil in a recording, of those that there are.
#[allow(dead_code, reason = "not every test program has all recordings")]
pub(crate) fn applied(recording: &Recording) -> (Vec<&'static str>, usize) {
    let found = mutants(MUTATIONS, recording).chain(mutants(OVER_TIME, recording));
    (found.map(|(name, _)| name).collect(), MUTATIONS.len() + OVER_TIME.len())
}

fn mutants(
    mutations: &'static [Mutation],
    recording: &Recording,
) -> impl Iterator<Item = (&'static str, Recording)> {
    let mutants = mutations.iter().map(|(name, mutate)| {
        let mut mutant = recording.clone();
        mutate(&mut mutant);
        (*name, mutant)
    });
    mutants.filter(move |(_, mutant)| mutant != recording)
}
