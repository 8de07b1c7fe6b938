//! Nodes that come, fail, recover and go, and the commands of those who look after them.

use http::Method;
use pulldrill_clock::{Clock, SignedDuration, Timestamp};
use pulldrill_cluster::{
    NodeError, Parts, Principal,
    api::{User, WriteOptions},
    store::Key,
};
use serde_json::{Value, json};

use crate::{
    kubectls::Kubectl,
    programs::kubectls,
    world::{NEWEST, World},
};

const OLDEST: &str = "k8s-1.20-containerd-1.7";
const IMAGE: &str = "registry.example/shop/web:1";

async fn world(clock: Clock, dialect: &str) -> World {
    let world = World::of(clock, Parts::All, dialect, &["node-1", "node-2"]).await;
    load(&world);
    // The controllers have begun when the first of them has done its work.
    while world.cluster.api().get("serviceaccounts", &Key::new("default", "default")).is_err() {
        tokio::task::yield_now().await;
    }
    world.clock.idle().await;
    world
}

fn load(world: &World) {
    world.cluster.load_image(IMAGE, &json!({"architecture": "amd64", "config": {}})).unwrap();
}

fn held() -> Clock {
    Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap())
}

fn create(world: &World, resource: &str, object: Value) {
    let user = User::named("admin", &["system:masters"]);
    world.cluster.api().create(&user, resource, "default", object, &WriteOptions::default()).unwrap();
}

fn deployment(replicas: i64) -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": IMAGE}]}}}})
}

async fn pass(world: &World, seconds: i64) {
    world.clock.advance(SignedDuration::from_secs(seconds)).await;
    world.clock.idle().await;
}

fn node(world: &World, name: &str) -> Value {
    world.cluster.api().get("nodes", &Key::new("", name)).unwrap().value().clone()
}

fn ready(object: &Value) -> (String, String) {
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let ready = conditions.iter().find(|c| c["type"] == "Ready").unwrap();
    let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"))
}

fn taints(world: &World, name: &str) -> Vec<String> {
    let node = node(world, name);
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    taints.map(|t| format!("{}:{}", t["key"].as_str().unwrap(), t["effect"].as_str().unwrap())).collect()
}

fn pods(world: &World, on: &str) -> Vec<Value> {
    let all = world.cluster.api().list("pods", Some("default"));
    all.iter().map(|p| p.value().clone()).filter(|p| on.is_empty() || p["spec"]["nodeName"] == on).collect()
}

/// `Type Reason component message` of the events about objects of a kind.
fn events(world: &World, kind: &str) -> Vec<String> {
    let all = world.cluster.api().list("events", None);
    let mine = all.iter().map(|e| e.value()).filter(|e| e["involvedObject"]["kind"] == kind);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    mine.map(|e| {
        let parts = [&e["type"], &e["reason"], &e["source"]["component"], &e["message"]];
        parts.map(text).join(" ")
    })
    .collect()
}

#[tokio::test]
async fn a_node_that_falls_silent_loses_its_pods_after_five_minutes() {
    for (dialect, grace, component) in
        [(NEWEST, 50, "taint-eviction-controller"), (OLDEST, 40, "node-controller")]
    {
        let world = world(held(), dialect).await;
        create(&world, "deployments.apps", deployment(2));
        pass(&world, 20).await;
        assert_eq!((pods(&world, "node-1").len(), pods(&world, "node-2").len()), (1, 1));
        world.cluster.stop_node("node-1").unwrap();
        assert_eq!(world.cluster.stop_node("node-1"), Err(NodeError::Stopped("node-1".into())));
        pass(&world, grace - 5).await;
        assert_eq!(ready(&node(&world, "node-1")).0, "True", "{dialect}: nobody has noticed yet");
        pass(&world, 10).await;
        let expected = ("Unknown".to_owned(), "NodeStatusUnknown".to_owned());
        assert_eq!(ready(&node(&world, "node-1")), expected);
        let unreachable = "node.kubernetes.io/unreachable";
        assert_eq!(
            taints(&world, "node-1"),
            [format!("{unreachable}:NoSchedule"), format!("{unreachable}:NoExecute")]
        );
        let lost = pods(&world, "node-1")[0].clone();
        assert_eq!(ready(&lost).0, "False");
        let about = events(&world, "Node");
        assert!(
            about.contains(
                &"Normal NodeNotReady node-controller Node node-1 status is now: NodeNotReady".into()
            ),
            "{about:?}"
        );
        assert!(
            events(&world, "Pod").contains(&"Warning NodeNotReady node-controller Node is not ready".into())
        );
        pass(&world, 290).await;
        assert_eq!(pods(&world, "node-2").len(), 1, "the pod is still tolerated");
        pass(&world, 20).await;
        let name = lost["metadata"]["name"].as_str().unwrap();
        let marked =
            format!("Normal TaintManagerEviction {component} Marking for deletion Pod default/{name}");
        let about = events(&world, "Pod");
        assert!(about.contains(&marked), "{about:?}");
        let lost = pods(&world, "node-1")[0].clone();
        assert!(lost["metadata"]["deletionTimestamp"].is_string(), "nobody is there to end it");
        let disrupted =
            lost["status"]["conditions"].as_array().unwrap().iter().any(|c| c["type"] == "DisruptionTarget");
        assert_eq!(disrupted, dialect == NEWEST);
        assert_eq!(pods(&world, "node-2").len(), 2);
        world.cluster.start_node("node-1").unwrap();
        pass(&world, 20).await;
        let about = events(&world, "Node");
        for told in [
            "Normal Starting kubelet Starting kubelet.",
            "Warning Rebooted kubelet Node node-1 has been rebooted, boot id: ",
        ] {
            assert!(about.iter().any(|line| line.starts_with(told)), "{about:?}");
        }
        assert_eq!(ready(&node(&world, "node-1")).0, "True");
        assert_eq!(taints(&world, "node-1"), Vec::<String>::new());
        assert_eq!(pods(&world, "node-1").len(), 0, "the kubelet ended what it should not have");
    }
}

#[tokio::test]
async fn a_node_that_comes_back_in_time_starts_its_containers_again() {
    let world = world(held(), NEWEST).await;
    create(&world, "deployments.apps", deployment(2));
    pass(&world, 20).await;
    let before = pods(&world, "node-1")[0].clone();
    world.cluster.stop_node("node-1").unwrap();
    pass(&world, 120).await;
    world.cluster.start_node("node-1").unwrap();
    pass(&world, 20).await;
    let after = pods(&world, "node-1")[0].clone();
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    let [old, new] = [&before, &after].map(|pod| pod["status"]["containerStatuses"][0].clone());
    assert_eq!((&old["restartCount"], &new["restartCount"]), (&json!(0), &json!(1)));
    assert_eq!(new["lastState"]["terminated"]["exitCode"], 255);
    assert_eq!(new["lastState"]["terminated"]["containerID"], old["containerID"]);
    assert_ne!(new["containerID"], old["containerID"]);
    assert_eq!(ready(&after).0, "True");
    assert_ne!(after["status"]["podIP"], before["status"]["podIP"]);
    let name = after["metadata"]["name"].as_str().unwrap();
    let cancelled = format!(
        "Normal TaintManagerEviction taint-eviction-controller Cancelling deletion of Pod default/{name}"
    );
    let about = events(&world, "Pod");
    assert!(about.contains(&cancelled), "{about:?}");
    pass(&world, 600).await;
    assert_eq!(pods(&world, "node-1").len(), 1);
}

#[tokio::test]
async fn when_no_node_is_ready_no_pod_is_made_to_go() {
    let world = world(held(), NEWEST).await;
    create(&world, "deployments.apps", deployment(2));
    pass(&world, 20).await;
    world.cluster.stop_node("node-1").unwrap();
    world.cluster.stop_node("node-2").unwrap();
    pass(&world, 600).await;
    assert_eq!(taints(&world, "node-1"), ["node.kubernetes.io/unreachable:NoSchedule"]);
    assert!(pods(&world, "").iter().all(|pod| pod["metadata"]["deletionTimestamp"].is_null()));
}

#[tokio::test]
async fn nodes_join_and_leave() {
    let world = world(held(), NEWEST).await;
    assert_eq!(world.cluster.add_node("node-1"), Err(NodeError::Exists("node-1".into())));
    assert_eq!(world.cluster.add_node("Node/3"), Err(NodeError::BadName("Node/3".into())));
    assert_eq!(world.cluster.remove_node("nobody"), Err(NodeError::Unknown("nobody".into())));
    assert_eq!(world.cluster.start_node("node-1"), Err(NodeError::Runs("node-1".into())));
    assert_eq!(events(&world, "Node"), Vec::<String>::new(), "what started with the cluster is no news");
    pass(&world, 2).await;
    world.cluster.add_node("node-3").unwrap();
    load(&world);
    create(&world, "deployments.apps", deployment(3));
    pass(&world, 20).await;
    assert_eq!(["node-1", "node-2", "node-3"].map(|n| pods(&world, n).len()), [1, 1, 1]);
    assert!(pods(&world, "").iter().all(|pod| ready(pod).0 == "True"));
    world.cluster.remove_node("node-3").unwrap();
    world.clock.idle().await;
    assert!(world.cluster.api().get("nodes", &Key::new("", "node-3")).is_err());
    let about = events(&world, "Node");
    for told in [
        "Normal NodeReady kubelet Node node-3 status is now: NodeReady",
        "Normal RegisteredNode node-controller Node node-3 event: Registered Node node-3 in Controller",
        "Normal RemovingNode node-controller Node node-3 event: Removing Node node-3 from Controller",
    ] {
        assert!(about.contains(&told.to_owned()), "{about:?}");
    }
    assert_eq!(pods(&world, "node-3").len(), 1);
    pass(&world, 60).await;
    assert_eq!(pods(&world, "node-3").len(), 0);
    pass(&world, 20).await;
    assert_eq!(pods(&world, "").iter().filter(|pod| ready(pod).0 == "True").count(), 3);
    world.cluster.add_node("node-3").unwrap();
    pass(&world, 5).await;
    assert_eq!(ready(&node(&world, "node-3")).0, "True");
    let bare = World::of(held(), Parts::Bare, NEWEST, &[]).await;
    assert_eq!(bare.cluster.add_node("node-1"), Err(NodeError::Bare("node-1".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectls_cordon_drain_and_taint() {
    for (version, program) in kubectls() {
        let world = world(Clock::live(), NEWEST).await;
        create(&world, "deployments.apps", deployment(2));
        let budget = json!({"metadata": {"name": "web"}, "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}}});
        create(&world, "poddisruptionbudgets.policy", budget);
        while pods(&world, "").iter().filter(|pod| ready_now(pod)).count() < 2 {
            tokio::task::yield_now().await;
        }
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        std::fs::write(&config, world.cluster.kubeconfig(Principal::Admin)).unwrap();
        let commands = move || {
            let kubectl = Kubectl { program: &program, kubeconfig: &config };
            let run = |arguments: &str| {
                let arguments: Vec<&str> = arguments.split(' ').collect();
                let (code, out, err) = kubectl.run(&arguments, b"");
                (code, String::from_utf8(out).unwrap(), err)
            };
            let says = |arguments: &str, expected: &str| {
                let (code, out, err) = run(arguments);
                assert_eq!((code, out.as_str()), (Some(0), expected), "{version} {arguments}: {err}");
            };
            says("cordon node-1", "node/node-1 cordoned\n");
            says("cordon node-1", "node/node-1 already cordoned\n");
            let (_, out, _) = run("get node node-1 --no-headers");
            assert!(out.contains("Ready,SchedulingDisabled"), "{version}: {out}");
            let (code, out, err) = run("drain node-1 --timeout=2s");
            let refused = "Cannot evict pod as it would violate the pod's disruption budget.";
            assert!(code != Some(0) && err.contains(refused), "{version}: {out}{err}");
            let (code, _, err) = run("delete pdb web");
            assert_eq!(code, Some(0), "{version}: {err}");
            let (code, out, err) = run("drain node-1 --timeout=60s");
            assert!(code == Some(0) && out.contains(" evicted\n"), "{version}: {out}{err}");
            says("uncordon node-1", "node/node-1 uncordoned\n");
            says("taint nodes node-2 team=a:NoExecute", "node/node-2 tainted\n");
            let (code, out, err) =
                run("wait --for=delete pod --field-selector=spec.nodeName=node-2 --timeout=60s -l app=web");
            let none_left = err.contains("no matching resources found");
            assert!(code == Some(0) || none_left, "{version}: {out}{err}");
            says("taint nodes node-2 team-", "node/node-2 untainted\n");
            drop(dir);
        };
        tokio::task::spawn_blocking(commands).await.unwrap();
        assert_eq!(pods(&world, "node-2").len(), 0);
    }
}

fn ready_now(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.filter(|c| c["type"] == "Ready").any(|c| c["status"] == "True")
}

#[tokio::test]
async fn images_are_damaged_and_signatures_demanded_by_masters() {
    let world = world(held(), NEWEST).await;
    let admin = world.admin();
    let ask = async |method: Method, path: &str| admin.ask(method, path, &[], "").await;
    let damaged = "/node-images/damaged?image=registry.example%2Fteam%2Fapp%3A1&error=lost";
    assert_eq!(ask(Method::PUT, damaged).await.code, 200);
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "c", "image": "registry.example/team/app:1"}]}});
    create(&world, "pods", pod);
    let waiting = async || {
        pass(&world, 30).await;
        let pod = world.cluster.api().get("pods", &Key::new("default", "p")).unwrap().value().clone();
        pod["status"]["containerStatuses"][0]["state"]["waiting"].clone()
    };
    let reason = waiting().await;
    assert_eq!(reason["reason"], "ImageInspectError");
    assert!(reason["message"].as_str().unwrap().ends_with("lost"), "{reason}");
    assert_eq!(ask(Method::DELETE, damaged).await.code, 200);
    assert_ne!(waiting().await["reason"], "ImageInspectError");
    let signatures = "/node-images/signatures?host=Registry.Example";
    let network = world.cluster.network();
    assert_eq!(
        (ask(Method::PUT, signatures).await.code, network.takes_unsigned("registry.example")),
        (200, false)
    );
    assert_eq!(
        (ask(Method::DELETE, signatures).await.code, network.takes_unsigned("registry.example")),
        (200, true)
    );
    for (method, path, code) in [
        (Method::GET, damaged, 405),
        (Method::PUT, "/node-images/damaged", 400),
        (Method::PUT, "/node-images/damaged?image=A", 400),
        (Method::PUT, "/node-images/signatures", 400),
        (Method::PUT, "/node-images/other", 404),
    ] {
        assert_eq!(ask(method, path).await.code, code, "{path}");
    }
    let trainee = world.client(Principal::Trainee);
    assert_eq!(trainee.ask(Method::PUT, damaged, &[], "").await.code, 403);
    // The network is everybody's, so it is no virtual cluster's affair.
    assert_eq!(ask(Method::PUT, "/clusters/v").await.code, 201);
    assert_eq!(ask(Method::PUT, &format!("/clusters/v{signatures}")).await.code, 404);
    assert_eq!(ask(Method::PUT, &format!("/clusters/v{damaged}")).await.code, 200);
}
