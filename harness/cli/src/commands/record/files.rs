//! The files of a recording: plain lines of JSON and text that other programs read as well.
//!
//! `timeline.jsonl` and `events.jsonl` have a line for each change: when it was seen, its type as a watch has
//! it, the kind, the object. Changes that the lab no longer keeps are marked by a first line of type `DROPPED`
//! in `timeline.jsonl`.

use std::{collections::BTreeMap, fmt::Write};

use pulldrill_lab::view::{ChangeView, RecordingView};
use serde::Serialize;
use serde_json::{Value, json};

use crate::exit::Failure;

/// Names and texts.
pub(super) type Files = Vec<(&'static str, String)>;

/// What the lab has seen, as files.
pub(super) fn of(recording: &RecordingView) -> Result<Files, Failure> {
    let (events, others): (Vec<_>, Vec<_>) =
        recording.changes.iter().partition(|change| change.kind == "Event");
    let mut timeline = String::new();
    if recording.dropped > 0 {
        let t = recording.changes.first().map_or(0.0, |change| change.t);
        let marker = json!({"t": t, "type": "DROPPED", "kind": "", "object": {"count": recording.dropped}});
        timeline = line(&marker)?;
    }
    timeline.push_str(&lines(&others)?);
    let last = json!({"apiVersion": "v1", "kind": "List", "items": latest(&events)});
    let last = serde_json::to_string_pretty(&last).map_err(|error| unwritable(&error))?;
    let mut files = vec![
        ("README", readme(recording)),
        ("timeline.jsonl", timeline),
        ("events.jsonl", lines(&events)?),
        ("events.json", last + "\n"),
    ];
    files.extend(recording.applied.clone().map(|applied| ("case.yaml", applied)));
    Ok(files)
}

fn readme(recording: &RecordingView) -> String {
    let RecordingView { drill, namespace, title, .. } = recording;
    let scenario = recording.scenario.as_ref().map_or_else(String::new, |id| format!(" (scenario {id})"));
    let mut text = format!("{title}: drill {drill}{scenario} in namespace {namespace}\n");
    for node in &recording.nodes {
        let _never = writeln!(text, "node {}: kubelet {}, {}", node.name, node.kubelet, node.runtime);
    }
    if recording.dropped > 0 {
        let _never = writeln!(text, "the oldest {} changes were no longer kept", recording.dropped);
    }
    if recording.applied.is_none() {
        text.push_str("without case.yaml: what was applied is told when the drill is closed\n");
    }
    text
}

/// The last version of every object that is still there, in the order of their times.
fn latest<'a>(changes: &[&'a ChangeView]) -> Vec<&'a Value> {
    let mut latest: BTreeMap<&str, &ChangeView> = BTreeMap::new();
    for change in changes {
        let name = change.object["metadata"]["name"].as_str().unwrap_or_default();
        if change.change == "DELETED" {
            latest.remove(name)
        } else {
            latest.insert(name, change)
        };
    }
    let mut objects: Vec<_> = latest.into_values().map(|change| &change.object).collect();
    objects.sort_by_key(|object| object["metadata"]["creationTimestamp"].as_str());
    objects
}

fn lines(changes: &[&ChangeView]) -> Result<String, Failure> {
    changes.iter().map(line).collect()
}

fn line(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(|error| unwritable(&error))
}

fn unwritable(error: &serde_json::Error) -> Failure {
    Failure::infrastructure(format!("what was seen cannot be written as JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use pulldrill_lab::view::DrillState;

    use super::*;

    fn change(t: f64, change: &str, kind: &str, name: &str, count: u32) -> ChangeView {
        let object = json!({"kind": kind, "metadata": {"name": name}, "count": count});
        ChangeView { t, change: change.into(), kind: kind.into(), object }
    }

    fn recording() -> RecordingView {
        RecordingView {
            schema_version: 1,
            drill: "payments".into(),
            namespace: "payments".into(),
            title: "A release".into(),
            state: DrillState::Open,
            nodes: Vec::new(),
            scenario: None,
            applied: None,
            dropped: 0,
            changes: vec![
                change(1.5, "ADDED", "Pod", "web", 0),
                change(2.0, "ADDED", "Event", "e1", 1),
                change(3.0, "MODIFIED", "Event", "e1", 2),
                change(3.0, "ADDED", "Event", "e2", 1),
                change(4.0, "DELETED", "Event", "e2", 1),
            ],
        }
    }

    fn text(recording: &RecordingView, name: &str) -> Option<String> {
        of(recording).unwrap().into_iter().find(|(file, _)| *file == name).map(|(_, text)| text)
    }

    #[test]
    fn events_have_a_file_of_their_own_and_one_of_how_they_ended() {
        let timeline = text(&recording(), "timeline.jsonl").unwrap();
        assert_eq!(timeline.lines().count(), 1);
        assert!(timeline.contains(r#""t":1.5"#) && timeline.contains(r#""type":"ADDED""#), "{timeline}");
        assert_eq!(text(&recording(), "events.jsonl").unwrap().lines().count(), 4);
        let events: Value = serde_json::from_str(&text(&recording(), "events.json").unwrap()).unwrap();
        assert_eq!(events["items"].as_array().unwrap().len(), 1);
        assert_eq!(events["items"][0]["count"], 2);
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut recording = recording();
        assert!(text(&recording, "README").unwrap().contains("without case.yaml"));
        recording.dropped = 7;
        let timeline = text(&recording, "timeline.jsonl").unwrap();
        assert!(timeline.starts_with(r#"{"kind":"","object":{"count":7}"#), "{timeline}");
        assert!(text(&recording, "README").unwrap().contains("the oldest 7 changes"));
        recording.applied = Some("kind: Pod\n".into());
        assert_eq!(text(&recording, "case.yaml").as_deref(), Some("kind: Pod\n"));
    }
}
