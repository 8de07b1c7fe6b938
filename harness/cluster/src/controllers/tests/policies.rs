//! Jobs that say more about their end than how often a pod may fail.

use serde_json::{Value, json};

use super::World;

const V36: &str = "k8s-1.36-containerd-2.1";
const V20: &str = "k8s-1.20-containerd-1.7";
const JOBS: &str = "jobs.batch";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";

fn job(image: &str, mut spec: Value) -> Value {
    spec["template"] =
        json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}});
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"}, "spec": spec})
}

fn status(world: &World) -> Value {
    world.get(JOBS, "load").unwrap()["status"].clone()
}

/// `type reason message` of a Job's conditions.
fn conditions(world: &World) -> Vec<String> {
    let text = |c: &Value, field: &str| c[field].as_str().unwrap_or_default().to_owned();
    let status = status(world);
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.map(|c| format!("{} {} {}", text(c, "type"), text(c, "reason"), text(c, "message"))).collect()
}

fn both(kinds: [&str; 2], rest: &str) -> Vec<String> {
    kinds.iter().map(|kind| format!("{kind} {rest}")).collect()
}

const FAILED: [&str; 2] = ["FailureTarget", "Failed"];

/// Lets the pod of a number end in a phase.
fn end(world: &World, index: &str, phase: &str) {
    let pods = world.list("pods");
    let runs =
        |pod: &&Value| pod["metadata"]["annotations"][INDEX] == index && pod["status"]["phase"] == "Running";
    let name = pods.iter().find(runs).unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    let key = crate::store::Key::new(super::world::NS, name);
    let kubelet = crate::api::User::controller("kubelet");
    let ended =
        world.api.modify(&kubelet, "pods", &key, Some("status"), |pod| pod["status"]["phase"] = phase.into());
    ended.unwrap();
}

#[tokio::test]
async fn a_rule_about_exit_codes_ends_the_job_or_spares_it() {
    let rule = |action: &str| {
        json!({"rules": [{"action": action,
        "onExitCodes": {"containerName": "c", "operator": "In", "values": [1, 42]}}]})
    };
    let world = World::start(V36).await;
    world.create(JOBS, job("app:fail", json!({"podFailurePolicy": rule("FailJob")})));
    world.pass(10).await;
    let pod = world.list("pods")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let told =
        format!("Container c for pod shop/{pod} failed with exit code 1 matching FailJob rule at index 0");
    assert_eq!(conditions(&world), both(FAILED, &format!("PodFailurePolicy {told}")));
    assert_eq!(status(&world)["failed"], 1);
    let events = world.events(&["job-controller"]);
    assert_eq!(events.last().unwrap(), &format!("Warning PodFailurePolicy Job {told}"));

    for (action, ends) in [("Ignore", false), ("Count", true)] {
        let world = World::start(V36).await;
        let spec = json!({"backoffLimit": 1, "podFailurePolicy": rule(action)});
        world.create(JOBS, job("app:fail", spec));
        world.pass(60).await;
        assert_eq!(conditions(&world).is_empty(), !ends, "{action}");
        assert_eq!(status(&world)["failed"], if ends { json!(2) } else { Value::Null }, "{action}");
        assert!(world.list("pods").len() >= 2, "it is tried again");
        let held =
            |pod: &Value| pod["metadata"]["finalizers"].is_array() && pod["status"]["phase"] == "Failed";
        assert!(!world.list("pods").iter().any(held), "{action}");
    }
    let world = World::start(V20).await;
    world.create(JOBS, job("app:fail", json!({"podFailurePolicy": rule("FailJob")})));
    world.pass(30).await;
    assert_eq!(conditions(&world), Vec::<String>::new(), "nobody knew of it");
}

#[tokio::test]
async fn numbers_fail_by_themselves_and_the_others_go_on() {
    let world = World::start(V36).await;
    let spec =
        json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimitPerIndex": 1});
    world.create(JOBS, job("app:1", spec.clone()));
    world.pass(5).await;
    assert_eq!(status(&world)["failedIndexes"], "");
    end(&world, "1", "Failed");
    world.pass(5).await;
    assert_eq!((&status(&world)["active"], &status(&world)["failed"]), (&json!(2), &Value::Null), "it waits");
    world.pass(10).await;
    let counts = |world: &World| -> Vec<Value> {
        let pods = world.list("pods").into_iter();
        let mine = pods.filter(|pod| pod["metadata"]["annotations"][INDEX] == "1");
        let mut counts: Vec<Value> =
            mine.map(|pod| pod["metadata"]["annotations"][FAILURES].clone()).collect();
        counts.sort_by_key(Value::to_string);
        counts
    };
    assert_eq!(counts(&world), ["0", "1"]);
    assert_eq!((&status(&world)["active"], &status(&world)["failed"]), (&json!(3), &json!(1)));
    end(&world, "1", "Failed");
    world.pass(30).await;
    assert_eq!(counts(&world), ["0", "1"], "not once more");
    assert_eq!((&status(&world)["failedIndexes"], &status(&world)["active"]), (&json!("1"), &json!(2)));
    assert_eq!(conditions(&world), Vec::<String>::new());
    end(&world, "0", "Succeeded");
    end(&world, "2", "Succeeded");
    world.pass(10).await;
    assert_eq!(conditions(&world), both(FAILED, "FailedIndexes Job has failed indexes"));
    assert_eq!((&status(&world)["completedIndexes"], &status(&world)["failed"]), (&json!("0,2"), &json!(2)));
    let pods = world.list("pods");
    assert!(pods.iter().all(|pod| pod["metadata"]["finalizers"].is_null()), "{pods:?}");
}

#[tokio::test]
async fn too_many_failed_numbers_end_a_job() {
    let world = World::start(V36).await;
    let spec = json!({"completionMode": "Indexed", "completions": 4, "parallelism": 4, "backoffLimitPerIndex": 0,
        "maxFailedIndexes": 1});
    world.create(JOBS, job("app:1", spec));
    world.pass(5).await;
    end(&world, "0", "Failed");
    world.pass(5).await;
    assert_eq!(conditions(&world), Vec::<String>::new());
    end(&world, "3", "Failed");
    world.pass(10).await;
    let told = "MaxFailedIndexesExceeded Job has exceeded the specified maximal number of failed indexes";
    assert_eq!(conditions(&world), both(FAILED, told));
    assert_eq!((&status(&world)["failedIndexes"], &status(&world)["failed"]), (&json!("0,3"), &json!(4)));
    assert_eq!(world.list("pods").len(), 2, "the others are gone");
}

#[tokio::test]
async fn some_numbers_can_be_enough() {
    for (rule, message) in [
        (json!({"succeededIndexes": "1-2", "succeededCount": 1}), "Matched rules at index 0"),
        (json!({"succeededCount": 1}), "Matched rules at index 0"),
    ] {
        let world = World::start(V36).await;
        let spec = json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3, "successPolicy": {"rules": [rule]}});
        world.create(JOBS, job("app:1", spec));
        world.pass(5).await;
        end(&world, "2", "Succeeded");
        world.pass(10).await;
        let told = format!("SuccessPolicy {message}");
        assert_eq!(conditions(&world), both(["SuccessCriteriaMet", "Complete"], &told));
        let status = status(&world);
        assert_eq!(
            (&status["completedIndexes"], &status["succeeded"], &status["failed"]),
            (&json!("2"), &json!(1), &Value::Null)
        );
        assert!(status["completionTime"].is_string());
        assert_eq!(world.list("pods").len(), 1);
        assert_eq!(world.events(&["job-controller"]).last().unwrap(), "Normal Completed Job Job completed");
    }
}

#[tokio::test]
async fn a_pod_on_its_way_out_is_replaced_when_it_is_gone_if_that_is_wanted() {
    for (policy, at_once) in [("Failed", false), ("TerminatingOrFailed", true)] {
        let world = World::start(V36).await;
        world.create(JOBS, job("app:1", json!({"podReplacementPolicy": policy})));
        world.pass(5).await;
        let pod = world.list("pods")[0]["metadata"]["name"].as_str().unwrap().to_owned();
        world.delete("pods", &pod, "Background");
        world.settle().await;
        assert_eq!(world.list("pods").len(), if at_once { 2 } else { 1 }, "{policy}");
    }
}

#[tokio::test]
async fn stopped_pods_have_failed_in_old_releases() {
    let world = World::start(V20).await;
    world
        .create(JOBS, job("app:1", json!({"parallelism": 2, "completions": 2, "activeDeadlineSeconds": 20})));
    world.pass(30).await;
    assert_eq!(conditions(&world), ["Failed DeadlineExceeded Job was active longer than specified deadline"]);
    assert_eq!((&status(&world)["failed"], &status(&world)["active"]), (&json!(2), &Value::Null));
}
