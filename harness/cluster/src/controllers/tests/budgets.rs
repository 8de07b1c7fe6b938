//! Disruption budgets and the status of quotas.

use serde_json::{Value, json};

use super::world::{NS, World, deployment};
use crate::{
    api::{DeleteOptions, Status},
    store::Key,
};

const NEW: &str = "k8s-1.36-containerd-2.1";
const OLD: &str = "k8s-1.20-containerd-1.7";
const BUDGETS: &str = "poddisruptionbudgets.policy";

fn budget(spec: Value) -> Value {
    let mut spec = spec;
    spec["selector"] = json!({"matchLabels": {"app": "web"}});
    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec})
}

fn evict(world: &World, pod: &str) -> Result<(), Status> {
    world.api.evict(&World::user(), &Key::new(NS, pod), &DeleteOptions::default())
}

fn pods(world: &World) -> Vec<String> {
    world.list("pods").iter().map(|p| p["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

async fn world(dialect: &str, replicas: i64, spec: Value) -> World {
    let world = World::start(dialect).await;
    world.create("deployments.apps", deployment("web", replicas, "nginx:1"));
    world.create(BUDGETS, budget(spec));
    world.pass(10).await;
    world
}

#[tokio::test]
async fn a_budget_lets_as_many_go_as_it_can_spare() {
    let world = world(NEW, 3, json!({"minAvailable": 2})).await;
    let status = world.get(BUDGETS, "web").unwrap()["status"].clone();
    let numbers = ["currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"];
    assert_eq!(numbers.map(|n| status[n].as_i64().unwrap()), [3, 2, 1, 3]);
    let condition = &status["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["reason"]),
        (&json!("DisruptionAllowed"), &json!("SufficientPods"))
    );
    let all = pods(&world);
    evict(&world, &all[0]).unwrap();
    let refused = evict(&world, &all[1]).unwrap_err();
    assert_eq!((refused.code, refused.reason), (429, "TooManyRequests"));
    assert_eq!(refused.message, "Cannot evict pod as it would violate the pod's disruption budget.");
    world.settle().await;
    let refused = evict(&world, &all[1]).unwrap_err();
    let cause = json!([{"reason": "DisruptionBudget",
        "message": "The disruption budget web needs 2 healthy pods and has 2 currently"}]);
    assert_eq!(refused.details["causes"], cause);
    world.pass(10).await;
    let status = world.get(BUDGETS, "web").unwrap()["status"].clone();
    assert_eq!(status["disruptionsAllowed"], 1, "the replacement is ready: {status}");
    assert!(status["disruptedPods"].is_null());
    evict(&world, &all[1]).unwrap();
}

#[tokio::test]
async fn percentages_count_the_workloads_replicas() {
    for (spec, expected) in [
        (json!({"maxUnavailable": "50%"}), [5, 2, 3, 5]),
        (json!({"maxUnavailable": 0}), [5, 5, 0, 5]),
        (json!({"minAvailable": "50%"}), [5, 3, 2, 5]),
        (json!({"minAvailable": 7}), [5, 7, 0, 5]),
    ] {
        let world = world(NEW, 5, spec.clone()).await;
        let status = world.get(BUDGETS, "web").unwrap()["status"].clone();
        let numbers = ["currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"];
        assert_eq!(numbers.map(|n| status[n].as_i64().unwrap()), expected, "{spec}");
    }
}

#[tokio::test]
async fn pods_that_do_no_work_are_not_protected() {
    let world = world(OLD, 2, json!({"minAvailable": 2})).await;
    assert!(world.get(BUDGETS, "web").unwrap()["status"]["conditions"].is_null(), "not in 1.20");
    let healthy = pods(&world);
    assert!(evict(&world, &healthy[0]).is_err());
    world.set_image("deployments.apps", "web", "nginx:bad");
    world.pass(10).await;
    let stuck = pods(&world).into_iter().find(|p| !healthy.contains(p)).unwrap();
    evict(&world, &stuck).unwrap();
    let second = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "too"},
        "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": "web"}}}});
    world.create(BUDGETS, second);
    let refused = evict(&world, &healthy[0]).unwrap_err();
    assert_eq!(refused.code, 500);
    assert!(refused.message.starts_with("This pod has more than one PodDisruptionBudget"), "{refused}");
    assert_eq!(evict(&world, "nobody").unwrap_err().code, 404);
}

#[tokio::test]
async fn a_new_budget_refuses_until_it_has_been_looked_at() {
    let world = World::start(NEW).await;
    world.create("deployments.apps", deployment("web", 1, "nginx:1"));
    world.pass(10).await;
    world.create(BUDGETS, budget(json!({"maxUnavailable": 1})));
    let refused = evict(&world, &pods(&world)[0]).unwrap_err();
    assert_eq!(refused.details["retryAfterSeconds"], 10);
    world.settle().await;
    evict(&world, &pods(&world)[0]).unwrap();
}

#[tokio::test]
async fn a_quota_holds_a_workload_back_and_says_what_is_used() {
    let world = World::start(NEW).await;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"},
        "spec": {"hard": {"pods": "2", "secrets": "4"}}});
    world.create("resourcequotas", quota);
    world.create("deployments.apps", deployment("web", 3, "nginx:1"));
    world.pass(5).await;
    let status = world.get("resourcequotas", "q").unwrap()["status"].clone();
    assert_eq!(status, json!({"hard": {"pods": "2", "secrets": "4"}, "used": {"pods": "2", "secrets": "0"}}));
    let deployment = world.get("deployments.apps", "web").unwrap();
    let failure = super::super::json::condition(&deployment, "ReplicaFailure").unwrap();
    assert_eq!((&failure["status"], &failure["reason"]), (&json!("True"), &json!("FailedCreate")));
    let message = failure["message"].as_str().unwrap();
    let words = "is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2";
    assert!(message.starts_with("pods \"web-") && message.ends_with(words), "{message}");
    world.edit("resourcequotas", "q", |quota| quota["spec"]["hard"]["pods"] = "3".into());
    world.pass(1200).await;
    assert_eq!(pods(&world).len(), 3);
    world.delete("deployments.apps", "web", "Background");
    world.pass(10).await;
    let status = world.get("resourcequotas", "q").unwrap()["status"].clone();
    assert_eq!(status["used"]["pods"], "0");
}
