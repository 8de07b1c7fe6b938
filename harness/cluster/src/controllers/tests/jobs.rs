//! Jobs and CronJobs.

use serde_json::{Value, json};

use super::World;

const V36: &str = "k8s-1.36-containerd-2.1";
const V20: &str = "k8s-1.20-containerd-1.7";

fn job_spec(image: &str) -> Value {
    json!({"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}}})
}

fn job(image: &str) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"}, "spec": job_spec(image)})
}

fn cron(schedule: &str, policy: &str, image: &str) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"},
        "spec": {"schedule": schedule, "concurrencyPolicy": policy, "jobTemplate": {"spec": job_spec(image)}}})
}

fn conditions(world: &World, name: &str) -> Vec<(String, String)> {
    let status = world.get("jobs.batch", name).unwrap()["status"].clone();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| (text(&c["type"]), text(&c["reason"])))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn a_job_completes_as_its_release_says() {
    for (dialect, expected) in [
        (V36, pairs(&[("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached")])),
        (V20, pairs(&[("Complete", "")])),
    ] {
        let world = World::start(dialect).await;
        world.create("jobs.batch", job("app:done"));
        world.pass(10).await;
        assert_eq!(conditions(&world, "load"), expected);
        let status = world.get("jobs.batch", "load").unwrap()["status"].clone();
        assert_eq!(status["succeeded"], 1);
        assert!(status["completionTime"].is_string());
        let events = world.events(&["job-controller"]);
        assert_eq!(events.len(), 2);
        assert_eq!(events[1], "Normal Completed Job Job completed");
    }
}

#[tokio::test]
async fn a_job_that_cannot_pull_never_fails_unless_it_has_a_deadline() {
    let world = World::start(V36).await;
    world.create("jobs.batch", job("app:bad"));
    world.pass(24 * 3600).await;
    let status = world.get("jobs.batch", "load").unwrap()["status"].clone();
    assert_eq!(
        (&status["active"], &status["failed"], conditions(&world, "load").len()),
        (&json!(1), &Value::Null, 0)
    );
    world.delete("jobs.batch", "load", "Background");
    world.pass(5).await;
    let mut late = job("app:bad");
    late["spec"]["activeDeadlineSeconds"] = json!(100);
    world.create("jobs.batch", late);
    world.pass(99).await;
    assert_eq!(conditions(&world, "load"), []);
    world.pass(10).await;
    let expected = pairs(&[("FailureTarget", "DeadlineExceeded"), ("Failed", "DeadlineExceeded")]);
    assert_eq!(conditions(&world, "load"), expected);
    assert_eq!(world.list("pods").len(), 0);
    let events = world.events(&["job-controller"]);
    let message = "Warning DeadlineExceeded Job Job was active longer than specified deadline";
    assert_eq!(events.last().unwrap(), message);
}

#[tokio::test]
async fn failing_pods_are_replaced_later_each_time_until_the_limit() {
    let world = World::start(V36).await;
    let mut failing = job("app:fail");
    failing["spec"]["backoffLimit"] = json!(2);
    world.create("jobs.batch", failing);
    world.pass(200).await;
    let expected = pairs(&[("FailureTarget", "BackoffLimitExceeded"), ("Failed", "BackoffLimitExceeded")]);
    assert_eq!(conditions(&world, "load"), expected);
    let mut created: Vec<i64> = world
        .list("pods")
        .iter()
        .map(|p| super::super::json::time(&p["metadata"]["creationTimestamp"]).unwrap().as_second())
        .collect();
    created.sort_unstable();
    let gaps: Vec<i64> = created.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(gaps, [11, 21], "a second to fail, then 10 s and 20 s");
}

#[tokio::test]
async fn cron_jobs_run_on_time_and_keep_a_short_history() {
    let world = World::start(V36).await;
    world.create("cronjobs.batch", cron("*/5 * * * *", "Allow", "app:done"));
    world.pass(31 * 60).await;
    let jobs: Vec<Value> = world.list("jobs.batch");
    assert_eq!(jobs.len(), 3);
    for job in &jobs {
        let annotations = &job["metadata"]["annotations"];
        let at = annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"].as_str().unwrap();
        let minutes = at.parse::<jiff::Timestamp>().unwrap().as_second() / 60;
        assert_eq!(job["metadata"]["name"], format!("tick-{minutes}"));
        assert_eq!(minutes % 5, 0);
    }
    let events = world.events(&["cronjob-controller"]);
    assert!(
        events.iter().any(|e| e.starts_with("Normal SuccessfulCreate CronJob Created job tick-")),
        "{events:?}"
    );
    assert!(
        events.iter().any(|e| e.contains("Saw completed job: tick-") && e.ends_with(", condition: Complete"))
    );
    let status = world.get("cronjobs.batch", "tick").unwrap()["status"].clone();
    assert!(status["lastSuccessfulTime"].is_string() && status["active"].is_null(), "{status}");
}

#[tokio::test]
async fn an_interval_counts_from_the_last_run() {
    let world = World::start(V36).await;
    world.create("cronjobs.batch", cron("@every 7m", "Allow", "app:done"));
    world.pass(25 * 60).await;
    let created = super::super::json::time(
        &world.get("cronjobs.batch", "tick").unwrap()["metadata"]["creationTimestamp"],
    );
    let last =
        super::super::json::time(&world.get("cronjobs.batch", "tick").unwrap()["status"]["lastScheduleTime"]);
    assert_eq!(last.unwrap().duration_since(created.unwrap()).as_secs(), 21 * 60);
    assert_eq!(world.list("jobs.batch").len(), 3);
}

#[tokio::test]
async fn pods_are_kept_until_they_are_counted() {
    for (dialect, held) in [(V36, true), (V20, false)] {
        let world = World::start(dialect).await;
        let mut two = job("app:done");
        two["spec"]["completions"] = json!(2);
        two["spec"]["parallelism"] = json!(1);
        world.create("jobs.batch", two);
        world.pass(30).await;
        let status = world.get("jobs.batch", "load").unwrap()["status"].clone();
        assert_eq!(status["succeeded"], 2);
        let versions = world.versions("pods");
        let finalizers = |pod: &Value| pod["metadata"]["finalizers"].clone();
        let kept = json!(["batch.kubernetes.io/job-tracking"]);
        assert_eq!(finalizers(&versions[0]), if held { kept.clone() } else { Value::Null }, "{dialect}");
        assert!(world.list("pods").iter().all(|pod| finalizers(pod).is_null()), "{dialect}");
        // An end is named before the pod is let go, and counted after that.
        let named = world.versions("jobs.batch").iter().any(|job| {
            let named = job["status"]["uncountedTerminatedPods"]["succeeded"].as_array().map_or(0, Vec::len);
            named == 1 && job["status"]["succeeded"].as_i64().unwrap_or(0) < 2
        });
        assert_eq!(named, held, "{dialect}");
        if held {
            assert_eq!(status["uncountedTerminatedPods"], json!({}));
        }
    }
}

#[tokio::test]
async fn pods_that_somebody_deletes_count_as_failures_and_go() {
    let world = World::start(V36).await;
    let mut load = job("app:1");
    load["spec"]["backoffLimit"] = json!(1);
    world.create("jobs.batch", load);
    world.pass(5).await;
    let first = world.list("pods")[0].clone();
    world.delete("pods", first["metadata"]["name"].as_str().unwrap(), "Background");
    world.pass(20).await;
    let pods = world.list("pods");
    assert!(pods.len() == 1 && pods[0]["metadata"]["uid"] != first["metadata"]["uid"]);
    let status = world.get("jobs.batch", "load").unwrap()["status"].clone();
    assert_eq!((&status["failed"], &status["active"]), (&json!(1), &json!(1)), "{status}");
}

#[tokio::test]
async fn nothing_stays_behind_for_a_job_that_is_gone() {
    for policy in ["Background", "Foreground"] {
        let world = World::start(V36).await;
        world.create("jobs.batch", job("app:1"));
        world.pass(5).await;
        world.delete("jobs.batch", "load", policy);
        world.pass(60).await;
        assert_eq!((world.list("jobs.batch").len(), world.list("pods").len()), (0, 0), "{policy}");
    }
    let world = World::start(V36).await;
    world.create("jobs.batch", job("app:1"));
    world.pass(5).await;
    world.delete("jobs.batch", "load", "Orphan");
    world.pass(60).await;
    let pods = world.list("pods");
    assert!(pods.len() == 1 && pods[0]["metadata"]["finalizers"].is_null(), "{pods:?}");
}

#[tokio::test]
async fn a_run_that_cannot_pull_blocks_all_later_ones_when_overlap_is_forbidden() {
    for (policy, expected) in [("Forbid", 1), ("Allow", 6), ("Replace", 1)] {
        let world = World::start(V36).await;
        world.create("cronjobs.batch", cron("*/5 * * * *", policy, "app:bad"));
        world.pass(30 * 60 + 10).await;
        assert_eq!(world.list("jobs.batch").len(), expected, "{policy}");
        let blocked = world.events(&["cronjob-controller"]).iter().any(|e| e.contains("JobAlreadyActive"));
        assert_eq!(blocked, policy == "Forbid");
    }
}

#[tokio::test]
async fn a_job_that_somebody_made_from_a_cron_job_is_told_of_and_in_nobodys_way() {
    for dialect in [V36, V20] {
        let world = World::start(dialect).await;
        world.create("cronjobs.batch", cron("*/5 * * * *", "Forbid", "app:bad"));
        let owner = world.get("cronjobs.batch", "tick").unwrap();
        let make = |name: &str, image: &str| {
            let mut manual = job(image);
            manual["metadata"] = json!({"name": name, "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "tick",
                    "uid": owner["metadata"]["uid"], "controller": true}]});
            world.create("jobs.batch", manual);
        };
        make("manual", "app:bad");
        world.pass(10).await;
        let told = |name: &str| {
            let message = format!(
                "Warning UnexpectedJob CronJob Saw a job that the controller did not create or forgot: {name}"
            );
            world.events(&["cronjob-controller"]).iter().filter(|event| event.starts_with(&message)).count()
        };
        assert_eq!((told("manual"), told("tick")), (1, 0), "{dialect}");
        world.pass(300).await;
        assert_eq!(world.list("jobs.batch").len(), 2, "{dialect}");
        let active = world.get("cronjobs.batch", "tick").unwrap()["status"]["active"].clone();
        assert_eq!(active.as_array().unwrap().len(), 1);
        assert_eq!(told("tick"), 0, "its own are expected");
    }
    let world = World::start(V36).await;
    world.create("cronjobs.batch", cron("*/5 * * * *", "Forbid", "app:done"));
    world.pass(310).await;
    let ended = world.list("jobs.batch")[0].clone();
    assert!(ended["status"]["completionTime"].is_string());
    world.edit("jobs.batch", ended["metadata"]["name"].as_str().unwrap(), |job| {
        job["metadata"]["labels"] = json!({"seen": "1"});
    });
    world.pass(10).await;
    assert!(!world.events(&["cronjob-controller"]).iter().any(|event| event.contains("UnexpectedJob")));
}
