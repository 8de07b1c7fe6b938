//! Pods and the nodes that they get, or don't.

use serde_json::{Value, json};

use super::world::{NS, World, deployment};
use crate::store::Key;

const NEW: &str = "k8s-1.36-containerd-2.1";
const OLD: &str = "k8s-1.20-containerd-1.7";

async fn world(dialect: &str) -> World {
    let world = World::start(dialect).await;
    for (node, zone) in [("node-1", "a"), ("node-2", "b")] {
        let key = Key::new("", node);
        world.edit("nodes", node, |node| node["metadata"]["labels"]["zone"] = zone.into());
        let allocatable = json!({"cpu": "2", "memory": "1Gi", "pods": "10"});
        let set = |node: &mut Value| node["status"]["allocatable"] = allocatable.clone();
        world.api.modify(&World::user(), "nodes", &key, Some("status"), set).unwrap();
    }
    world.settle().await;
    world
}

fn pod(name: &str, spec: &Value) -> Value {
    let mut whole = json!({"containers": [{"name": "c", "image": "nginx:1"}]});
    spec.as_object().unwrap().iter().for_each(|(field, value)| whole[field.as_str()] = value.clone());
    json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": whole})
}

fn wants(cpu: &str) -> Value {
    json!({"containers": [{"name": "c", "image": "nginx:1", "resources": {"requests": {"cpu": cpu}}}]})
}

fn place(world: &World, name: &str) -> Option<String> {
    world.get("pods", name).unwrap()["spec"]["nodeName"].as_str().map(str::to_owned)
}

fn refusal(world: &World, name: &str) -> String {
    let pod = world.get("pods", name).unwrap();
    let condition = super::super::json::condition(&pod, "PodScheduled").unwrap();
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("False"), &json!("Unschedulable")));
    condition["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_pod_that_asks_for_too_much_waits_until_another_goes() {
    for (dialect, tail) in [
        (OLD, "."),
        (
            NEW,
            ". no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for \
             incoming pod.",
        ),
    ] {
        let world = world(dialect).await;
        for name in ["one", "two", "three"] {
            world.create("pods", pod(name, &wants("1500m")));
            world.settle().await;
        }
        let places = ["one", "two"].map(|name| place(&world, name).unwrap());
        assert_ne!(places[0], places[1]);
        assert_eq!(refusal(&world, "three"), format!("0/2 nodes are available: 2 Insufficient cpu{tail}"));
        world.create("pods", pod("small", &wants("500m")));
        world.settle().await;
        assert!(place(&world, "small").is_some());
        world.pass(5).await;
        assert_eq!(place(&world, "three"), None);
        world.delete("pods", "one", "Background");
        world.pass(5).await;
        let gone = if place(&world, "small").as_deref() == Some(places[0].as_str()) {
            None
        } else {
            Some(places[0].clone())
        };
        assert_eq!(place(&world, "three"), gone, "{dialect}");
    }
}

#[tokio::test]
async fn neighbours_and_spreading_decide() {
    let world = world(NEW).await;
    let term = |app: &str| json!([{"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "zone"}]);
    let required = |kind: &str, app: &str| json!({"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": term(app)}}});
    world.create("pods", pod("db", &json!({})));
    world.settle().await;
    let home = place(&world, "db");
    world.create("pods", pod("near", &required("podAffinity", "db")));
    world.create("pods", pod("far", &required("podAntiAffinity", "db")));
    world.create("pods", pod("lonely", &required("podAffinity", "nobody")));
    world.settle().await;
    assert_eq!(place(&world, "near"), home);
    assert!(place(&world, "far").is_some() && place(&world, "far") != home);
    assert_eq!(
        refusal(&world, "lonely"),
        "0/2 nodes are available: 2 node(s) didn't match pod affinity rules. no new claims to deallocate, preemption: 0/2 \
         nodes are available: 2 Preemption is not helpful for scheduling."
    );
    let mut spread = deployment("web", 5, "nginx:1");
    spread["spec"]["template"]["spec"]["topologySpreadConstraints"] = json!([{"maxSkew": 1, "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "web"}}}]);
    world.create("deployments.apps", spread);
    world.pass(10).await;
    let on = |node: &str| {
        let pods = world.list("pods");
        pods.iter()
            .filter(|p| p["metadata"]["labels"]["app"] == "web" && p["spec"]["nodeName"] == node)
            .count()
    };
    assert!(matches!((on("node-1"), on("node-2")), (3, 2) | (2, 3)));
}

#[tokio::test]
async fn wishes_count_where_they_can() {
    let world = world(NEW).await;
    let prefers = |zone: &str| {
        json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 50, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]}}]}}})
    };
    for n in 0..4 {
        world.create("pods", pod(&format!("p{n}"), &prefers("b")));
        world.settle().await;
        assert_eq!(place(&world, &format!("p{n}")).as_deref(), Some("node-2"));
    }
    world.edit("nodes", "node-2", |node| node["spec"]["unschedulable"] = true.into());
    world.create("pods", pod("moved", &prefers("b")));
    world.settle().await;
    assert_eq!(place(&world, "moved").as_deref(), Some("node-1"));
    world.edit("nodes", "node-1", |node| {
        node["spec"]["taints"] = json!([{"key": "team", "value": "a", "effect": "NoSchedule"}]);
    });
    world.create("pods", pod("nowhere", &json!({})));
    world.settle().await;
    assert_eq!(
        refusal(&world, "nowhere"),
        "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. no new claims to \
         deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    );
    world.edit("nodes", "node-2", |node| {
        node["spec"].as_object_mut().unwrap().remove("unschedulable");
    });
    world.settle().await;
    assert_eq!(place(&world, "nowhere"), None, "it is tried again after a second");
    world.pass(1).await;
    assert_eq!(place(&world, "nowhere").as_deref(), Some("node-2"));
    assert_eq!(world.api.list("pods", Some(NS)).len(), 6);
}

#[tokio::test]
async fn a_no_execute_taint_drives_away_what_does_not_put_up_with_it() {
    let world = world(NEW).await;
    let tolerates = json!({"tolerations": [{"key": "team", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]});
    let here = |spec: &Value| {
        let mut spec = spec.clone();
        spec["nodeSelector"] = json!({"zone": "a"});
        spec
    };
    world.create("pods", pod("leaves", &here(&json!({}))));
    world.create("pods", pod("stays", &here(&tolerates)));
    world.pass(3).await;
    world.edit("nodes", "node-1", |node| {
        node["spec"]["taints"] = json!([{"key": "team", "value": "a", "effect": "NoExecute"}]);
    });
    world.pass(5).await;
    assert!(world.get("pods", "leaves").is_none());
    world.pass(50).await;
    assert!(world.get("pods", "stays").is_some());
    world.pass(10).await;
    assert!(world.get("pods", "stays").is_none());
}

#[tokio::test]
async fn a_pod_of_a_node_that_never_was_is_collected() {
    let world = world(NEW).await;
    world.create("pods", pod("lost", &json!({"nodeName": "nowhere"})));
    world.pass(45).await;
    assert!(world.get("pods", "lost").is_some());
    world.pass(10).await;
    assert!(world.get("pods", "lost").is_none());
}

const UNBOUND: &str = "pod has unbound immediate PersistentVolumeClaims";

#[tokio::test]
async fn a_pod_waits_for_the_claim_that_it_names() {
    for (dialect, expected) in [
        (OLD, "0/2 nodes are available: 2 persistentvolumeclaim \"data\" not found."),
        (
            NEW,
            "0/2 nodes are available: persistentvolumeclaim \"data\" not found. no new claims to deallocate, \
             preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
        ),
    ] {
        let world = world(dialect).await;
        let volumes = json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]});
        world.create("pods", pod("p", &volumes));
        world.settle().await;
        assert_eq!(refusal(&world, "p"), expected, "{dialect}");
        assert_eq!(place(&world, "p"), None);
        world.create(
            "persistentvolumeclaims",
            json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}}}}),
        );
        world.pass(1).await;
        let waits = expected.replace("persistentvolumeclaim \"data\" not found", UNBOUND);
        assert_eq!(refusal(&world, "p"), waits, "{dialect}");
        let volume = json!({"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}});
        world.api.create(&World::user(), "persistentvolumes", "", volume, &Default::default()).unwrap();
        world.pass(20).await;
        assert!(place(&world, "p").is_some(), "{dialect}");
    }
}

#[tokio::test]
async fn less_important_pods_make_room() {
    for (dialect, told, condition) in
        [(OLD, "Preempted by shop/vip on node ", false), (NEW, "Preempted by pod ", true)]
    {
        let world = world(dialect).await;
        for (name, value, policy) in [
            ("high", 100, "PreemptLowerPriority"),
            ("shy", 100, "Never"),
            ("low", -5, "PreemptLowerPriority"),
        ] {
            let class = json!({"metadata": {"name": name}, "value": value, "preemptionPolicy": policy});
            let (user, options) = (World::user(), crate::api::WriteOptions::default());
            world.api.create(&user, "priorityclasses.scheduling.k8s.io", "", class, &options).unwrap();
        }
        let with = |cpu: &str, class: &str| {
            let mut spec = wants(cpu);
            spec["priorityClassName"] = class.into();
            spec
        };
        world.create("pods", pod("a", &wants("1500m")));
        world.settle().await;
        world.create("pods", pod("b", &with("1500m", "low")));
        world.pass(3).await;
        let (on_a, on_b) = (place(&world, "a").unwrap(), place(&world, "b").unwrap());
        assert_ne!(on_a, on_b);
        // One of the same importance gets nothing.
        world.create("pods", pod("same", &with("1", "low")));
        world.settle().await;
        assert!(refusal(&world, "same").contains("Insufficient cpu"));
        world.create("pods", pod("shy", &with("1", "shy")));
        world.settle().await;
        assert_eq!(world.list("pods").len(), 4, "it makes nobody go");
        world.delete("pods", "shy", "Background");
        world.create("pods", pod("vip", &with("1500m", "high")));
        world.settle().await;
        let vip = world.get("pods", "vip").unwrap();
        assert_eq!(vip["status"]["nominatedNodeName"], on_b.as_str(), "the least important one goes");
        assert_eq!(refusal(&world, "vip"), "0/2 nodes are available: 2 Insufficient cpu.");
        let victim = world.get("pods", "b").unwrap();
        assert!(victim["metadata"]["deletionTimestamp"].is_string());
        let disruption = super::super::json::condition(&victim, "DisruptionTarget");
        assert_eq!(
            disruption.map(|c| c["reason"].clone()),
            condition.then(|| json!("PreemptionByScheduler"))
        );
        world.pass(5).await;
        assert_eq!(place(&world, "vip").as_deref(), Some(on_b.as_str()));
        let promise = world.get("pods", "vip").unwrap()["status"]["nominatedNodeName"].clone();
        assert_eq!(promise.is_null(), dialect == NEW, "{promise}");
        assert!(world.get("pods", "b").is_none() && place(&world, "a").as_deref() == Some(on_a.as_str()));
        assert_eq!(place(&world, "same"), None, "the place was promised");
        let events = world.list("events");
        let preempted: Vec<&str> = events
            .iter()
            .filter(|e| e["reason"] == "Preempted")
            .map(|e| e["message"].as_str().unwrap())
            .collect();
        assert!(preempted.len() == 1 && preempted[0].starts_with(told), "{preempted:?}");
    }
}

#[tokio::test]
async fn what_no_node_will_ever_have_is_no_reason_to_look_for_victims() {
    let world = world(NEW).await;
    world.create("pods", pod("huge", &wants("1000")));
    world.settle().await;
    assert_eq!(
        refusal(&world, "huge"),
        "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: \
         2 Preemption is not helpful for scheduling."
    );
}

#[tokio::test]
async fn gates_hold_a_pod_back_until_the_last_one_is_lifted() {
    let world = world(NEW).await;
    world.create("pods", pod("gated", &json!({"schedulingGates": [{"name": "a"}, {"name": "b"}]})));
    world.pass(30).await;
    assert_eq!(place(&world, "gated"), None);
    let gated = world.get("pods", "gated").unwrap();
    let condition = super::super::json::condition(&gated, "PodScheduled").unwrap();
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("False"), &json!("SchedulingGated")));
    assert_eq!(condition["message"], "Scheduling is blocked due to non-empty scheduling gates");
    world.edit("pods", "gated", |pod| pod["spec"]["schedulingGates"] = json!([{"name": "b"}]));
    world.pass(30).await;
    assert_eq!(place(&world, "gated"), None);
    world.edit("pods", "gated", |pod| {
        pod["spec"]["schedulingGates"] = json!([]);
        pod["spec"]["nodeSelector"] = json!({"zone": "b"});
    });
    world.settle().await;
    assert_eq!(place(&world, "gated").as_deref(), Some("node-2"));
    let placed = world.get("pods", "gated").unwrap();
    let condition = super::super::json::condition(&placed, "PodScheduled").unwrap();
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("True"), &Value::Null));
}
