//! Pods that run.

use serde_json::json;

use super::world::{NEW, OLD, World};

const IMAGE: &str = "registry.lab.test/team/app:1.0";

#[tokio::test]
async fn a_good_image_runs_and_the_node_is_there() {
    for (dialect, created, started) in [
        (NEW, "Container created", "Container started"),
        (OLD, "Created container app", "Started container app"),
    ] {
        let world = World::new(dialect, 1).await;
        let made = world.fake.image("team/app", "1.0", &json!({}));
        world.pod("app", IMAGE, json!({}));
        world.run(30).await;
        let story = world.story("app");
        let pulled = format!("Pulled x1 Successfully pulled image \"{IMAGE}\" in ");
        assert_eq!(
            story[..3],
            [
                "state Pending".to_owned(),
                "state Pending app=waiting:ContainerCreating".into(),
                format!("Pulling x1 Pulling image \"{IMAGE}\""),
            ]
        );
        assert!(story[3].starts_with(&pulled), "{}", story[3]);
        assert_eq!(story[3].ends_with(" bytes."), dialect == NEW);
        assert_eq!(
            story[4..],
            [
                format!("Created x1 {created}"),
                format!("Started x1 {started}"),
                "state Running app=running".into(),
            ]
        );
        let status = world.get("app").unwrap()["status"].clone();
        let container = &status["containerStatuses"][0];
        assert_eq!(container["imageID"], format!("registry.lab.test/team/app@{}", made.digest));
        assert!(container["containerID"].as_str().unwrap().starts_with("containerd://"));
        assert_eq!((&container["ready"], &container["started"]), (&json!(true), &json!(true)));
        assert!(status["conditions"].as_array().unwrap().iter().all(|c| c["status"] == "True"));
        let node = world.api.store().list("nodes", None).0;
        assert_eq!(node[0].value()["status"]["conditions"][3]["status"], "True");
        let uid = world.get("app").unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
        assert_eq!(world.logs.lines(&uid, "app", false).unwrap()[0].text, "app starting");
    }
}

#[tokio::test]
async fn what_is_present_is_not_pulled() {
    for (dialect, words) in [(NEW, " and can be accessed by the pod"), (OLD, "")] {
        let world = World::new(dialect, 1).await;
        world.fake.image("team/app", "1.0", &json!({}));
        world.pod("first", IMAGE, json!({}));
        world.run(10).await;
        let requests = world.fake.lines().len();
        for (name, policy) in [("present", "IfNotPresent"), ("never", "Never")] {
            world.pod(name, IMAGE, json!({"containers": [{"imagePullPolicy": policy}]}));
            world.run(10).await;
            let expected = format!("Pulled x1 Container image \"{IMAGE}\" already present on machine{words}");
            assert_eq!(world.story(name)[2], expected);
        }
        assert_eq!(world.fake.lines().len(), requests);
        world.pod("always", IMAGE, json!({"containers": [{"imagePullPolicy": "Always"}]}));
        world.run(10).await;
        assert!(world.story("always")[2].starts_with("Pulling x1"));
        assert_eq!(world.fake.lines().len(), requests + 1);
    }
}

#[tokio::test]
async fn readiness_waits_for_the_probe() {
    let world = World::new(NEW, 1).await;
    world.fake.image("team/app", "1.0", &json!({}));
    world.pod(
        "app",
        IMAGE,
        json!({"containers": [{"readinessProbe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": 20}}]}),
    );
    world.run(15).await;
    let ready = || world.get("app").unwrap()["status"]["containerStatuses"][0]["ready"].clone();
    assert_eq!(ready(), false);
    world.run(15).await;
    assert_eq!(ready(), true);
}

#[tokio::test]
async fn work_that_ends_completes_the_pod() {
    let world = World::new(NEW, 1).await;
    world.fake.image("team/job", "1.0", &json!({"pulldrill.behaviour": "exit"}));
    world.pod(
        "job",
        "registry.lab.test/team/job:1.0",
        json!({"restartPolicy": "Never",
        "containers": [{"command": ["sh", "-c", "echo 'hello there'"]}]}),
    );
    world.run(30).await;
    let pod = world.get("job").unwrap();
    assert_eq!(pod["status"]["phase"], "Succeeded");
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"], "Completed");
    let lines = world.logs.lines(pod["metadata"]["uid"].as_str().unwrap(), "job", false);
    assert!(lines.is_none());
    let lines = world.logs.lines(pod["metadata"]["uid"].as_str().unwrap(), "app", false).unwrap();
    assert_eq!(lines[0].text, "hello there");
}

#[tokio::test]
async fn a_running_container_is_replaced_when_its_image_changes() {
    let world = World::new(NEW, 1).await;
    world.fake.image("team/app", "1.0", &json!({}));
    world.pod("app", IMAGE, json!({}));
    world.run(10).await;
    world.edit("app", |pod| pod["spec"]["containers"][0]["image"] = json!("registry.lab.test/team/app:9.9"));
    world.run(20).await;
    let story = world.story("app");
    assert!(story.contains(&"Killing x1 Container app definition changed, will be restarted".to_owned()));
    let container = world.get("app").unwrap()["status"]["containerStatuses"][0].clone();
    assert_eq!(container["state"]["waiting"]["reason"], "ImagePullBackOff");
    assert_eq!(container["lastState"]["terminated"]["reason"], "Completed");
}

#[tokio::test]
async fn a_deleted_pod_ends_as_recorded() {
    let states = |world: &World, pod: &str, from: usize| -> Vec<String> {
        world.story(pod)[from..].iter().filter(|s| s.starts_with("state") || *s == "gone").cloned().collect()
    };
    for dialect in [NEW, OLD] {
        let world = World::new(dialect, 1).await;
        world.fake.image("team/app", "1.0", &json!({}));
        world.pod("runs", IMAGE, json!({}));
        world.pod("waits", "registry.lab.test/team/app:9.9", json!({}));
        world.run(20).await;
        let from = (world.story("runs").len(), world.story("waits").len());
        world.delete("runs");
        world.delete("waits");
        world.run(5).await;
        let (runs, waits) = (states(&world, "runs", from.0), states(&world, "waits", from.1));
        if dialect == NEW {
            assert_eq!(runs, ["state Succeeded app=terminated:Completed", "gone"]);
            assert_eq!(
                waits,
                [
                    "state Pending app=waiting:ContainerCreating",
                    "state Failed app=terminated:ContainerStatusUnknown",
                    "gone",
                ]
            );
        } else {
            assert_eq!(runs, ["state Running app=terminated:Completed", "gone"]);
            assert_eq!(waits, ["gone"]);
        }
        assert!(world.story("runs").contains(&"Killing x1 Stopping container app".to_owned()));
    }
}
