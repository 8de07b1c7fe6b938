//! Pods that may be active for a while only.

use serde_json::{Value, json};

use super::world::{NEW, OLD, World};

const IMAGE: &str = "registry.lab.test/team/app:1.0";
const MESSAGE: &str = "Pod was active on the node longer than the specified deadline";

async fn world(dialect: &str) -> World {
    let world = World::new(dialect, 1).await;
    world.fake.image("team/app", "1.0", &json!({}));
    world
}

fn ends(world: &World) -> usize {
    let told = format!("DeadlineExceeded x1 {MESSAGE}");
    world.story("app").iter().filter(|line| **line == told).count()
}

#[tokio::test]
async fn a_pod_whose_time_is_over_is_stopped_and_has_failed() {
    for dialect in [NEW, OLD] {
        let world = world(dialect).await;
        world.pod("app", IMAGE, json!({"activeDeadlineSeconds": 30}));
        world.run(29).await;
        assert_eq!(world.get("app").unwrap()["status"]["phase"], "Running", "{dialect}");
        world.run(5).await;
        let pod = world.get("app").unwrap();
        let status = &pod["status"];
        assert_eq!((&status["phase"], &status["reason"]), (&json!("Failed"), &json!("DeadlineExceeded")));
        assert_eq!(status["message"], MESSAGE);
        assert!(status["containerStatuses"][0]["state"]["terminated"].is_object(), "{status}");
        assert!(
            world.story("app").iter().any(|line| line.starts_with("Killing")),
            "{:?}",
            world.story("app")
        );
        assert_eq!(ends(&world), 1);
        // It stays as it is, whatever its restart policy says, until somebody removes it.
        world.edit("app", |pod| pod["metadata"]["labels"] = json!({"a": "b"}));
        world.run(600).await;
        let later = world.get("app").unwrap();
        assert_eq!((&later["status"]["phase"], ends(&world)), (&json!("Failed"), 1));
        assert_eq!(later["status"]["containerStatuses"], pod["status"]["containerStatuses"]);
        world.delete("app");
        world.run(5).await;
        assert!(world.get("app").is_none());
    }
}

#[tokio::test]
async fn the_time_counts_also_while_an_image_is_missing_and_can_be_set_later() {
    let world = world(NEW).await;
    world.pod("app", "registry.lab.test/team/app:no-such-tag", json!({}));
    world.run(60).await;
    assert_eq!(world.get("app").unwrap()["status"]["phase"], "Pending");
    world.edit("app", |pod| pod["spec"]["activeDeadlineSeconds"] = json!(120));
    world.run(50).await;
    assert_eq!(ends(&world), 0);
    world.run(20).await;
    let phase = |pod: Option<Value>| pod.unwrap()["status"]["phase"].clone();
    assert_eq!((phase(world.get("app")), ends(&world)), (json!("Failed"), 1));
}

#[tokio::test]
async fn who_has_ended_before_is_left_alone() {
    let world = world(NEW).await;
    world.fake.image("team/job", "1.0", &json!({"pulldrill.behaviour": "exit"}));
    let image = "registry.lab.test/team/job:1.0";
    world.pod("app", image, json!({"restartPolicy": "Never", "activeDeadlineSeconds": 60}));
    world.run(200).await;
    assert_eq!((&world.get("app").unwrap()["status"]["phase"], ends(&world)), (&json!("Succeeded"), 0));
}
