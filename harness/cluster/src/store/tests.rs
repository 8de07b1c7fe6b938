//! Numbering, replay, the bounded window, and what an advance moves.

use serde_json::{Value, json};

use pulldrill_clock::SignedDuration;

use super::*;

fn pod(name: &str) -> (Key, Value) {
    let key = Key::new("ns", name);
    (key, json!({"kind": "Pod", "metadata": {"name": name, "namespace": "ns"}}))
}

#[test]
fn who_follows_some_resources_sees_only_those() {
    let store = Store::new(4);
    let (key, object) = pod("a");
    assert_eq!(store.changed(&["pods", "roles"]), 0);
    let first = store.create("pods", key.clone(), object.clone()).unwrap();
    store.create("secrets", key.clone(), object).unwrap();
    assert_eq!(store.changed(&["roles", "pods"]), first.revision());
    let (events, seen) = store.events_of(&["pods"], 0).unwrap_or_default();
    assert!(events.is_empty() && seen == 0, "from before the beginning there is nothing");
    let (events, seen) = store.events_of(&["pods"], 1).unwrap();
    assert_eq!((events.len(), seen), (1, store.revision()));
    store.delete("pods", &key, None).unwrap();
    assert_eq!(store.changed(&["pods"]), store.revision());
    let (events, _) = store.events_of(&["pods"], seen).unwrap();
    assert_eq!(events.iter().map(|e| e.change).collect::<Vec<_>>(), [Change::Deleted]);
    for i in 0..5 {
        let (key, object) = pod(&i.to_string());
        store.create("pods", key, object).unwrap();
    }
    assert!(matches!(store.events_of(&["pods"], seen), Err(StoreError::Compacted(_))));
}

#[test]
fn writes_are_numbered_replayed_and_undone() {
    let store = Store::new(100);
    let start = store.revision();
    let (key, object) = pod("a");
    let first = store.create("pods", key.clone(), object.clone()).unwrap();
    assert!(matches!(store.create("pods", key.clone(), object), Err(StoreError::Exists { .. })));
    let mut changed = first.value().clone();
    changed["spec"] = json!({"nodeName": "n1"});
    let second = store.update("pods", &key, Some(first.revision()), changed.clone()).unwrap();
    assert!(matches!(
        store.update("pods", &key, Some(first.revision()), changed),
        Err(StoreError::Conflict { .. })
    ));
    let last = store.delete("pods", &key, None).unwrap();
    assert!(last.revision() > second.revision());
    assert!(matches!(store.delete("pods", &key, None), Err(StoreError::NotFound { .. })));
    let changes: Vec<_> = store.events_since(start).unwrap().iter().map(|e| e.change).collect();
    assert_eq!(changes, [Change::Added, Change::Modified, Change::Deleted]);
    assert!(store.list("pods", None).0.is_empty());
    let then = store.list_at("pods", Some("ns"), first.revision()).unwrap();
    assert_eq!(then[0].value(), first.value());
    assert_eq!(second.value()["metadata"]["resourceVersion"], second.revision().to_string());
}

#[test]
fn the_window_is_bounded() {
    let store = Store::new(3);
    let start = store.revision();
    for name in ["a", "b", "c", "d", "e"] {
        let (key, object) = pod(name);
        store.create("pods", key, object).unwrap();
    }
    assert_eq!(store.events_since(start).unwrap_err(), StoreError::Compacted(start));
    assert_eq!(store.events_since(store.revision() - 3).unwrap().len(), 3);
    assert_eq!(store.list("pods", Some("other")).0.len(), 0);
    assert_eq!(store.list("pods", Some("ns")).0.len(), 5);
}

#[test]
fn an_advance_moves_shown_times_but_nothing_that_a_user_wrote() {
    let store = Store::new(10);
    let key = Key::new("ns", "a");
    let object = json!({"kind": "Pod",
        "metadata": {"name": "a", "creationTimestamp": "2026-11-22T12:00:00Z",
            "annotations": {"restartTime": "2026-11-22T12:00:00Z"}},
        "spec": {"startTime": "2026-11-22T12:00:00Z"},
        "status": {"startTime": "2026-11-22T12:00:01Z",
            "conditions": [{"lastTransitionTime": "2026-11-22T12:00:02Z", "message": "x"}]},
        "eventTime": "2026-11-22T12:00:00.123456Z"});
    let before = store.create("pods", key.clone(), object).unwrap();
    store.shift_times(SignedDuration::from_hours(12));
    let after = store.get("pods", &key).unwrap();
    let value = after.value();
    assert_eq!(value["metadata"]["creationTimestamp"], "2026-11-22T00:00:00Z");
    assert_eq!(value["metadata"]["annotations"]["restartTime"], "2026-11-22T12:00:00Z");
    assert_eq!(value["spec"]["startTime"], "2026-11-22T12:00:00Z");
    assert_eq!(value["status"]["conditions"][0]["lastTransitionTime"], "2026-11-22T00:00:02Z");
    assert_eq!(value["eventTime"], "2026-11-22T00:00:00.123456Z");
    assert!(after.revision() > before.revision());
    assert!(store.events_since(before.revision()).is_err());
}

#[test]
fn who_cannot_list_again_learns_what_an_advance_hid() {
    let store = Store::new(3);
    let key = Key::new("ns", "a");
    let seen = store.create("pods", key.clone(), json!({})).unwrap().revision();
    store.delete("pods", &key, None).unwrap();
    assert!(store.missed_by_aging(seen).is_none());
    store.shift_times(SignedDuration::from_hours(1));
    let missed = store.missed_by_aging(seen).unwrap();
    assert_eq!(missed.iter().map(|e| e.change).collect::<Vec<_>>(), [Change::Deleted]);
    let now = store.revision();
    for name in ["b", "c", "d"] {
        store.create("pods", Key::new("ns", name), json!({})).unwrap();
    }
    assert_eq!(store.events_since(now).unwrap().len(), 3);
    assert!(store.missed_by_aging(seen).is_none());
    assert!(store.events_since(seen).is_err());
}

#[test]
fn an_object_in_a_list_is_what_comes_after_its_kind_and_version() {
    for (object, item) in [
        (
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "alpha": 1}),
            json!({"metadata": {"name": "a"}, "alpha": 1}),
        ),
        (json!({"kind": "Pod", "metadata": {}}), json!({"metadata": {}})),
        (
            json!({"apiVersion": "a/\"v1\"", "kind": "P\u{e9}\n", "data": {"kind": "x"}}),
            json!({"data": {"kind": "x"}}),
        ),
        (json!({}), json!({})),
    ] {
        let stored = Stored::unstored(object.clone());
        let whole: Value = serde_json::from_slice(&stored.bytes()).unwrap();
        assert_eq!(whole, object);
        let text = [b"{", &stored.item()[..]].concat();
        assert_eq!(
            serde_json::from_slice::<Value>(&text).unwrap(),
            item,
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
    let pod = Stored::unstored(json!({"alpha": 1, "apiVersion": "v1", "kind": "Pod"}));
    assert!(pod.bytes().starts_with(br#"{"kind":"Pod","apiVersion":"v1","alpha""#));
}
