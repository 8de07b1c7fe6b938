//! What the conditions of pods say that are over.

use serde_json::json;

use super::world::{CRIO, NEW, OLD, World, condition, is};

#[tokio::test]
async fn conditions_of_what_is_over_are_those_of_the_release() {
    for (dialect, reason, message) in [
        (NEW, "PodFailed", ""),
        (CRIO, "PodFailed", ""),
        (OLD, "ContainersNotReady", "containers with unready status: [app]"),
    ] {
        let world = World::new(dialect, 1).await;
        world.fake.image("team/tool", "1.0", &json!({"pulldrill.programs": "sh"}));
        let image = "registry.lab.test/team/tool:1.0";
        let run = |code: u8| {
            let containers = json!([{"command": ["sh", "-c", format!("exit {code}")]}]);
            json!({"restartPolicy": "Never", "containers": containers})
        };
        world.pod("good", image, run(0));
        world.pod("bad", image, run(1));
        let setup = json!([{"name": "i", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", "exit 1"]}]);
        world.pod("early", image, json!({"restartPolicy": "Never", "initContainers": setup}));
        world.run(20).await;
        let status = |name: &str| world.get(name).unwrap()["status"].clone();
        for kind in ["Ready", "ContainersReady"] {
            assert_eq!(condition(&status("good"), kind), is("False", "PodCompleted", ""), "{dialect}");
            assert_eq!(condition(&status("bad"), kind), is("False", reason, message), "{dialect}");
            assert_eq!(condition(&status("early"), kind), is("False", reason, message), "{dialect}");
        }
        assert_eq!(condition(&status("good"), "Initialized"), is("True", "PodCompleted", ""));
        assert_eq!(condition(&status("bad"), "Initialized"), is("True", "", ""));
        let incomplete = is("False", "ContainersNotInitialized", "containers with incomplete status: [i]");
        assert_eq!(condition(&status("early"), "Initialized"), incomplete);
    }
}
