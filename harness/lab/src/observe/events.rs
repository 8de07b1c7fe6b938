//! The Kubernetes events of a namespace, in the order in which they were last seen.

use jiff::Timestamp;
use serde_json::Value;

use super::{Snapshot, pods::seconds_since};
use crate::view::EventView;

/// The views of all events, the latest last.
#[must_use]
pub(crate) fn views(snapshot: &Snapshot, shown_now: Timestamp) -> Vec<EventView> {
    let mut views: Vec<EventView> =
        snapshot.list("events").iter().map(|event| view(event.value(), shown_now)).collect();
    views.sort_by_key(|view| std::cmp::Reverse(view.last_seconds));
    views
}

fn view(event: &Value, shown_now: Timestamp) -> EventView {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let involved = &event["involvedObject"];
    let seconds = |candidates: [&Value; 3]| {
        let stamp = candidates.into_iter().find(|stamp| stamp.is_string());
        stamp.map_or(0, |stamp| seconds_since(stamp, shown_now))
    };
    let created = &event["metadata"]["creationTimestamp"];
    let series = &event["series"];
    EventView {
        kind: text(&event["type"]),
        reason: text(&event["reason"]),
        object: format!("{}/{}", text(&involved["kind"]).to_lowercase(), text(&involved["name"])),
        message: text(&event["message"]),
        count: series["count"].as_i64().or_else(|| event["count"].as_i64()).unwrap_or(1).max(1),
        last_seconds: match &series["lastObservedTime"] {
            Value::Null => seconds([&event["lastTimestamp"], &event["eventTime"], created]),
            last => seconds_since(last, shown_now),
        },
        first_seconds: seconds([&event["firstTimestamp"], &event["eventTime"], created]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_of_an_event_are_understood() {
        let now: Timestamp = "2026-01-01T00:10:00Z".parse().unwrap();
        let classic = json!({"type": "Normal", "reason": "BackOff", "message": "m", "count": 7,
            "involvedObject": {"kind": "Pod", "name": "p"},
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:09:00Z"});
        let seen = view(&classic, now);
        assert_eq!((seen.count, seen.first_seconds, seen.last_seconds), (7, 600, 60));
        assert_eq!(seen.object, "pod/p");
        let modern = json!({"type": "Normal", "reason": "Scheduled", "message": "m",
            "involvedObject": {"kind": "Pod", "name": "p"}, "firstTimestamp": null, "lastTimestamp": null,
            "eventTime": "2026-01-01T00:05:00.000001Z"});
        let seen = view(&modern, now);
        assert_eq!((seen.count, seen.first_seconds, seen.last_seconds), (1, 299, 299));
    }
}
