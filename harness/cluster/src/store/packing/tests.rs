//! Packing is seen by nobody: what is packed says the same, and comes back when it is worked with.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::{Change, Key, Store, Stored};

/// So many of them are more than what is allowed, each has so many bytes in it.
const MANY: usize = 100;
const BYTES: usize = 400_000;

fn key(n: usize) -> Key {
    Key::new("ns", format!("c-{n:03}"))
}

fn object(n: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": key(n).name, "namespace": "ns", "labels": {"n": n.to_string()}},
        "data": {"text": "x".repeat(BYTES)}})
}

/// A store with objects of which only the latest have values, and what the first was.
fn full() -> (Store, Arc<Stored>) {
    let store = Store::new(1000);
    let first = store.create("configmaps", key(0), object(0)).unwrap();
    for n in 1..MANY {
        store.create("configmaps", key(n), object(n)).unwrap();
    }
    (store, first)
}

fn packed(store: &Store) -> usize {
    store.list("configmaps", None).0.iter().filter(|object| object.is_packed()).count()
}

#[test]
fn the_latest_have_values_and_the_others_say_the_same_without() {
    let (store, first) = full();
    let weight = first.weight();
    let having = MANY - packed(&store);
    assert!((2..=having as u64).contains(&(super::ALLOWED / weight)), "{having} of {weight} bytes");
    let now = store.get("configmaps", &key(0)).unwrap();
    assert!(
        now.is_packed()
            && !first.is_packed()
            && !store.get("configmaps", &key(MANY - 1)).unwrap().is_packed()
    );
    assert_eq!((now.bytes(), now.item(), now.revision()), (first.bytes(), first.item(), first.revision()));
    assert_eq!(
        (now.key(), now.weight(), now.labels(), now.peek()),
        (first.key(), weight, first.labels(), first.peek())
    );
    assert_eq!(now.whole(), first.whole());
    assert!(now.is_packed(), "looking at it is not working with it");
    assert_eq!((now.value(), now.managed()), (first.value(), first.managed()));
    assert!(!now.is_packed());
}

#[test]
fn what_watches_and_older_lists_see_is_packed_as_well_and_the_same() {
    let (store, first) = full();
    let changed = store.update(
        "configmaps",
        &key(0),
        Some(first.revision()),
        json!({"metadata": {"name": "c-000", "namespace": "ns"}}),
    );
    let changed = changed.unwrap();
    for n in 1..MANY {
        store.update("configmaps", &key(n), None, object(n)).unwrap();
    }
    let events = store.events_since(first.revision() - 1).unwrap();
    assert_eq!(events.len(), 2 * MANY);
    assert!(events[0].object.is_packed() && events[MANY].previous.as_ref().unwrap().is_packed());
    assert!(!events[2 * MANY - 1].object.is_packed());
    assert_eq!(events[MANY].object.value(), changed.value());
    assert_eq!(events[MANY].change, Change::Modified);
    let before = store.list_at("configmaps", None, changed.revision() - 1).unwrap();
    assert_eq!(before[0].bytes(), first.bytes());
}

#[test]
fn writes_leave_some_to_those_who_look_at_what_was_written() {
    let (store, first) = full();
    let having = |store: &Store| (MANY - packed(store)) as u64 * first.weight();
    let left = having(&store);
    assert!(left > super::ALLOWED && left <= super::MOST, "{left}");
    assert!(store.pack(), "there were some");
    while store.pack() {}
    assert!(having(&store) <= super::ALLOWED);
    assert!(!store.get("configmaps", &key(MANY - 1)).unwrap().is_packed(), "the latest one stays");
}

#[test]
fn who_works_with_many_keeps_their_values() {
    let (store, _) = full();
    let work = |with: usize| {
        for n in 0..MANY {
            let object = store.get("configmaps", &key(n)).unwrap();
            assert_eq!(object.value()["metadata"]["name"], key(n).name);
            store.create("leases", Key::new("", format!("{with}-{n}")), json!({})).unwrap();
        }
        packed(&store)
    };
    assert!(work(1) > 0, "each has been needed once");
    for round in 2..6 {
        work(round);
    }
    assert_eq!(work(6), 0, "there is more room for values now");
    // Nobody looks at them any more.
    for round in 0..400 {
        for n in 0..MANY {
            let small = json!({"metadata": {"name": format!("s-{n}")}, "data": {"round": round.to_string()}});
            drop(store.delete("secrets", &Key::new("", format!("s-{n}")), None));
            store.create("secrets", Key::new("", format!("s-{n}")), small).unwrap();
            store.pack();
        }
    }
    assert!(packed(&store) > 0, "the room goes");
}

#[test]
fn objects_that_a_reader_might_not_take_stay_as_they_are() {
    let store = Store::new(1000);
    let deep = (0..100).fold(json!(1), |inner, _| json!({"a": inner}));
    store.create("configmaps", key(0), json!({"metadata": {"name": "c-000"}, "deep": deep})).unwrap();
    for n in 1..MANY {
        store.create("configmaps", key(n), object(n)).unwrap();
    }
    let kept = store.get("configmaps", &key(0)).unwrap();
    assert!(!kept.is_packed() && store.get("configmaps", &key(1)).unwrap().is_packed());
    assert_eq!(kept.value()["deep"], deep);
}

#[test]
fn an_advance_moves_the_times_of_packed_ones_too() {
    let store = Store::new(1000);
    let mut old = object(0);
    old["metadata"]["creationTimestamp"] = json!("2026-11-22T12:00:00Z");
    store.create("configmaps", key(0), old).unwrap();
    for n in 1..MANY {
        store.create("configmaps", key(n), object(n)).unwrap();
    }
    assert!(store.get("configmaps", &key(0)).unwrap().is_packed());
    store.shift_times(pulldrill_clock::SignedDuration::from_hours(12));
    let older = store.get("configmaps", &key(0)).unwrap();
    assert_eq!(older.value()["metadata"]["creationTimestamp"], "2026-11-22T00:00:00Z");
}
