//! What containers say when they end.

use serde_json::{Value, json};

use super::world::{NEW, World};

const TOOL: &str = "registry.lab.test/team/tool:1.0";

async fn world() -> World {
    let world = World::new(NEW, 1).await;
    world.fake.image("team/tool", "1.0", &json!({"pulldrill.programs": "sh sleep echo true ["}));
    world
}

/// What the status says of the end of a pod's container.
fn message(world: &World, pod: &str) -> Value {
    let pod = world.get(pod).unwrap();
    let state = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert!(state.is_object(), "{}", pod["status"]);
    state["message"].clone()
}

#[tokio::test]
async fn a_status_has_what_was_written_for_it_or_the_end_of_the_output() {
    let world = world().await;
    let falls = json!({"terminationMessagePolicy": "FallbackToLogsOnError"});
    let elsewhere = json!({"terminationMessagePath": "/last/words"});
    let many = "n=0; while [ $n != 1111111111111111111111111111111111111111111111111111111111111111111111111111111111111110 ]; \
        do n=1$n; echo x; done; exit 1";
    let long = format!("for i in {}; do echo 0123456789 >> /dev/termination-log; done", "x ".repeat(500));
    let cases: [(&str, &str, Value, Value); 9] = [
        ("a", "echo done > /dev/termination-log", json!({}), json!("done\n")),
        ("b", "echo loud; exit 1", json!({}), Value::Null),
        ("c", "echo loud; exit 1", falls.clone(), json!("loud\n")),
        ("i", "echo -n short; exit 1", falls.clone(), json!("short\n")),
        ("d", "echo loud", falls.clone(), Value::Null),
        ("e", "echo loud; echo own > /dev/termination-log; exit 1", falls.clone(), json!("own\n")),
        ("f", "echo there > /last/words", elsewhere, json!("there\n")),
        ("g", many, falls, json!("x\n".repeat(80))),
        ("h", &long, json!({}), json!(format!("6789\n{}", "0123456789\n".repeat(372))[1..])),
    ];
    for (name, script, own, _) in &cases {
        let mut container = own.clone();
        container["command"] = json!(["sh", "-c", script]);
        world.pod(name, TOOL, json!({"restartPolicy": "Never", "containers": [container]}));
    }
    world.run(30).await;
    for (name, _, _, said) in cases {
        assert_eq!(message(&world, name), said, "{name}");
    }
}

#[tokio::test]
async fn what_was_killed_has_last_words_too_and_they_are_remembered() {
    let mut world = world().await;
    let script = "echo working > /dev/termination-log; sleep 1000";
    let containers = json!([{"command": ["sh", "-c", script]}]);
    world.pod(
        "app",
        TOOL,
        json!({"activeDeadlineSeconds": 10, "terminationGracePeriodSeconds": 5,
        "restartPolicy": "Never", "containers": containers}),
    );
    world.run(20).await;
    assert_eq!(message(&world, "app"), "working\n");
    let again = json!([{"command": ["sh", "-c", "echo broken > /dev/termination-log; exit 1"]}]);
    world.pod("again", TOOL, json!({"containers": again}));
    world.run(15).await;
    world.restart();
    world.run(2).await;
    let pod = world.get("again").unwrap();
    assert_eq!(pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["message"], "broken\n");
}
