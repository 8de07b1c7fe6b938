//! Ways to spoil a recording, each of which the comparison must tell from the original.

use serde_json::json;

use super::{Normaliser, Recording, compare};

/// A way to spoil a recording.
type Mutation = (&'static str, fn(&mut Recording));

const MUTATIONS: &[Mutation] = &[
    ("two events swapped", |r| {
        let at = position(r, "Pulling");
        let (a, b) = (r.events[at].object.clone(), r.events[at + 1].object.clone());
        r.events[at].object = b;
        r.events[at + 1].object = a;
    }),
    ("an event left out", |r| {
        let at = position(r, "Failed");
        r.events.remove(at);
    }),
    ("a word changed in an event", |r| {
        replace_in_events(r, "Back-off pulling", "Backoff pulling");
    }),
    ("a word changed in the registry's part of an event", |r| {
        replace_in_events(r, "failed to pull and unpack", "could not pull and unpack");
    }),
    ("an event from another component", |r| {
        let at = position(r, "BackOff");
        r.events[at].object["source"]["component"] = json!("controller");
    }),
    ("another event type", |r| {
        for event in &mut r.events {
            if event.object["reason"] == "BackOff" {
                event.object["type"] = json!("Warning");
            }
        }
    }),
    ("something else said about another object", |r| {
        let pod = r.failing_pod();
        let other = |e: &&mut super::recording::EventChange| {
            e.object["involvedObject"]["name"].as_str() != pod.as_deref()
        };
        if let Some(event) = r.events.iter_mut().find(other) {
            event.object["message"] = json!("somebody else was here");
        } else if let Some(event) = r.events.first().cloned() {
            let mut stray = event;
            stray.object["involvedObject"]["name"] = json!("another");
            r.events.push(stray);
        }
    }),
    ("a status dropped", |r| {
        r.pods.retain(|p| !super::recording::status_column(p).ends_with("ErrImagePull"));
    }),
    ("the first status dropped", |r| {
        let first = r.pods.first().map(super::recording::status_column);
        r.pods.retain(|p| Some(super::recording::status_column(p)) != first);
    }),
    ("a waiting message changed", |r| {
        for pod in &mut r.pods {
            for list in ["containerStatuses", "initContainerStatuses"] {
                for container in pod["status"][list].as_array_mut().into_iter().flatten() {
                    let waiting = container.pointer_mut("/state/waiting");
                    if let Some(waiting) = waiting.filter(|w| w["reason"] == "ErrImagePull") {
                        waiting["message"] = json!("image can't be pulled");
                    }
                }
            }
        }
    }),
    ("a pull too early", |r| {
        let at = position(r, "Pulling");
        let Some(next) = r.events.iter().skip(at + 1).position(|e| e.object["reason"] == "Pulling") else {
            return;
        };
        r.events[at + 1 + next].at -= 12.0;
    }),
    ("a line of describe left out", |r| {
        r.describe = r.describe.lines().filter(|l| !l.contains("Image ID")).collect::<Vec<_>>().join("\n");
    }),
    ("a word changed in describe", |r| {
        r.describe = r.describe.replace("ContainersReady", "ContainerReady");
    }),
];

fn position(recording: &Recording, reason: &str) -> usize {
    let pod = recording.failing_pod();
    let failed = recording.events.iter().find(|e| e.object["reason"] == "Failed");
    let container = failed.map(|e| e.object["involvedObject"]["fieldPath"].clone());
    let matches = |e: &super::recording::EventChange| {
        let about = &e.object["involvedObject"];
        e.object["reason"] == reason
            && about["name"].as_str() == pod.as_deref()
            && Some(&about["fieldPath"]) == container.as_ref()
    };
    recording.events.iter().position(matches).unwrap_or_default()
}

fn replace_in_events(recording: &mut Recording, find: &str, with: &str) {
    for event in &mut recording.events {
        let message = event.object["message"].as_str().unwrap_or_default().replace(find, with);
        event.object["message"] = json!(message);
    }
}

/// What the comparison says wrongly of a recording: that it is unlike itself, or like a mutation of itself.
pub(crate) fn mistakes(rules: &Normaliser, dialect: &str, recording: &Recording) -> Vec<String> {
    let same = compare(rules, dialect, recording, recording);
    let mut mistakes: Vec<String> =
        same.iter().map(|difference| format!("it is not like itself: {difference}")).collect();
    for (name, mutate) in MUTATIONS {
        let mut mutant = recording.clone();
        mutate(&mut mutant);
        if compare(rules, dialect, recording, &mutant).is_empty() {
            mistakes.push(format!("nobody noticed {name}"));
        }
    }
    mistakes
}
