//! What controllers make of a store that is full, and of other refusals that stay.

use serde_json::{Value, json};

use super::{
    World,
    world::{deployment, template},
};
use crate::{api::WriteOptions, controllers::tests::world::NS, store::Space};

const NEWEST: &str = "k8s-1.36-containerd-2.1";
/// Room for some dozens of pods.
const QUOTA: u64 = 3 << 20;
const FULL: &str = "etcdserver: mvcc: database space exceeded";
const MANY: i64 = i32::MAX as i64;

/// What makes pods, with more of them than any machine has room for.
fn sets() -> [(&'static str, Value); 6] {
    let labelled = json!({"matchLabels": {"app": "web"}});
    let set = |kind: &str, spec: Value| json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec});
    let mut ends = template("web", "app:1");
    ends["spec"]["restartPolicy"] = "Never".into();
    let job = |more: Value| {
        let mut spec = json!({"parallelism": MANY, "template": ends});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "web"}, "spec": spec})
    };
    let replicas = json!({"replicas": MANY, "selector": labelled, "template": template("web", "app:1")});
    let mut parallel = replicas.clone();
    (parallel["podManagementPolicy"], parallel["serviceName"]) = ("Parallel".into(), "web".into());
    [
        ("deployments.apps", deployment("web", MANY, "app:1")),
        ("replicasets.apps", set("ReplicaSet", replicas)),
        (
            "replicationcontrollers",
            json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "web"},
            "spec": {"replicas": MANY, "template": template("web", "app:1")}}),
        ),
        ("statefulsets.apps", set("StatefulSet", parallel)),
        ("jobs.batch", job(json!({}))),
        (
            "jobs.batch",
            job(json!({"completions": MANY, "parallelism": 100_000, "completionMode": "Indexed"})),
        ),
    ]
}

fn room(world: &World, name: &str) -> bool {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b".repeat(9000)}});
    match world.api.create(&World::user(), "configmaps", NS, map, &WriteOptions::default()) {
        Ok(_) => true,
        Err(status) => {
            assert_eq!((status.code, status.reason, status.message.as_str()), (500, "", FULL));
            false
        }
    }
}

#[tokio::test]
async fn a_full_store_stops_whatever_makes_pods_and_what_is_deleted_makes_room() {
    for (resource, object) in sets() {
        let space = Space::of(QUOTA);
        let world = World::within(NEWEST, space.clone()).await;
        world.create(resource, object);
        world.settle().await;
        world.pass(60).await;
        let pods = world.list("pods").len();
        assert!((20..1_000).contains(&pods), "{resource}: {pods} pods");
        assert!(space.used() > QUOTA / 8 * 7 && space.used() <= QUOTA + QUOTA / 8, "{resource}: {space:?}");
        assert!(!room(&world, "none"), "{resource}");

        // They try again, each time later: whatever is written in a quarter of an hour is little.
        let before = world.api.store().revision();
        world.pass(900).await;
        let written = world.api.store().revision() - before;
        assert!(written < 200, "{resource}: {written} writes");

        world.delete(resource, "web", "Background");
        world.pass(60).await;
        assert_eq!(world.list("pods").len(), 0, "{resource}");
        assert!(room(&world, "some"), "{resource}: {space:?}");
        world.clock.end();
    }
}

#[tokio::test]
async fn what_was_scaled_too_far_is_told_so_and_well_again_when_scaled_back() {
    let world = World::within(NEWEST, Space::of(QUOTA)).await;
    world.create("deployments.apps", deployment("web", MANY, "app:1"));
    world.pass(5).await;
    let condition = |resource: &str, name: &str| {
        let status = world.get(resource, name).unwrap()["status"].clone();
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let failure = conditions.into_iter().find(|condition| condition["type"] == "ReplicaFailure");
        failure.map(|failure| (failure["reason"].clone(), failure["message"].clone()))
    };
    let set = world.list("replicasets.apps")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let told = Some((json!("FailedCreate"), json!(FULL)));
    assert_eq!(
        [condition("replicasets.apps", &set), condition("deployments.apps", "web")],
        [told.clone(), told]
    );
    let failed = |event: &Value| {
        event["reason"] == "FailedCreate" && event["message"] == format!("Error creating: {FULL}")
    };
    assert!(world.list("events").iter().any(failed), "there is room for what is small");

    world.edit("deployments.apps", "web", |web| web["spec"]["replicas"] = 2.into());
    world.pass(60).await;
    assert_eq!(world.list("pods").len(), 2);
    assert_eq!([condition("replicasets.apps", &set), condition("deployments.apps", "web")], [None, None]);
    world.edit("deployments.apps", "web", |web| web["spec"]["replicas"] = 4.into());
    world.pass(60).await;
    assert_eq!(world.list("pods").len(), 4);
}

#[tokio::test]
async fn failures_for_many_reasons_to_look_are_not_all_tried_again() {
    let world = World::start(NEWEST).await;
    let mut web = deployment("web", 1, "app:1");
    web["kind"] = "ReplicaSet".into();
    web["spec"]["template"]["spec"]["serviceAccountName"] = "none".into();
    world.create("replicasets.apps", web);
    world.settle().await;
    for n in 0..10 {
        world.edit("replicasets.apps", "web", |web| web["metadata"]["labels"] = json!({"n": n.to_string()}));
        world.settle().await;
    }
    let tries = || {
        let failed = world.list("events").into_iter().filter(|event| event["reason"] == "FailedCreate");
        failed.map(|event| event["count"].as_i64().unwrap()).sum::<i64>()
    };
    let before = tries();
    assert!(before > 1, "it did fail");
    world.pass(3500).await;
    let more = tries() - before;
    assert!((1..=12).contains(&more), "{more} more in an hour");
}
