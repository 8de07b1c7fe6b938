//! Proof that the comparison can fail: each mutation of a recording must be told from the original.

use anyhow::Result;
use serde_json::json;

use crate::{compare::compare, normalise::Normaliser, recording::Recording, recordings};

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
    ("a status dropped", |r| {
        r.pods.retain(|p| crate::recording::status_column(p) != "ErrImagePull");
    }),
    ("the first status dropped", |r| {
        r.pods.retain(|p| crate::recording::status_column(p) != "Pending");
    }),
    ("a waiting message changed", |r| {
        for pod in &mut r.pods {
            let waiting = pod.pointer_mut("/status/containerStatuses/0/state/waiting");
            if let Some(waiting) = waiting.filter(|w| w["reason"] == "ErrImagePull") {
                waiting["message"] = json!("image can't be pulled");
            }
        }
    }),
    ("a pull too early", |r| {
        let at = position(r, "Pulling");
        let Some(next) = r.events.iter().skip(at + 1).position(|e| e.object["reason"] == "Pulling") else {
            return;
        };
        r.events[at + 1 + next].at -= 8.0;
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
    let matches = |e: &crate::recording::EventChange| {
        e.object["reason"] == reason && e.object["involvedObject"]["name"].as_str() == pod.as_deref()
    };
    recording.events.iter().position(matches).unwrap_or_default()
}

fn replace_in_events(recording: &mut Recording, find: &str, with: &str) {
    for event in &mut recording.events {
        let message = event.object["message"].as_str().unwrap_or_default().replace(find, with);
        event.object["message"] = json!(message);
    }
}

#[test]
fn a_recording_is_like_itself_and_unlike_every_mutation_of_itself() -> Result<()> {
    let rules = Normaliser::new()?;
    for (dialect, case, dir) in recordings() {
        let real = Recording::load(&dir)?;
        let same = compare(&rules, &dialect, &real, &real);
        assert!(same.is_empty(), "{dialect}/{case} is not like itself:\n{}", same.join("\n"));
        for (name, mutate) in MUTATIONS {
            let mut mutant = real.clone();
            mutate(&mut mutant);
            let found = compare(&rules, &dialect, &real, &mutant);
            assert!(!found.is_empty(), "{dialect}/{case}: nobody noticed {name}");
        }
    }
    Ok(())
}
