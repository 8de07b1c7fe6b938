//! What becomes of the claims of a StatefulSet's pods.

use serde_json::{Value, json};

use super::World;
use super::world::template;

const V36: &str = "k8s-1.36-containerd-2.1";
const V20: &str = "k8s-1.20-containerd-1.7";
const SETS: &str = "statefulsets.apps";
const CLAIMS: &str = "persistentvolumeclaims";

fn stateful_set(replicas: i64, policy: &Value) -> Value {
    let claim = json!({"metadata": {"name": "data", "labels": {"tier": "disk"}}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
            "template": template("web", "app:1"), "volumeClaimTemplates": [claim],
            "persistentVolumeClaimRetentionPolicy": policy}})
}

/// A world with volumes, and a set that is up.
async fn up(dialect: &str, replicas: i64, policy: &Value) -> World {
    let world = World::start(dialect).await;
    for n in 0..3 {
        let volume = json!({"metadata": {"name": format!("disk-{n}")}, "spec": {"accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/disk"}}});
        let options = crate::api::WriteOptions::default();
        world.api.create(&World::user(), "persistentvolumes", "", volume, &options).unwrap();
    }
    world.create(SETS, stateful_set(replicas, policy));
    world.pass(20).await;
    assert!(world.list("pods").iter().all(|pod| pod["status"]["phase"] == "Running"));
    world
}

/// `name: owners` of the claims.
fn claims(world: &World) -> Vec<String> {
    let owners = |claim: &Value| -> String {
        let references = claim["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        references
            .map(|r| format!(" {}/{}", r["kind"].as_str().unwrap(), r["name"].as_str().unwrap()))
            .collect()
    };
    let claims = world.list(CLAIMS);
    claims
        .iter()
        .map(|claim| format!("{}:{}", claim["metadata"]["name"].as_str().unwrap(), owners(claim)))
        .collect()
}

#[tokio::test]
async fn claims_are_told_of_and_have_the_labels_of_template_and_selector() {
    for (dialect, create) in [(V36, "Create"), (V20, "create")] {
        let world = up(dialect, 2, &Value::Null).await;
        assert_eq!(world.list(CLAIMS)[0]["metadata"]["labels"], json!({"app": "web", "tier": "disk"}));
        let told = |n: i64| {
            [
                format!(
                    "Normal SuccessfulCreate StatefulSet create Claim data-web-{n} Pod web-{n} in StatefulSet web success"
                ),
                format!(
                    "Normal SuccessfulCreate StatefulSet {create} Pod web-{n} in StatefulSet web successful"
                ),
            ]
        };
        assert_eq!(world.events(&["statefulset-controller"]), [told(0), told(1)].concat());
    }
}

#[tokio::test]
async fn claims_go_with_what_the_policy_says() {
    for (policy, owned, scaled, deleted) in [
        (json!({}), ["", ""], 2, 2),
        (json!({"whenScaled": "Delete"}), ["", ""], 1, 1),
        (json!({"whenDeleted": "Delete"}), [" StatefulSet/web", " StatefulSet/web"], 2, 0),
        (
            json!({"whenScaled": "Delete", "whenDeleted": "Delete"}),
            [" StatefulSet/web", " StatefulSet/web"],
            1,
            0,
        ),
    ] {
        let world = up(V36, 2, &policy).await;
        assert_eq!(
            claims(&world),
            [format!("data-web-0:{}", owned[0]), format!("data-web-1:{}", owned[1])],
            "{policy}"
        );
        world.edit(SETS, "web", |set| set["spec"]["replicas"] = 1.into());
        world.settle().await;
        let goes = policy["whenScaled"] == "Delete";
        assert_eq!(claims(&world)[1], format!("data-web-1:{}", if goes { " Pod/web-1" } else { owned[1] }));
        world.pass(5).await;
        assert_eq!(world.list(CLAIMS).len(), scaled, "{policy}");
        world.delete(SETS, "web", "Background");
        world.pass(10).await;
        assert_eq!((world.list(CLAIMS).len(), world.list("pods").len()), (deleted, 0), "{policy}");
    }
}

#[tokio::test]
async fn a_change_of_the_policy_takes_owners_away_and_old_releases_have_none() {
    let both = json!({"whenScaled": "Delete", "whenDeleted": "Delete"});
    let world = up(V36, 1, &both).await;
    assert_eq!(claims(&world), ["data-web-0: StatefulSet/web"]);
    world.edit(SETS, "web", |set| {
        set["spec"]["persistentVolumeClaimRetentionPolicy"] =
            json!({"whenScaled": "Retain", "whenDeleted": "Retain"});
    });
    world.settle().await;
    assert_eq!(claims(&world), ["data-web-0:"]);
    assert_eq!(claims(&up(V20, 1, &both).await), ["data-web-0:"]);
}

#[tokio::test]
async fn a_pod_waits_until_the_claim_of_an_earlier_one_is_gone() {
    let world = up(V36, 1, &json!({"whenScaled": "Delete"})).await;
    world.edit(SETS, "web", |set| set["spec"]["replicas"] = 0.into());
    world.settle().await;
    let before = world.list(CLAIMS)[0]["metadata"]["uid"].clone();
    world.edit(SETS, "web", |set| set["spec"]["replicas"] = 1.into());
    world.pass(20).await;
    let after = world.list(CLAIMS);
    assert_eq!(after.len(), 1);
    assert_ne!(after[0]["metadata"]["uid"], before);
    assert_eq!(world.list("pods").len(), 1);
}

#[tokio::test]
async fn claims_that_were_let_go_are_taken_again() {
    let policy = json!({"whenDeleted": "Delete"});
    let world = up(V36, 1, &policy).await;
    world.delete(SETS, "web", "Orphan");
    world.settle().await;
    assert_eq!(claims(&world), ["data-web-0:"]);
    world.create(SETS, stateful_set(1, &policy));
    world.settle().await;
    assert_eq!(claims(&world), ["data-web-0: StatefulSet/web"]);
}

#[tokio::test]
async fn no_pod_is_made_for_a_claim_that_is_on_its_way_out() {
    let world = up(V36, 1, &Value::Null).await;
    let held = "example.com/held";
    world.edit(CLAIMS, "data-web-0", |claim| claim["metadata"]["finalizers"] = json!([held]));
    world.delete(CLAIMS, "data-web-0", "Background");
    world.delete("pods", "web-0", "Background");
    world.pass(10).await;
    assert_eq!(world.list("pods").len(), 0);
    let why = "Warning FailedCreate StatefulSet Create Pod web-0 in StatefulSet web failed error: pvc data-web-0 is \
               being deleted";
    let told = world.events(&["statefulset-controller"]);
    assert!(told.iter().any(|event| event.starts_with(why)), "{told:?}");
    world.edit(CLAIMS, "data-web-0", |claim| claim["metadata"]["finalizers"] = json!([]));
    world.pass(5).await;
    assert_eq!((claims(&world).len(), world.list("pods").len()), (1, 1));
}
