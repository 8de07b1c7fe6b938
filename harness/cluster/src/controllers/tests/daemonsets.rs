//! DaemonSets: one pod a node, and a bad image that costs one of them.

use serde_json::{Value, json};

use super::World;
use super::world::template;

fn daemon_set(image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template("web", image),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}},
        "status": {}})
}

fn images(world: &World) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let mut images: Vec<(String, String)> = world
        .list("pods")
        .iter()
        .map(|p| (text(&p["spec"]["nodeName"]), text(&p["spec"]["containers"][0]["image"])))
        .collect();
    images.sort();
    images
}

fn pairs(pairs: [(&str, &str); 2]) -> Vec<(String, String)> {
    pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec()
}

#[tokio::test]
async fn a_bad_image_costs_one_pod_and_a_good_one_replaces_it() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    world.create("daemonsets.apps", daemon_set("app:1"));
    world.pass(20).await;
    assert_eq!(images(&world), pairs([("node-1", "app:1"), ("node-2", "app:1")]));
    world.set_image("daemonsets.apps", "web", "app:bad");
    world.pass(20).await;
    let now = images(&world);
    assert_eq!(now.iter().filter(|(_, image)| image == "app:bad").count(), 1, "{now:?}");
    let status = world.get("daemonsets.apps", "web").unwrap()["status"].clone();
    assert_eq!(
        status,
        json!({"desiredNumberScheduled": 2, "currentNumberScheduled": 2, "numberMisscheduled": 0, "numberReady": 1,
            "observedGeneration": 2, "updatedNumberScheduled": 1, "numberAvailable": 1, "numberUnavailable": 1})
    );
    world.set_image("daemonsets.apps", "web", "app:2");
    world.pass(20).await;
    assert_eq!(images(&world), pairs([("node-1", "app:2"), ("node-2", "app:2")]));
    let pod = &world.list("pods")[0];
    let set = world.get("daemonsets.apps", "web").unwrap();
    let hash = pod["metadata"]["labels"]["controller-revision-hash"].as_str().unwrap();
    assert!(world.get("controllerrevisions.apps", &format!("web-{hash}")).is_some());
    assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], set["metadata"]["uid"]);
    assert_eq!(pod["spec"]["tolerations"].as_array().unwrap().len(), 6);
    let events = world.events(&["daemonset-controller"]);
    assert!(
        events.iter().all(|e| e.contains("Created pod: web-") || e.contains("Deleted pod: web-")),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_cordon_does_not_matter_and_a_taint_does() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    world.edit("nodes", "node-1", |node| node["spec"]["unschedulable"] = true.into());
    world.edit("nodes", "node-2", |node| {
        node["spec"]["taints"] = json!([{"key": "only", "value": "db", "effect": "NoSchedule"}]);
    });
    world.create("daemonsets.apps", daemon_set("app:1"));
    world.pass(10).await;
    assert_eq!(images(&world), [("node-1".to_owned(), "app:1".to_owned())]);
    world.edit("nodes", "node-2", |node| node["spec"]["taints"] = json!([]));
    world.pass(10).await;
    assert_eq!(images(&world).len(), 2);
    world.edit("nodes", "node-2", |node| {
        node["spec"]["taints"] = json!([{"key": "out", "effect": "NoExecute"}]);
    });
    world.pass(10).await;
    assert_eq!(images(&world).len(), 1);
}

#[tokio::test]
async fn with_a_surge_new_pods_come_before_old_ones_go() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    let mut set = daemon_set("app:1");
    set["spec"]["updateStrategy"]["rollingUpdate"] = json!({"maxUnavailable": 0, "maxSurge": 1});
    world.create("daemonsets.apps", set);
    world.pass(20).await;
    world.set_image("daemonsets.apps", "web", "app:bad");
    world.pass(20).await;
    let now = images(&world);
    let of = |wanted: &str| now.iter().filter(|(_, image)| image == wanted).count();
    assert_eq!((of("app:1"), of("app:bad")), (2, 1), "what works stays, and one node has a new one: {now:?}");
    assert_eq!(world.get("daemonsets.apps", "web").unwrap()["status"]["numberAvailable"], 2);
    world.set_image("daemonsets.apps", "web", "app:2");
    world.pass(40).await;
    assert_eq!(images(&world), pairs([("node-1", "app:2"), ("node-2", "app:2")]));
    let least = world.versions("daemonsets.apps");
    let available = |set: &Value| set["status"]["numberAvailable"].as_i64().unwrap_or(0);
    let began = least.iter().position(|set| available(set) == 2).unwrap();
    assert!(least[began..].iter().all(|set| available(set) == 2), "none was ever missing");
}
