//! Containers that stay beside the others: when they are stopped, and what they mean for the pod.

use serde_json::{Value, json};

use super::world::{NEW, World, condition, is};

const APP: &str = "registry.lab.test/team/app:1.0";
const TOOL: &str = "registry.lab.test/team/tool:1.0";

async fn world() -> World {
    let world = World::new(NEW, 1).await;
    world.fake.image("team/tool", "1.0", &json!({"pulldrill.programs": "sh sleep"}));
    world.fake.image("team/app", "1.0", &json!({}));
    world
}

fn beside(name: &str, image: &str, script: Option<&str>) -> Value {
    let mut container =
        json!({"name": name, "image": image, "restartPolicy": "Always", "imagePullPolicy": "IfNotPresent"});
    if let Some(script) = script {
        container["command"] = json!(["sh", "-c", script]);
    }
    container
}

#[tokio::test]
async fn those_beside_go_when_the_others_are_done() {
    let world = world().await;
    for (name, code) in [("good", 0), ("bad", 3)] {
        let more = json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 10,
            "initContainers": [beside("one", APP, None), beside("two", TOOL, Some("sleep 9999"))],
            "containers": [{"command": ["sh", "-c", format!("sleep 5; exit {code}")]}]});
        world.pod(name, TOOL, more);
    }
    world.run(12).await;
    let status = |name: &str| world.get(name).unwrap()["status"].clone();
    // The second one does not listen: the pod is over when it has been killed, and the first one is asked only then.
    assert_eq!(status("good")["phase"], "Running");
    assert!(status("good")["containerStatuses"][0]["state"]["terminated"].is_object());
    world.run(20).await;
    for (name, phase, reason) in [("good", "Succeeded", "PodCompleted"), ("bad", "Failed", "PodFailed")] {
        let status = status(name);
        assert_eq!(status["phase"], phase, "{status}");
        let ended = |index: usize| status["initContainerStatuses"][index]["state"]["terminated"].clone();
        assert_eq!((&ended(0)["exitCode"], &ended(1)["exitCode"]), (&json!(0), &json!(137)));
        assert!(ended(0)["finishedAt"].as_str() > ended(1)["finishedAt"].as_str(), "{status}");
        let story = world.story(name);
        let killing: Vec<&String> = story.iter().filter(|line| line.starts_with("Killing")).collect();
        assert_eq!(killing, ["Killing x1 Stopping container two", "Killing x1 Stopping container one"]);
        for kind in ["Ready", "ContainersReady"] {
            assert_eq!(condition(&status, kind), is("False", reason, ""));
        }
    }
    // They stay away.
    let before = status("good");
    world.run(300).await;
    assert_eq!(status("good"), before);
}

#[tokio::test]
async fn a_pod_that_cannot_begin_does_not_keep_those_beside_it() {
    let world = world().await;
    let setup = json!({"name": "setup", "image": TOOL, "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "exit 1"]});
    let more = json!({"restartPolicy": "Never", "initContainers": [beside("proxy", APP, None), setup]});
    world.pod("app", APP, more);
    world.run(20).await;
    let status = world.get("app").unwrap()["status"].clone();
    assert_eq!(status["phase"], "Failed");
    assert!(status["initContainerStatuses"][0]["state"]["terminated"].is_object(), "{status}");
    let incomplete = "containers with incomplete status: [proxy setup]";
    assert_eq!(condition(&status, "Initialized"), is("False", "ContainersNotInitialized", incomplete));
    assert_eq!(condition(&status, "Ready"), is("False", "PodFailed", ""));
}

#[tokio::test]
async fn those_beside_count_for_readiness_but_not_for_the_beginning_once_it_was_made() {
    let world = world().await;
    let crashes = beside("crashy", TOOL, Some("sleep 8; exit 1"));
    world.pod("app", APP, json!({"initContainers": [crashes]}));
    world.run(95).await;
    let status = world.get("app").unwrap()["status"].clone();
    let crashy = &status["initContainerStatuses"][0];
    assert_eq!(crashy["state"]["waiting"]["reason"], "CrashLoopBackOff", "{status}");
    assert_eq!((&crashy["ready"], &status["phase"]), (&json!(false), &json!("Running")));
    let unready = "containers with unready status: [crashy]";
    for kind in ["Ready", "ContainersReady"] {
        assert_eq!(condition(&status, kind), is("False", "ContainersNotReady", unready));
    }
    assert_eq!(condition(&status, "Initialized"), is("True", "", ""));
}
