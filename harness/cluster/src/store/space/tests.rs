//! That what is counted is what is there, and what is refused when.

use std::{collections::HashMap, sync::Arc};

use proptest::prelude::*;
use pulldrill_clock::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::store::{Change, Key, Store, StoreError, Stored};

/// What an object with a thousand bytes of text takes, more or less.
const SMALL: u64 = 5_000;

fn object(name: &str, size: usize) -> Value {
    json!({"kind": "ConfigMap", "metadata": {"name": name, "namespace": "ns", "creationTimestamp": "2026-01-02T03:04:05Z"},
        "data": {"x": "x".repeat(size)}})
}

fn key(name: &str) -> Key {
    Key::new("ns", name)
}

fn create(store: &Store, name: &str, size: usize) -> Result<(), StoreError> {
    store.create("configmaps", key(name), object(name, size)).map(drop)
}

/// Creates until there is no room; how many there are then.
fn fill(store: &Store) -> usize {
    (0..).find(|n| create(store, &n.to_string(), 1000) == Err(StoreError::Full)).unwrap()
}

#[test]
fn what_is_new_is_refused_first_and_what_ends_never() {
    let space = Space::of(100 * SMALL);
    let store = Store::within(10, space.account());
    let made = fill(&store);
    assert!(made > 20);
    let full = space.used();
    assert!(full <= space.limit() && full + 2 * SMALL > space.limit());
    assert_eq!(
        create(&store, "0", 0),
        Err(StoreError::Exists { resource: "configmaps".into(), key: key("0") })
    );

    let grow =
        |need, name: &str, size| store.update_for(need, "configmaps", &key(name), None, object(name, size));
    let (reserve, some) = (usize::try_from(space.limit() / RESERVE).unwrap(), 1000);
    // A kubelet's status has half of the reserve, a change of what is wanted the rest. The text counts twice: it is in the JSON.
    assert_eq!(grow(Need::Status, "0", some + reserve / 2).unwrap_err(), StoreError::Full);
    grow(Need::Status, "0", some + reserve / 8).unwrap();
    assert_eq!(grow(Need::Status, "1", some + reserve / 4).unwrap_err(), StoreError::Full);
    grow(Need::Change, "1", some + reserve / 4).unwrap();
    assert_eq!(grow(Need::Change, "2", some + reserve / 4).unwrap_err(), StoreError::Full);
    let version = store.get("configmaps", &key("2")).unwrap();
    assert_eq!(version.value()["data"], object("2", some)["data"], "who was refused has changed nothing");
    // One that stays as large, or gets smaller, is no matter.
    grow(Need::Status, "2", some).unwrap();
    grow(Need::Change, "2", some / 2).unwrap();
    grow(Need::End, "3", some + 10 * reserve).unwrap();
    for name in 0..made {
        store.delete("configmaps", &key(&name.to_string()), None).unwrap();
    }
    assert_eq!(space.used(), 0);
    assert_eq!(fill(&store), made, "there is as much room as before");
}

#[test]
fn one_of_many_gets_a_part_and_what_it_had_comes_back() {
    let space = Space::of(400 * SMALL);
    let (own, one, two) = (
        Store::within(10, space.account()),
        Store::within(10, space.share()),
        Store::within(10, space.share()),
    );
    let part = fill(&one);
    assert_eq!(fill(&two), part);
    let rest = fill(&own);
    assert!(part > 20 && rest > part, "{part} {rest}");
    drop(two);
    assert_eq!(create(&one, "more", 0), Err(StoreError::Full));
    create(&own, "more", 0).unwrap();
    drop((own, one));
    assert_eq!((space.used(), space.past()), (0, 0));
    assert!(space.has(space.limit()) && !space.has(space.limit() + 1));
}

#[test]
fn versions_of_the_past_are_bounded_in_bytes() {
    let space = Space::of(8 * OWN_PAST);
    let store = Store::within(10_000, space.account());
    let start = store.revision();
    create(&store, "a", 0).unwrap();
    for n in 0..1000_usize {
        store.update("configmaps", &key("a"), None, object("a", 20_000 + n % 10)).unwrap();
        assert!(space.past() <= space.limit() / PAST + 50_000, "{}", space.past());
    }
    assert!(space.past() > OWN_PAST);
    assert_eq!(store.events_since(start).unwrap_err(), StoreError::Compacted(start));
    // Who followed closely has missed nothing, however little room there is.
    let large = Store::within(10_000, Space::of(4 << 20).account());
    create(&large, "a", 0).unwrap();
    let seen = large.revision();
    large.update("configmaps", &key("a"), None, object("a", 1_500_000)).unwrap();
    assert_eq!(large.events_since(seen).unwrap().len(), 1);
}

/// What somebody does with one of a few objects.
#[derive(Clone, Debug)]
enum Deed {
    Create(u8, usize),
    Update(u8, usize, bool),
    Delete(u8),
    Age(i64),
}

fn deeds() -> impl Strategy<Value = Vec<(bool, Deed)>> {
    let name = 0..6_u8;
    let size = prop_oneof![0..200_usize, 1000..100_000_usize];
    let deed = prop_oneof![
        4 => (name.clone(), size.clone()).prop_map(|(name, size)| Deed::Create(name, size)),
        4 => (name.clone(), size, any::<bool>()).prop_map(|(name, size, stale)| Deed::Update(name, size, stale)),
        3 => name.prop_map(Deed::Delete),
        1 => (1..100_000_i64).prop_map(Deed::Age),
    ];
    proptest::collection::vec((any::<bool>(), deed), 0..60)
}

/// What a store holds: its objects, and the versions that are in its window alone.
fn counted(store: &Store) -> (u64, u64) {
    let objects: Vec<Arc<Stored>> =
        store.resources().iter().flat_map(|resource| store.list(resource, None).0).collect();
    let inner = store.inner.read();
    let held = inner.window.after(0).flat_map(|event| std::iter::once(&event.object).chain(&event.previous));
    let mut past: HashMap<*const Stored, u64> = held.map(|held| (Arc::as_ptr(held), held.weight())).collect();
    past.retain(|held, _| !objects.iter().any(|object| Arc::as_ptr(object) == *held));
    (objects.iter().map(|object| object.weight()).sum(), past.values().sum())
}

proptest! {
    #[test]
    fn the_count_never_drifts(deeds in deeds()) {
        let space = Space::of(400_000);
        let stores = [Store::within(8, space.account()), Store::within(5, space.share())];
        for (second, deed) in deeds {
            let store = &stores[usize::from(second)];
            let before = (space.used(), space.past(), store.revision());
            let named = |name: &u8| name.to_string();
            let done = match &deed {
                Deed::Create(name, size) => create(store, &named(name), *size),
                Deed::Update(name, size, stale) => {
                    let (name, expected) = (named(name), stale.then_some(1));
                    store.update("configmaps", &key(&name), expected, object(&name, *size)).map(drop)
                }
                Deed::Delete(name) => store.delete("configmaps", &key(&named(name)), None).map(drop),
                Deed::Age(seconds) => {
                    store.shift_times(SignedDuration::from_secs(*seconds));
                    Ok(())
                }
            };
            if done.is_err() {
                prop_assert_eq!(before, (space.used(), space.past(), store.revision()));
            }
            let sums = stores.iter().map(counted).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            prop_assert_eq!((space.used(), space.past()), sums, "after {:?}", deed);
            prop_assert!(space.used() <= reach(space.limit(), Need::Change));
            prop_assert!(counted(&stores[1]).0 <= reach(space.limit() / SHARE, Need::Change));
        }
        let last = stores[0].events_since(stores[0].revision());
        prop_assert!(last.is_ok_and(|events| events.is_empty()));
        drop(stores);
        prop_assert_eq!((space.used(), space.past()), (0, 0));
    }
}

#[test]
fn an_event_of_the_past_may_be_the_last_of_its_object() {
    let space = Space::of(u64::MAX);
    let store = Store::within(10, space.account());
    create(&store, "a", 100).unwrap();
    store.delete("configmaps", &key("a"), None).unwrap();
    assert_eq!(store.events_since(1).unwrap().last().unwrap().change, Change::Deleted);
    assert_eq!((space.used(), space.past()), counted(&store));
    assert!(space.past() > 0);
}
