//! Following changes.

use pulldrill_clock::{Clock, SignedDuration};
use serde_json::json;

use crate::world::{World, config_map};

const MAPS: &str = "/api/v1/namespaces/kube-public/configmaps";

#[tokio::test]
async fn a_watch_tells_what_enters_changes_and_leaves_its_selection() {
    let world = World::new().await;
    let admin = world.admin();
    let start = admin.get(MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut watch =
        admin.watch(&format!("{MAPS}?watch=1&resourceVersion={start}&labelSelector=in%3Dyes")).await;
    let label = |value: &str| json!({"metadata": {"labels": {"in": value}}});
    admin.post(MAPS, &config_map("x", &json!({"in": "no"}))).await;
    let x = format!("{MAPS}/x");
    for value in ["yes", "yes", "no"] {
        admin.patch(&x, "merge-patch+json", &label(value)).await;
        admin.patch(&x, "merge-patch+json", &json!({"data": {"n": value}})).await;
    }
    assert_eq!(watch.brief().await, ("ADDED".into(), "x".into()));
    assert_eq!(watch.brief().await, ("MODIFIED".into(), "x".into()));
    let (kind, last) = watch.next().await.unwrap();
    assert_eq!((kind.as_str(), last["metadata"]["labels"]["in"].as_str().unwrap()), ("DELETED", "yes"));
}

#[tokio::test]
async fn a_streamed_list_ends_with_its_mark() {
    let world = World::new().await;
    let admin = world.admin();
    let query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = admin.watch(&format!("/api/v1/namespaces?{query}&timeoutSeconds=1")).await;
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        assert_eq!(watch.brief().await, ("ADDED".into(), name.into()));
    }
    let (kind, mark) = watch.next().await.unwrap();
    assert_eq!(kind, "BOOKMARK");
    assert_eq!(mark["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!((mark["kind"].as_str(), mark["apiVersion"].as_str()), (Some("Namespace"), Some("v1")));
    assert_eq!(watch.next().await.unwrap().0, "BOOKMARK");
    assert!(watch.next().await.is_none());
    let refused = admin.get("/api/v1/namespaces?watch=1&sendInitialEvents=true").await;
    assert_eq!(refused.code, 422);
}

#[tokio::test]
async fn a_watch_that_lost_its_place_is_told_so() {
    let world = World::new().await;
    let admin = world.admin();
    let mut late = admin.watch(&format!("{MAPS}?watch=1&resourceVersion=0")).await;
    let old = world.cluster.store().revision();
    world.cluster.store().shift_times(SignedDuration::from_hours(1));
    loop {
        let (kind, status) = late.next().await.unwrap();
        if kind == "ERROR" {
            assert_eq!((status["code"].as_i64(), status["reason"].as_str()), (Some(410), Some("Expired")));
            break;
        }
    }
    assert!(late.next().await.is_none());
    let mut later = admin.watch(&format!("{MAPS}?watch=1&resourceVersion={old}")).await;
    assert_eq!(later.next().await.unwrap().0, "ERROR");
}

#[tokio::test]
async fn a_watch_of_tables_goes_on_when_the_world_grows_older() {
    let world = World::new().await;
    let admin = world.admin();
    let mut rows = admin.watch_table(&format!("{MAPS}?watch=1&resourceVersion=0")).await;
    let age = |table: &serde_json::Value| table["rows"][0]["cells"][2].as_str().map(str::to_owned);
    let (kind, first) = rows.next().await.unwrap();
    assert_eq!((kind.as_str(), first["kind"].as_str()), ("ADDED", Some("Table")));
    world.cluster.store().shift_times(SignedDuration::from_hours(5));
    let (kind, older) = rows.next().await.unwrap();
    assert_eq!((kind.as_str(), age(&older).as_deref()), ("MODIFIED", Some("5h")));
    admin.post(MAPS, &config_map("late", &json!({}))).await;
    let (kind, late) = rows.next().await.unwrap();
    assert_eq!((kind.as_str(), late["rows"][0]["cells"][0].as_str()), ("ADDED", Some("late")));
}

#[tokio::test]
async fn an_advance_of_a_live_clock_makes_objects_older() {
    let world = World::with_clock(Clock::live()).await;
    let admin = world.admin();
    world.clock.advance(SignedDuration::from_hours(13)).await;
    let table = admin.table("/api/v1/namespaces/default").await.json();
    assert_eq!(table["rows"][0]["cells"][2], "13h");
}

#[tokio::test]
async fn stopping_ends_watches() {
    let world = World::new().await;
    let mut watch = world.admin().watch(&format!("{MAPS}?watch=1&resourceVersion=999999999")).await;
    world.stop.cancel();
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_crowd_of_watchers_misses_nothing() {
    const CROWD: usize = 150;
    const CHANGES: usize = 40;
    let world = World::new().await;
    let admin = world.admin();
    let path = format!("{MAPS}?watch=1&labelSelector=crowd");
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(admin.watch(&path).await);
    }
    for n in 0..CHANGES {
        admin.post(MAPS, &config_map(&format!("c{n}"), &json!({"crowd": "yes"}))).await;
    }
    for mut watch in crowd {
        for n in 0..CHANGES {
            assert_eq!(watch.brief().await, ("ADDED".into(), format!("c{n}")));
        }
    }
}
