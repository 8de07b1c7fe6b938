//! What is behind a Service, and the tokens of old releases.

use serde_json::{Value, json};

use super::World;
use super::world::deployment;

#[tokio::test]
async fn only_ready_pods_are_behind_a_service() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    world.create(
        "services",
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}}),
    );
    world.create("deployments.apps", deployment("web", 2, "app:1"));
    world.pass(10).await;
    let behind = |world: &World| {
        let subsets = world.get("endpoints", "web").unwrap()["subsets"].clone();
        subsets[0]["addresses"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(behind(&world), 2);
    let slices = world.list("endpointslices.discovery.k8s.io");
    assert_eq!(slices.len(), 1);
    let ready: Vec<&Value> =
        slices[0]["endpoints"].as_array().unwrap().iter().map(|e| &e["conditions"]["ready"]).collect();
    assert_eq!(ready, [true, true]);
    assert_eq!(slices[0]["ports"][0]["port"], 8080);
    world.edit("deployments.apps", "web", |d| d["spec"]["replicas"] = 0.into());
    world.pass(10).await;
    assert_eq!(behind(&world), 0);
    world.delete("services", "web", "Background");
    world.pass(1).await;
    assert!(world.get("endpoints", "web").is_none());
    assert_eq!(world.list("endpointslices.discovery.k8s.io").len(), 0);
}

#[tokio::test]
async fn old_releases_mount_a_token_from_a_secret() {
    let world = World::start("k8s-1.20-containerd-1.7").await;
    let account = world.get("serviceaccounts", "default").unwrap();
    let secret = account["secrets"][0]["name"].as_str().unwrap();
    assert_eq!(world.get("secrets", secret).unwrap()["type"], "kubernetes.io/service-account-token");
    world.create("deployments.apps", deployment("web", 1, "app:1"));
    world.pass(5).await;
    assert_eq!(world.list("pods")[0]["spec"]["volumes"][0]["secret"]["secretName"], secret);
    world.delete("secrets", secret, "Background");
    world.settle().await;
    assert!(world.list("secrets").iter().any(|s| s["metadata"]["name"] != secret));
    let modern = World::start("k8s-1.36-containerd-2.1").await;
    assert_eq!(modern.list("secrets").len(), 0);
}
