//! StatefulSets, held against the recording of one that got stuck.

use serde_json::{Value, json};

use super::World;
use super::world::template;

fn stateful_set(replicas: i64, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
            "template": template("web", image), "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
        "status": {"replicas": 0}})
}

fn image_of(world: &World, pod: &str) -> Value {
    world.get("pods", pod).unwrap()["spec"]["containers"][0]["image"].clone()
}

/// `replicas current updated ready available currentRevision updateRevision`, revisions by their order.
fn states(world: &World) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    let mut states: Vec<String> = Vec::new();
    for version in world.versions("statefulsets.apps") {
        let status = &version["status"];
        let mut revision = |field: &str| {
            let name = status[field].as_str()?.to_owned();
            if !known.contains(&name) {
                known.push(name.clone());
            }
            known.iter().position(|k| *k == name)
        };
        let (Some(current), Some(update)) = (revision("currentRevision"), revision("updateRevision")) else {
            continue;
        };
        let n = |field: &str| status[field].as_i64().unwrap_or(0);
        let state = format!(
            "{} {} {} {} {} {current} {update}",
            n("replicas"),
            n("currentReplicas"),
            n("updatedReplicas"),
            n("readyReplicas"),
            n("availableReplicas")
        );
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
    states
}

#[tokio::test]
async fn a_bad_image_stops_it_until_somebody_deletes_the_pod() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    world.create("statefulsets.apps", stateful_set(2, "app:1"));
    world.pass(25).await;
    world.set_image("statefulsets.apps", "web", "app:bad");
    world.pass(50).await;
    assert_eq!([image_of(&world, "web-0"), image_of(&world, "web-1")], ["app:1", "app:bad"]);
    world.set_image("statefulsets.apps", "web", "app:2");
    world.pass(120).await;
    assert_eq!([image_of(&world, "web-0"), image_of(&world, "web-1")], ["app:1", "app:bad"]);
    world.delete("pods", "web-1", "Background");
    world.pass(30).await;
    assert_eq!([image_of(&world, "web-0"), image_of(&world, "web-1")], ["app:2", "app:2"]);

    let events = world.events(&["statefulset-controller"]);
    assert_eq!(
        events,
        [
            "Normal SuccessfulCreate StatefulSet Create Pod web-0 in StatefulSet web successful x2",
            "Normal SuccessfulCreate StatefulSet Create Pod web-1 in StatefulSet web successful x3",
            "Normal SuccessfulDelete StatefulSet Delete Pod web-1 in StatefulSet web successful",
            "Normal SuccessfulDelete StatefulSet Delete Pod web-0 in StatefulSet web successful",
        ]
    );
    let recorded = [
        "0 0 0 0 0 0 0",
        "1 1 1 0 0 0 0",
        "1 1 1 1 1 0 0",
        "2 2 2 1 1 0 0",
        "2 2 2 2 2 0 0",
        "2 1 0 2 2 0 1",
        "2 1 0 1 1 0 1",
        "1 1 0 1 1 0 1",
        "2 1 1 1 1 0 1",
        "2 1 0 1 1 0 2",
        "1 1 0 1 1 0 2",
        "2 1 1 1 1 0 2",
        "2 0 1 2 2 0 2",
        "2 0 1 1 1 0 2",
        "1 0 1 1 1 0 2",
        "2 0 2 1 1 0 2",
        "2 2 2 2 2 2 2",
    ];
    assert_eq!(states(&world), recorded);
    let pod = world.get("pods", "web-1").unwrap();
    let set = world.get("statefulsets.apps", "web").unwrap();
    assert_eq!(
        pod["metadata"]["labels"],
        json!({"app": "web", "apps.kubernetes.io/pod-index": "1",
        "controller-revision-hash": set["status"]["updateRevision"], "statefulset.kubernetes.io/pod-name": "web-1"})
    );
    assert_eq!([&pod["spec"]["hostname"], &pod["spec"]["subdomain"]], ["web-1", "web"]);
    assert_eq!(pod["metadata"]["generateName"], "web-");
    assert_eq!(world.list("controllerrevisions.apps").len(), 3);
}

#[tokio::test]
async fn pods_come_in_order_and_go_from_the_end_and_a_partition_holds_back() {
    let world = World::start("k8s-1.20-containerd-1.7").await;
    let mut set = stateful_set(3, "app:1");
    set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(2);
    world.create("statefulsets.apps", set);
    world.pass(20).await;
    world.set_image("statefulsets.apps", "web", "app:2");
    world.pass(20).await;
    let images: Vec<Value> = (0..3).map(|n| image_of(&world, &format!("web-{n}"))).collect();
    assert_eq!(images, ["app:1", "app:1", "app:2"]);
    world.edit("statefulsets.apps", "web", |s| s["spec"]["replicas"] = 1.into());
    world.pass(20).await;
    assert_eq!(world.list("pods").len(), 1);
    let events = world.events(&["statefulset-controller"]);
    assert_eq!(
        events,
        [
            "Normal SuccessfulCreate StatefulSet create Pod web-0 in StatefulSet web successful",
            "Normal SuccessfulCreate StatefulSet create Pod web-1 in StatefulSet web successful",
            "Normal SuccessfulCreate StatefulSet create Pod web-2 in StatefulSet web successful x2",
            "Normal SuccessfulDelete StatefulSet delete Pod web-2 in StatefulSet web successful x2",
            "Normal SuccessfulDelete StatefulSet delete Pod web-1 in StatefulSet web successful",
        ]
    );
}
