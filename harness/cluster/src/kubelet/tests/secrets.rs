//! Pull secrets that are missing, malformed, wrong, or another pod's.

use serde_json::json;

use super::world::{NEW, OLD, World};
use crate::puller::fake;

const IMAGE: &str = "private.lab.test/team/app:1.0";
const GOOD: &str = r#"{"auths":{"private.lab.test":{"username":"labuser","password":"goodpass"}}}"#;
const WRONG: &str = r#"{"auths":{"private.lab.test":{"username":"labuser","password":"wrong"}}}"#;
const MALFORMED: &str = r#"{"auths":{"private.lab.test":{"auth":"!!!"}}}"#;

async fn world(dialect: &str) -> World {
    let world = World::new(dialect, 1).await;
    world.fake.image("team/app", "1.0", &json!({}));
    world.fake.rule(fake::basic);
    world
}

fn with(names: &[&str]) -> serde_json::Value {
    let secrets: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    json!({"imagePullSecrets": secrets})
}

#[tokio::test]
async fn an_absent_secret_is_told_at_every_sync_and_found_when_it_comes() {
    let world = world(NEW).await;
    world.pod("app", IMAGE, with(&["regcred"]));
    world.run(70).await;
    let story = world.story("app");
    let missing =
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.";
    let kinds: Vec<_> = story.iter().map(|s| s.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        kinds[..10],
        [
            "state Pending",
            "state Pending",
            "FailedToRetrieveImagePullSecret x1",
            "Pulling x1",
            "Failed x1",
            "Failed x1",
            "state Pending",
            "FailedToRetrieveImagePullSecret x2",
            "BackOff x1",
            "Failed x1",
        ]
    );
    assert!(story[2].ends_with(missing));
    world.secret("regcred", GOOD);
    world.run(40).await;
    let story = world.story("app");
    assert!(story.last().unwrap().ends_with("state Running app=running"), "{story:?}");
    let old = self::world(OLD).await;
    old.pod("app", IMAGE, with(&["regcred"]));
    old.run(30).await;
    assert_eq!(old.count("app", "Unable"), 0);
}

#[tokio::test]
async fn a_malformed_secret_is_told_as_each_version_does() {
    for dialect in [NEW, OLD] {
        let world = world(dialect).await;
        world.secret("bad", MALFORMED);
        world.secret("good", GOOD);
        world.pod("app", IMAGE, with(&["bad", "good"]));
        world.run(16).await;
        let words = "illegal base64 data at input byte 0";
        let story = world.story("app");
        if dialect == NEW {
            assert_eq!(
                story[2..],
                [
                    format!("Failed x1 Error: {words}"),
                    format!("state Pending app=waiting:{words}"),
                    format!("Failed x2 Error: {words}"),
                    format!("Failed x3 Error: {words}"),
                ]
            );
        } else {
            assert_eq!(
                story[2..7],
                [
                    format!("Pulling x1 Pulling image \"{IMAGE}\""),
                    format!("Failed x1 Failed to pull image \"{IMAGE}\": {words}"),
                    "Failed x1 Error: ErrImagePull".to_owned(),
                    "state Pending app=waiting:ErrImagePull".to_owned(),
                    format!("BackOff x1 Back-off pulling image \"{IMAGE}\""),
                ]
            );
        }
        assert!(world.fake.lines().is_empty());
    }
}

#[tokio::test]
async fn credentials_are_tried_in_order_and_their_errors_told_together() {
    let world = world(NEW).await;
    world.secret("wrong", WRONG);
    world.secret("good", GOOD);
    world.pod("works", IMAGE, with(&["wrong", "good"]));
    world.run(20).await;
    assert_eq!(world.story("works").last().unwrap(), "state Running app=running");
    world.secret("empty", r#"{"auths":{"private.lab.test":{"username":"","password":""}}}"#);
    world.pod("fails", "private.lab.test/team/app:2.0", with(&["wrong", "wrong", "empty"]));
    world.run(10).await;
    let message =
        world.get("fails").unwrap()["status"]["containerStatuses"][0]["state"]["waiting"]["message"].clone();
    let message = message.as_str().unwrap().to_owned();
    assert_eq!(message.matches("401 Unauthorized").count(), 1, "{message}");
    assert!(message.contains('[') && message.contains(", failed to pull and unpack image"), "{message}");
}

#[tokio::test]
async fn a_cached_private_image_is_not_everybodys() {
    let world = world(NEW).await;
    world.secret("regcred", GOOD);
    world.secret("wrongcred", WRONG);
    world.secret("othercred", GOOD);
    world.pod("first", IMAGE, with(&["regcred"]));
    world.run(10).await;
    world.pod("nosecret", IMAGE, json!({}));
    world.pod("never", IMAGE, json!({"containers": [{"imagePullPolicy": "Never"}]}));
    world.pod("samesecret", IMAGE, with(&["regcred"]));
    world.pod("wrongsecret", IMAGE, with(&["wrongcred"]));
    world.pod("othersecret", IMAGE, with(&["othercred"]));
    world.run(20).await;
    assert!(world.story("nosecret").iter().any(|s| s.contains("no basic auth credentials")));
    assert!(world.story("never")[2].starts_with("ErrImageNeverPull x1"));
    assert!(world.story("wrongsecret").iter().any(|s| s.contains("401 Unauthorized")));
    for name in ["samesecret", "othersecret"] {
        assert!(
            world.story(name)[2].ends_with("already present on machine and can be accessed by the pod"),
            "{name}"
        );
    }
    let old = self::world(OLD).await;
    old.secret("regcred", GOOD);
    old.pod("first", IMAGE, with(&["regcred"]));
    old.run(10).await;
    old.pod("nosecret", IMAGE, json!({}));
    old.run(10).await;
    assert!(old.story("nosecret")[2].ends_with("already present on machine"));
}
