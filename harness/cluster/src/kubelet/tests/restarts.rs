//! Containers that end, and are started again.

use serde_json::{Value, json};

use super::world::{NEW, OLD, World};

const IMAGE: &str = "registry.lab.test/team/job:1.0";

async fn world(dialect: &str) -> World {
    let world = World::new(dialect, 1).await;
    world.fake.image("team/job", "1.0", &json!({"pulldrill.behaviour": "exit"}));
    world.fake.image("team/tool", "1.0", &json!({"pulldrill.programs": "sh"}));
    world.fake.image("team/app", "1.0", &json!({}));
    world
}

fn container(world: &World, pod: &str) -> Value {
    world.get(pod).unwrap()["status"]["containerStatuses"][0].clone()
}

/// When the containers of a pod have started, as far as its status has told.
fn starts(world: &World, pod: &str) -> Vec<jiff::Timestamp> {
    let mut all = std::collections::BTreeSet::new();
    for status in world.statuses(pod) {
        let container = &status["containerStatuses"][0];
        for state in [&container["state"], &container["lastState"]] {
            let started =
                state.as_object().into_iter().flatten().filter_map(|(_, s)| s["startedAt"].as_str());
            all.extend(started.map(|at| at.parse::<jiff::Timestamp>().unwrap()));
        }
    }
    all.into_iter().collect()
}

#[tokio::test]
async fn a_container_that_keeps_ending_is_started_later_each_time() {
    for dialect in [NEW, OLD] {
        let world = world(dialect).await;
        world.pod("app", IMAGE, json!({}));
        world.run(40).await;
        let pod = world.get("app").unwrap();
        let uid = pod["metadata"]["uid"].as_str().unwrap();
        let status = container(&world, "app");
        let message = format!("back-off 20s restarting failed container=app pod=app_shop({uid})");
        assert_eq!(status["state"], json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}}));
        let last = &status["lastState"]["terminated"];
        assert_eq!((&last["reason"], &last["exitCode"]), (&json!("Completed"), &json!(0)));
        assert_eq!(last["containerID"], status["containerID"]);
        assert_eq!((&status["restartCount"], &status["started"]), (&json!(2), &json!(false)));
        assert_eq!(pod["status"]["phase"], "Running");
        let words = match dialect {
            NEW => format!("Back-off restarting failed container app in pod app_shop({uid})"),
            _ => "Back-off restarting failed container".to_owned(),
        };
        let story = world.story("app");
        assert!(story.contains(&format!("BackOff x1 {words}")), "{story:#?}");
        let warning = world.api.store().list("events", Some("shop")).0;
        let warning = warning.iter().find(|e| e.value()["reason"] == "BackOff").unwrap().value().clone();
        assert_eq!(warning["type"], "Warning");
        assert_eq!(warning["involvedObject"]["fieldPath"], "spec.containers{app}");
        // Whether it is seen to run depends on when the node looks; that it has ended is always seen first.
        let states: Vec<&String> = story
            .iter()
            .filter(|s| s.starts_with("state Running") && *s != "state Running app=running")
            .collect();
        let (ended, waits) =
            ("state Running app=terminated:Completed", "state Running app=waiting:CrashLoopBackOff");
        assert!(
            matches!(states.as_slice(), [first, .., last] if *first == ended && *last == waits),
            "{states:?}"
        );
    }
}

#[tokio::test]
async fn the_waits_double_up_to_five_minutes() {
    let world = world(NEW).await;
    world.pod("app", IMAGE, json!({}));
    world.run(2400).await;
    let starts = starts(&world, "app");
    let gaps: Vec<f64> = starts.windows(2).map(|w| w[1].duration_since(w[0]).as_secs_f64()).collect();
    assert!(gaps[0] < 3.5, "the first restart follows at once: {gaps:?}");
    for (gap, wait) in gaps[1..].iter().zip([10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]) {
        assert!((wait..wait + 20.0).contains(gap), "{gap} after {wait}: {gaps:?}");
    }
    assert!(gaps.len() >= 8);
    let message = container(&world, "app")["state"]["waiting"]["message"].clone();
    assert!(message.as_str().unwrap().starts_with("back-off 5m0s restarting"), "{message}");
}

#[tokio::test]
async fn what_restarts_is_told_by_the_policy_and_the_exit_code() {
    let world = world(NEW).await;
    let run = |code: u8| json!([{"command": ["sh", "-c", format!("exit {code}")]}]);
    let cases = [
        ("on-failure-0", "OnFailure", 0, "Succeeded", 0, "Completed"),
        ("on-failure-3", "OnFailure", 3, "Running", 1, "Error"),
        ("never-3", "Never", 3, "Failed", 0, "Error"),
        ("always-0", "Always", 0, "Running", 1, "Completed"),
    ];
    for (name, policy, code, ..) in cases {
        let more = json!({"restartPolicy": policy, "containers": run(code)});
        world.pod(name, "registry.lab.test/team/tool:1.0", more);
    }
    world.run(14).await;
    for (name, _, code, phase, restarts, reason) in cases {
        let pod = world.get(name).unwrap();
        let status = container(&world, name);
        assert_eq!(pod["status"]["phase"], phase, "{name}");
        assert_eq!(status["restartCount"], restarts, "{name}");
        let state = if restarts > 0 { &status["lastState"] } else { &status["state"] };
        assert_eq!(state["terminated"]["reason"], reason, "{name}: {status}");
        assert_eq!(state["terminated"]["exitCode"], code, "{name}");
    }
}

#[tokio::test]
async fn a_restart_that_cannot_pull_waits_for_the_image() {
    let world = world(NEW).await;
    world.pod("app", IMAGE, json!({"containers": [{"imagePullPolicy": "Always"}]}));
    world.run(4).await;
    assert!(container(&world, "app")["restartCount"].as_i64().unwrap() <= 1);
    world.fake.rule(|asked| {
        let missing = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        asked.path.contains("team/job").then(|| (404, Vec::new(), missing.to_vec()))
    });
    world.run(60).await;
    let status = container(&world, "app");
    let reason = status["state"]["waiting"]["reason"].as_str().unwrap();
    assert!(matches!(reason, "ErrImagePull" | "ImagePullBackOff"), "{status}");
    assert_eq!(status["lastState"]["terminated"]["reason"], "Completed");
    assert_eq!(world.get("app").unwrap()["status"]["phase"], "Running");
}

#[tokio::test]
async fn init_containers_that_fail_are_repeated_or_end_the_pod() {
    let world = world(NEW).await;
    let setup = json!([{"name": "setup", "image": "registry.lab.test/team/tool:1.0",
        "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", "exit 1"]}]);
    for (name, policy) in [("again", "Always"), ("once", "Never")] {
        let more = json!({"restartPolicy": policy, "initContainers": setup});
        world.pod(name, "registry.lab.test/team/app:1.0", more);
    }
    world.run(40).await;
    let again = world.get("again").unwrap();
    let state = &again["status"]["initContainerStatuses"][0];
    assert_eq!(state["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!((&again["status"]["phase"], &state["restartCount"]), (&json!("Pending"), &json!(2)));
    assert_eq!(again["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
    let once = world.get("once").unwrap();
    assert_eq!(once["status"]["phase"], "Failed");
    assert_eq!(once["status"]["initContainerStatuses"][0]["state"]["terminated"]["reason"], "Error");
}

#[tokio::test]
async fn an_init_container_that_always_restarts_runs_beside_the_others() {
    let world = world(NEW).await;
    let sidecar = json!([{"name": "proxy", "image": "registry.lab.test/team/app:1.0", "restartPolicy": "Always",
        "imagePullPolicy": "IfNotPresent"}]);
    world.pod("app", "registry.lab.test/team/app:1.0", json!({"initContainers": sidecar}));
    world.run(20).await;
    let last = world.story("app").pop().unwrap();
    assert_eq!(last, "state Running proxy=running app=running");
    let pod = world.get("app").unwrap();
    assert_eq!(pod["status"]["initContainerStatuses"][0]["ready"], true);
    assert!(pod["status"]["conditions"].as_array().unwrap().iter().all(|c| c["status"] == "True"));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told_and_tried_again() {
    let world = world(NEW).await;
    for (name, policy) in [("again", "Always"), ("once", "Never")] {
        let more = json!({"restartPolicy": policy, "containers": [{"command": ["nope"]}]});
        world.pod(name, "registry.lab.test/team/tool:1.0", more);
    }
    world.run(4).await;
    let why = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: \
        unable to start container process: error during container init: exec: \"nope\": executable file not found in $PATH: \
        unknown";
    let story = world.story("again");
    assert!(story.contains(&format!("Failed x1 Error: {why}")), "{story:#?}");
    assert!(!story.iter().any(|line| line.starts_with("Started")), "{story:#?}");
    let state = |name: &str| container(&world, name);
    assert_eq!(state("again")["state"]["waiting"], json!({"reason": "RunContainerError", "message": why}));
    let last = &state("again")["lastState"]["terminated"];
    assert_eq!((&last["reason"], &last["exitCode"]), (&json!("StartError"), &json!(128)));
    assert_eq!(state("once")["state"]["terminated"]["reason"], "StartError");
    assert_eq!(world.get("once").unwrap()["status"]["phase"], "Failed");
    world.run(60).await;
    assert_eq!(state("again")["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(state("once")["restartCount"], 0);
}

#[tokio::test]
async fn a_container_can_have_a_policy_and_rules_of_its_own() {
    let world = world(NEW).await;
    let rule = |operator: &str, code: u8| json!([{"action": "Restart", "exitCodes": {"operator": operator, "values": [code]}}]);
    let none = || json!([]);
    let cases = [
        ("never", "Always", "Never", none(), 3, false, "Failed"),
        ("never-good", "Always", "Never", none(), 0, false, "Succeeded"),
        ("always", "Never", "Always", none(), 0, true, "Running"),
        ("on-failure", "Never", "OnFailure", none(), 3, true, "Running"),
        ("in", "Never", "Never", rule("In", 42), 42, true, "Running"),
        ("not-named", "Never", "Never", rule("In", 42), 3, false, "Failed"),
        ("not-in", "Never", "Never", rule("NotIn", 42), 3, true, "Running"),
        ("ruled-out", "Always", "Never", rule("NotIn", 42), 42, false, "Failed"),
    ];
    for (name, of_pod, own, rules, code, ..) in &cases {
        let container = json!({"command": ["sh", "-c", format!("exit {code}")], "restartPolicy": own,
            "restartPolicyRules": rules});
        let more = json!({"restartPolicy": of_pod, "containers": [container]});
        world.pod(name, "registry.lab.test/team/tool:1.0", more);
    }
    let setup = json!([{"name": "setup", "image": "registry.lab.test/team/tool:1.0", "restartPolicy": "Never",
        "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", "exit 1"]}]);
    world.pod("setup", "registry.lab.test/team/app:1.0", json!({"initContainers": setup}));
    world.run(20).await;
    for (name, _, _, _, _, again, phase) in cases {
        let restarts = container(&world, name)["restartCount"].as_i64().unwrap();
        assert_eq!(
            (restarts > 0, &world.get(name).unwrap()["status"]["phase"]),
            (again, &json!(phase)),
            "{name}"
        );
    }
    assert_eq!(world.get("setup").unwrap()["status"]["phase"], "Failed");
}
