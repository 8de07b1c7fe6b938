//! What is set about a node: its disk, its credential providers, pulls one by one.

use std::sync::Arc;

use serde_json::json;

use super::world::{NEW, OLD, World, held};
use crate::{
    kubelet::{CacheKey, NodeOptions, Provided, Provider, PullRate},
    puller::{Credential, fake},
};

fn event(world: &World, reason: &str) -> Option<serde_json::Value> {
    let all = world.api.store().list("events", None).0;
    all.iter().find(|e| e.value()["reason"] == reason).map(|e| e.value().clone())
}

fn reference(name: &str) -> String {
    format!("registry.lab.test/team/{name}:1.0")
}

#[tokio::test]
async fn unused_images_go_when_the_disk_is_nearly_full() {
    // What an image of the test's registry takes is learned first.
    let world = World::new(NEW, 1).await;
    world.fake.image("team/a", "1.0", &json!({"n": "a"}));
    world.pod("a", &reference("a"), json!({}));
    world.run(30).await;
    let node = |world: &World| world.api.store().list("nodes", None).0[0].value().clone();
    let size = node(&world)["status"]["images"][0]["sizeBytes"].as_u64().unwrap();
    assert!(size > 0);

    for (dialect, words) in [
        (NEW, "Failed to garbage collect required amount of images. Attempted to free "),
        (OLD, "failed to garbage collect required amount of images. Wanted to free "),
    ] {
        let disk = NodeOptions { image_disk: Some(size * 3 - size / 4), ..NodeOptions::default() };
        let world = World::with_nodes(dialect, 1, held(), disk).await;
        for name in ["a", "b", "c"] {
            world.fake.image(&format!("team/{name}"), "1.0", &json!({"n": name}));
            world.pod(name, &reference(name), json!({}));
        }
        world.run(30).await;
        world.delete("a");
        world.run(900).await;
        let names = |world: &World| node(world)["status"]["images"].to_string();
        assert!(!names(&world).contains("team/a"), "nothing used it: {}", names(&world));
        assert!(names(&world).contains("team/b") && names(&world).contains("team/c"));
        // At the first look it was too young, which is told; it is no failure of the whole yet.
        let failed = event(&world, "FreeDiskSpaceFailed").unwrap();
        assert!(failed["count"] == 1 && event(&world, "ImageGCFailed").is_none(), "{failed}");
        let requests = world.fake.lines().len();
        world.pod("a2", &reference("a"), json!({}));
        world.run(30).await;
        assert!(world.fake.lines().len() > requests, "it has to be pulled again");
        assert_eq!(world.get("a2").unwrap()["status"]["phase"], "Running");
        world.run(600).await;
        let failed = event(&world, "FreeDiskSpaceFailed").unwrap();
        assert!(failed["message"].as_str().unwrap().starts_with(words), "{failed}");
        assert_eq!((&failed["type"], &failed["involvedObject"]["kind"]), (&json!("Warning"), &json!("Node")));
        assert_eq!(event(&world, "ImageGCFailed").unwrap()["message"], failed["message"]);
        for name in ["a", "b", "c"] {
            assert!(names(&world).contains(&format!("team/{name}")), "what is in use stays");
        }
    }
}

#[tokio::test]
async fn a_provider_gives_what_secrets_lack_and_its_failure_is_told_to_nobody() {
    for works in [true, false] {
        let provider = Provider {
            name: "lab".into(),
            match_images: vec!["private.lab.test".into()],
            default_keep: pulldrill_clock::SignedDuration::from_secs(60),
            ask: Arc::new(move |image| {
                assert_eq!(image, "private.lab.test/team/app");
                let credential = Credential { username: "labuser".into(), password: "goodpass".into() };
                let auth = vec![("private.lab.test".into(), credential)];
                if works {
                    Ok(Provided { key: CacheKey::Registry, keep: None, auth })
                } else {
                    Err("exit status 1".into())
                }
            }),
        };
        let nodes = NodeOptions { credential_providers: vec![provider], ..NodeOptions::default() };
        let world = World::with_nodes(NEW, 1, held(), nodes).await;
        world.fake.image("team/app", "1.0", &json!({}));
        world.fake.rule(fake::basic);
        world.pod("app", "private.lab.test/team/app:1.0", json!({}));
        world.run(20).await;
        let asked = world.fake.asked();
        assert!(asked.iter().any(|a| a.authorization.is_some()) == works, "{asked:?}");
        let story = world.story("app");
        assert!(
            !story.iter().any(|line| line.contains("provider") || line.contains("exit status")),
            "{story:?}"
        );
        let phase = world.get("app").unwrap()["status"]["phase"].clone();
        assert_eq!(phase, if works { "Running" } else { "Pending" });
        // What the node's own credentials got is for everybody.
        if works {
            world.pod("other", "private.lab.test/team/app:1.0", json!({}));
            world.run(5).await;
            assert!(world.story("other")[2].contains("already present"), "{:?}", world.story("other"));
        }
    }
}

#[tokio::test]
async fn pulls_one_by_one_are_an_option() {
    for (parallel_pulls, waits) in [(1, true), (16, false)] {
        let nodes = NodeOptions { parallel_pulls, ..NodeOptions::default() };
        let world = World::with_nodes(NEW, 1, held(), nodes).await;
        world.fake.image("team/app", "1.0", &json!({}));
        world.fake.network.add_host("timeout.lab.test", "172.31.255.15".parse().unwrap());
        world.pod("slow", "timeout.lab.test/team/app:1.0", json!({}));
        world.run(3).await;
        world.pod("good", &reference("app"), json!({}));
        world.run(12).await;
        let phase = world.get("good").unwrap()["status"]["phase"].clone();
        assert_eq!(phase, if waits { "Pending" } else { "Running" });
    }
}

#[tokio::test]
async fn pulls_beyond_the_rate_fail_at_once_and_are_tried_again() {
    let nodes =
        NodeOptions { pull_rate: Some(PullRate { per_second: 0.05, burst: 1.0 }), ..NodeOptions::default() };
    let world = World::with_nodes(OLD, 1, held(), nodes).await;
    for name in ["a", "b"] {
        world.fake.image(&format!("team/{name}"), "1.0", &json!({}));
        world.pod(name, &reference(name), json!({}));
    }
    world.run(8).await;
    let beyond =
        |name: &str| format!("Failed x1 Failed to pull image \"{}\": pull QPS exceeded", reference(name));
    let failed: Vec<&str> = ["a", "b"].into_iter().filter(|n| world.story(n).contains(&beyond(n))).collect();
    assert_eq!(failed.len(), 1, "one of them was in time");
    assert!(
        world
            .story(failed[0])
            .contains(&"BackOff x1 Back-off pulling image \"IMAGE\"".replace("IMAGE", &reference(failed[0])))
    );
    world.run(60).await;
    for name in ["a", "b"] {
        assert_eq!(world.get(name).unwrap()["status"]["phase"], "Running");
    }
}

#[tokio::test]
async fn a_cordon_is_told_by_the_kubelet() {
    let world = World::new(NEW, 1).await;
    // With something to do the kubelet is surely there.
    world.pod("a", &reference("a"), json!({}));
    world.run(5).await;
    let key = crate::store::Key::new("", "node-1");
    let cordon = |cordoned: bool| {
        let user = crate::api::User::controller("test");
        let change = |node: &mut serde_json::Value| node["spec"]["unschedulable"] = json!(cordoned);
        world.api.modify(&user, "nodes", &key, None, change).unwrap();
    };
    cordon(true);
    world.run(1).await;
    let told = event(&world, "NodeNotSchedulable").unwrap();
    assert_eq!(told["message"], "Node node-1 status is now: NodeNotSchedulable");
    assert_eq!(
        (&told["involvedObject"]["uid"], &told["source"]["component"]),
        (&json!("node-1"), &json!("kubelet"))
    );
    assert!(event(&world, "NodeSchedulable").is_none());
    cordon(false);
    world.run(1).await;
    assert_eq!(event(&world, "NodeSchedulable").unwrap()["count"], 1);
}
