//! Pods that name ConfigMaps and Secrets which are not there.

use serde_json::{Value, json};

use super::world::{NEW, OLD, World};

const IMAGE: &str = "registry.lab.test/team/app:1.0";

async fn world(dialect: &str) -> World {
    let world = World::new(dialect, 1).await;
    world.fake.image("team/app", "1.0", &json!({}));
    world
}

fn config(world: &World, data: &Value) {
    world.create(
        "configmaps",
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cfg", "namespace": "shop"}, "data": data}),
    );
}

#[tokio::test]
async fn variables_that_come_from_nowhere_keep_a_container_from_being_made() {
    for dialect in [NEW, OLD] {
        let world = world(dialect).await;
        let reference = json!({"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "k"}}});
        let optional =
            json!({"name": "B", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k", "optional": true}}});
        world.pod("app", IMAGE, json!({"containers": [{"env": [optional, reference]}]}));
        world.run(30).await;
        let story = world.story("app");
        let after_pull = story.iter().position(|line| line.starts_with("Pulled x1")).unwrap();
        assert_eq!(
            story[after_pull + 1],
            "Failed x1 Error: configmap \"cfg\" not found",
            "{dialect}: {story:?}"
        );
        let waits = "state Pending app=waiting:CreateContainerConfigError".to_owned();
        assert!(story.contains(&waits) && !story.iter().any(|line| line.starts_with("Created")), "{story:?}");
        assert_eq!(world.messages("app").last().unwrap(), "configmap \"cfg\" not found");
        config(&world, &json!({"other": "x"}));
        world.run(40).await;
        assert_eq!(world.messages("app").last().unwrap(), "couldn't find key k in ConfigMap shop/cfg");
        let edit = |object: &mut Value| object["data"] = json!({"k": "v"});
        let user = crate::api::User::controller("test");
        world.api.modify(&user, "configmaps", &super::world::key("cfg"), None, edit).unwrap();
        world.run(20).await;
        assert_eq!(world.get("app").unwrap()["status"]["phase"], "Running", "{:?}", world.story("app"));
    }
}

#[tokio::test]
async fn volumes_that_come_from_nowhere_keep_a_pod_from_beginning() {
    let world = world(NEW).await;
    let volumes = json!([{"name": "a", "configMap": {"name": "cfg", "items": [{"key": "k", "path": "k"}]}},
        {"name": "b", "secret": {"secretName": "no", "optional": true}}, {"name": "c", "emptyDir": {}}]);
    world.pod("app", IMAGE, json!({"volumes": volumes}));
    world.run(20).await;
    let told = "MountVolume.SetUp failed for volume \"a\" : ";
    assert_eq!(
        world.story("app")[..3],
        [
            "state Pending".to_owned(),
            "state Pending app=waiting:ContainerCreating".into(),
            format!("FailedMount x1 {told}configmap \"cfg\" not found"),
        ]
    );
    // At 0, 0.5, 1.5, 3.5, 7.5 and 15.5 seconds.
    assert_eq!(world.count("app", told), 6);
    assert_eq!((world.get("app").unwrap()["status"].get("podIP"), world.fake.lines().len()), (None, 0));
    config(&world, &json!({}));
    world.run(30).await;
    let lost = format!("FailedMount x1 {told}references non-existent config key: k");
    assert!(world.story("app").contains(&lost), "{:?}", world.story("app"));
    let edit = |object: &mut Value| object["data"] = json!({"k": "v"});
    let user = crate::api::User::controller("test");
    world.api.modify(&user, "configmaps", &super::world::key("cfg"), None, edit).unwrap();
    world.run(80).await;
    assert_eq!(world.get("app").unwrap()["status"]["phase"], "Running");
    // A pod that nothing keeps from going while it waits.
    world.pod("other", IMAGE, json!({"volumes": [{"name": "s", "secret": {"secretName": "no"}}]}));
    world.run(5).await;
    world.delete("other");
    world.run(5).await;
    assert!(world.get("other").is_none());
}
