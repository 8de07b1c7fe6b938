//! How things end: garbage, namespaces, old events; and what new namespaces start with.

use serde_json::{Value, json};

use super::World;
use super::world::{NS, deployment};

const V36: &str = "k8s-1.36-containerd-2.1";

#[tokio::test]
async fn dependents_follow_their_owner() {
    let world = World::start(V36).await;
    world.create("deployments.apps", deployment("web", 2, "app:1"));
    world.pass(5).await;
    assert_eq!(world.list("pods").len(), 2);
    world.delete("deployments.apps", "web", "Background");
    world.settle().await;
    assert_eq!((world.list("replicasets.apps").len(), world.list("pods").len()), (0, 2));
    world.pass(5).await;
    assert_eq!(world.list("pods").len(), 0);
}

fn note(name: &str, owners: &[&Value]) -> Value {
    let references: Vec<Value> = owners
        .iter()
        .map(|o| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "name": o["metadata"]["name"], "uid": o["metadata"]["uid"],
                "blockOwnerDeletion": true})
        })
        .collect();
    let mut note = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    if !references.is_empty() {
        note["metadata"]["ownerReferences"] = references.into();
    }
    note
}

#[tokio::test]
async fn only_the_last_owner_takes_a_dependent_along() {
    let world = World::start(V36).await;
    let a = world.create("configmaps", note("a", &[])).value().clone();
    let b = world.create("configmaps", note("b", &[])).value().clone();
    world.create("configmaps", note("c", &[&a, &b]));
    world.settle().await;
    world.delete("configmaps", "a", "Background");
    world.settle().await;
    let c = world.get("configmaps", "c").unwrap();
    assert_eq!(c["metadata"]["ownerReferences"].as_array().unwrap().len(), 1);
    world.delete("configmaps", "b", "Background");
    world.settle().await;
    assert!(world.get("configmaps", "c").is_none());
    // An owner that is gone already takes along what comes late.
    world.create("configmaps", note("late", &[&a]));
    world.settle().await;
    assert!(world.get("configmaps", "late").is_none());
}

#[tokio::test]
async fn orphans_stay_and_foreground_owners_wait() {
    let world = World::start(V36).await;
    let a = world.create("configmaps", note("a", &[])).value().clone();
    world.create("configmaps", note("b", &[&a]));
    world.settle().await;
    world.delete("configmaps", "a", "Orphan");
    world.settle().await;
    assert!(world.get("configmaps", "b").unwrap()["metadata"]["ownerReferences"].is_null());
    assert!(world.get("configmaps", "a").is_none());

    let c = world.create("configmaps", note("c", &[])).value().clone();
    world.create("configmaps", note("d", &[&c]));
    world.settle().await;
    world.delete("configmaps", "c", "Foreground");
    world.settle().await;
    assert!(world.get("configmaps", "d").is_none());
    assert!(world.get("configmaps", "c").is_none());
}

#[tokio::test]
async fn a_namespace_ends_with_everything_in_it() {
    let world = World::start(V36).await;
    world.create("deployments.apps", deployment("web", 2, "app:1"));
    world.pass(5).await;
    world.delete("namespaces", NS, "Background");
    world.settle().await;
    assert_eq!(world.get("namespaces", NS).unwrap()["status"]["phase"], "Terminating");
    assert!(!world.list("deployments.apps").is_empty(), "pods go first");
    world.pass(60).await;
    assert!(world.get("namespaces", NS).is_none());
    for resource in world.api.store().resources() {
        assert_eq!(world.api.store().list(&resource, Some(NS)).0.len(), 0, "{resource}");
    }
}

#[tokio::test]
async fn a_namespace_starts_with_an_account_and_the_certificate() {
    let world = World::start(V36).await;
    let source = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"},
        "data": {"ca.crt": "PEM"}});
    let user = World::user();
    world
        .api
        .create(&user, "configmaps", "kube-system", source, &crate::api::WriteOptions::default())
        .unwrap();
    world.settle().await;
    assert_eq!(world.get("configmaps", "kube-root-ca.crt").unwrap()["data"]["ca.crt"], "PEM");
    world.delete("serviceaccounts", "default", "Background");
    world.settle().await;
    assert!(world.get("serviceaccounts", "default").is_some());
}

#[tokio::test]
async fn events_are_forgotten_an_hour_after_they_were_last_written() {
    let world = World::start(V36).await;
    world.create("deployments.apps", deployment("web", 1, "app:1"));
    world.pass(1800).await;
    let before = world.list("events").len();
    assert!(before > 2);
    let kept = world.list("events")[0].clone();
    let name = kept["metadata"]["name"].as_str().unwrap();
    let now = super::super::json::stamp(world.clock.shown_now());
    world.edit("events", name, |e| e["lastTimestamp"] = now.as_str().into());
    world.pass(1900).await;
    assert_eq!(world.list("events").len(), 1);
    world.pass(1800).await;
    assert_eq!(world.list("events").len(), 0);
}
