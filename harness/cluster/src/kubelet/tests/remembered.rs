//! What a kubelet that starts again makes of the pods that it finds.

use serde_json::{Value, json};

use super::world::{NEW, OLD, World};

const TOOL: &str = "registry.lab.test/team/tool:1.0";

async fn world(dialect: &str) -> World {
    let world = World::new(dialect, 1).await;
    world.fake.image("team/tool", "1.0", &json!({"pulldrill.programs": "sh sleep"}));
    world.fake.image("team/app", "1.0", &json!({}));
    world
}

fn shell(policy: &str, script: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [{"command": ["sh", "-c", script]}]})
}

#[tokio::test]
async fn what_ran_is_started_again_and_what_was_over_stays_as_it_was() {
    for dialect in [NEW, OLD] {
        let mut world = world(dialect).await;
        world.pod("app", "registry.lab.test/team/app:1.0", json!({}));
        world.pod("crashes", TOOL, shell("Always", "exit 3"));
        world.pod("good", TOOL, shell("Never", "exit 0"));
        world.pod("bad", TOOL, shell("Never", "exit 4"));
        world.run(34).await;
        let status = |world: &World, name: &str| world.get(name).unwrap()["status"].clone();
        world.pod("works", TOOL, shell("Never", "sleep 9999"));
        world.run(5).await;
        let names = ["app", "crashes", "works", "good", "bad"];
        let before = names.map(|name| status(&world, name));
        assert_eq!(before[1]["containerStatuses"][0]["state"]["waiting"]["reason"], "CrashLoopBackOff");
        world.run(5).await;
        world.restart();
        world.run(30).await;
        let after = names.map(|name| status(&world, name));
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before["startTime"], after["startTime"]);
        }
        let app = &after[0]["containerStatuses"][0];
        assert_eq!((&app["restartCount"], &app["ready"]), (&json!(1), &json!(true)), "{app}");
        let last = &app["lastState"]["terminated"];
        assert_eq!((&last["exitCode"], &last["reason"]), (&json!(255), &json!("Unknown")));
        let restarts = |status: &Value| status["containerStatuses"][0]["restartCount"].as_i64().unwrap();
        assert!(restarts(&after[1]) > restarts(&before[1]), "{}", after[1]);
        let works = &after[2]["containerStatuses"][0];
        assert_eq!((&works["restartCount"], &works["ready"]), (&json!(1), &json!(true)), "{works}");
        assert_eq!(works["lastState"]["terminated"]["reason"], "Unknown");
        assert!(world.statuses("works").iter().all(|status| status["phase"] != "Failed"));
        assert_eq!(before[3..], after[3..]);
        world.delete("bad");
        world.run(5).await;
        assert!(world.get("bad").is_none());
        assert_eq!(world.statuses("bad").pop().unwrap(), before[4]);
    }
}

#[tokio::test]
async fn a_deadline_counts_from_the_first_start() {
    let mut world = world(NEW).await;
    for (name, seconds) in [("short", 60), ("long", 200)] {
        world.pod(name, "registry.lab.test/team/app:1.0", json!({"activeDeadlineSeconds": seconds}));
    }
    world.run(20).await;
    world.stop();
    world.run(80).await;
    world.restart();
    world.run(3).await;
    let phase = |name: &str| world.get(name).unwrap()["status"]["phase"].clone();
    assert_eq!(world.get("short").unwrap()["status"]["reason"], "DeadlineExceeded");
    assert_eq!((phase("short"), phase("long")), (json!("Failed"), json!("Running")));
    world.run(100).await;
    assert_eq!(phase("long"), "Failed");
}
