//! Jobs and CronJobs beyond the plain case: several pods, suspension, time to live, deadlines, time zones.

use serde_json::{Value, json};

use super::World;

const V36: &str = "k8s-1.36-containerd-2.1";
const JOBS: &str = "jobs.batch";
const CRONS: &str = "cronjobs.batch";

fn with(mut object: Value, spec: &Value) -> Value {
    spec.as_object()
        .unwrap()
        .iter()
        .for_each(|(field, value)| object["spec"][field.as_str()] = value.clone());
    object
}

fn job(image: &str, spec: &Value) -> Value {
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"}, "spec": {"template": template}});
    with(job, spec)
}

fn cron(image: &str, spec: &Value) -> Value {
    let job = job(image, &json!({}));
    let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"},
        "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": job["spec"]}}});
    with(cron, spec)
}

fn status(world: &World) -> Value {
    world.get(JOBS, "load").unwrap()["status"].clone()
}

#[tokio::test]
async fn as_many_pods_run_as_parallelism_and_completions_want() {
    let world = World::start(V36).await;
    world.create(JOBS, job("app:1", &json!({"parallelism": 2, "completions": 5})));
    world.pass(5).await;
    assert_eq!((world.list("pods").len(), &status(&world)["active"]), (2, &json!(2)));
    assert_eq!(status(&world)["ready"], 2);
    world.edit(JOBS, "load", |job| job["spec"]["parallelism"] = 4.into());
    world.pass(5).await;
    assert_eq!(status(&world)["active"], 4);
    world.edit(JOBS, "load", |job| job["spec"]["parallelism"] = 1.into());
    world.pass(5).await;
    assert_eq!(status(&world)["active"], 1);
    let world = World::start(V36).await;
    world.create(JOBS, job("app:done", &json!({"parallelism": 2, "completions": 5})));
    world.pass(30).await;
    assert_eq!((&status(&world)["succeeded"], world.list("pods").len()), (&json!(5), 5));
}

#[tokio::test]
async fn a_suspended_job_has_no_pods_until_it_is_resumed() {
    let world = World::start(V36).await;
    world.create(JOBS, job("app:1", &json!({"suspend": true, "activeDeadlineSeconds": 30})));
    world.pass(100).await;
    assert_eq!(world.list("pods").len(), 0);
    let condition = status(&world)["conditions"][0].clone();
    assert_eq!((&condition["type"], &condition["reason"]), (&json!("Suspended"), &json!("JobSuspended")));
    assert!(status(&world)["startTime"].is_null(), "the deadline has not begun");
    world.edit(JOBS, "load", |job| job["spec"]["suspend"] = false.into());
    world.pass(5).await;
    assert_eq!(world.list("pods").len(), 1);
    let condition = status(&world)["conditions"][0].clone();
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("False"), &json!("JobResumed")));
    world.edit(JOBS, "load", |job| job["spec"]["suspend"] = true.into());
    world.pass(5).await;
    assert_eq!(world.list("pods").len(), 0);
    let events = world.events(&["job-controller"]);
    assert!(events.contains(&"Normal Resumed Job Job resumed".to_owned()), "{events:?}");
    assert_eq!(events.iter().filter(|e| e.starts_with("Normal Suspended Job Job suspended")).count(), 1);
}

#[tokio::test]
async fn an_ended_job_goes_with_its_pods_when_its_time_is_up() {
    let world = World::start(V36).await;
    world.create(JOBS, job("app:done", &json!({"ttlSecondsAfterFinished": 60})));
    world.pass(50).await;
    assert_eq!((world.list(JOBS).len(), world.list("pods").len()), (1, 1));
    world.pass(20).await;
    assert_eq!((world.list(JOBS).len(), world.list("pods").len()), (0, 0));
}

#[tokio::test]
async fn a_job_that_fails_for_good_leaves_its_pods() {
    let world = World::start(V36).await;
    world.create(JOBS, job("app:fail", &json!({"backoffLimit": 1})));
    world.pass(60).await;
    let conditions = status(&world)["conditions"].clone();
    assert_eq!(
        (&conditions[1]["type"], &conditions[1]["reason"]),
        (&json!("Failed"), &json!("BackoffLimitExceeded"))
    );
    assert_eq!((&status(&world)["failed"], world.list("pods").len()), (&json!(2), 2));
}

#[tokio::test]
async fn replace_ends_the_run_before() {
    let world = World::start(V36).await;
    world.create(CRONS, cron("app:bad", &json!({"concurrencyPolicy": "Replace"})));
    world.pass(320).await;
    let first = world.list(JOBS);
    assert_eq!(first.len(), 1);
    world.pass(300).await;
    let second = world.list(JOBS);
    assert_eq!(second.len(), 1);
    assert_ne!(first[0]["metadata"]["name"], second[0]["metadata"]["name"]);
    assert_eq!(world.list("pods").len(), 1, "the pods of the run before are gone");
    let active = world.get(CRONS, "tick").unwrap()["status"]["active"].clone();
    assert_eq!(active.as_array().unwrap().len(), 1);
    assert_eq!(active[0]["uid"], second[0]["metadata"]["uid"]);
    let deleted = format!(
        "Normal SuccessfulDelete CronJob Deleted job {}",
        first[0]["metadata"]["name"].as_str().unwrap()
    );
    assert!(world.events(&["cronjob-controller"]).contains(&deleted));
}

#[tokio::test]
async fn a_suspended_cron_job_runs_the_latest_missed_time_if_it_is_not_too_late() {
    for (deadline, runs) in [(json!({}), 1), (json!({"startingDeadlineSeconds": 100}), 0)] {
        let world = World::start(V36).await;
        let mut spec = deadline.clone();
        spec["suspend"] = true.into();
        world.create(CRONS, cron("app:done", &spec));
        world.pass(1000).await;
        assert_eq!(world.list(JOBS).len(), 0);
        // Neither at a multiple of five minutes nor shortly after one.
        let past = world.clock.shown_now().as_second() % 300;
        world.pass((450 - past).rem_euclid(300)).await;
        world.edit(CRONS, "tick", |cron| cron["spec"]["suspend"] = false.into());
        world.pass(5).await;
        assert_eq!(world.list(JOBS).len(), runs, "{deadline}");
        world.pass(300).await;
        assert_eq!(world.list(JOBS).len(), runs + 1, "and goes on");
    }
}

#[tokio::test]
async fn a_schedule_is_read_in_its_time_zone() {
    for (zone, hour) in [("Asia/Kolkata", "06:30"), ("Etc/UTC", "12:00")] {
        let world = World::start(V36).await;
        world.create(CRONS, cron("app:done", &json!({"schedule": "0 12 * * *", "timeZone": zone})));
        world.pass(24 * 3600 + 10).await;
        let jobs = world.list(JOBS);
        assert_eq!(jobs.len(), 1);
        let at = &jobs[0]["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"];
        assert!(at.as_str().unwrap().contains(&format!("T{hour}:00")), "{zone}: {at}");
    }
}

#[tokio::test]
async fn pods_of_an_indexed_job_have_numbers_and_each_has_to_succeed() {
    let world = World::start(V36).await;
    let spec = json!({"completionMode": "Indexed", "completions": 3, "parallelism": 2});
    world.create(JOBS, job("app:1", &spec));
    world.pass(5).await;
    let index = "batch.kubernetes.io/job-completion-index";
    let mut pods = world.list("pods");
    pods.sort_by_key(|pod| pod["metadata"]["annotations"][index].as_str().unwrap().to_owned());
    for (n, pod) in pods.iter().enumerate() {
        assert!(pod["metadata"]["name"].as_str().unwrap().starts_with(&format!("load-{n}-")));
        assert_eq!(pod["metadata"]["labels"][index], n.to_string());
        assert_eq!(pod["spec"]["hostname"], format!("load-{n}"));
        let variable = &pod["spec"]["containers"][0]["env"][0];
        assert_eq!(variable["name"], "JOB_COMPLETION_INDEX");
        let path = &variable["valueFrom"]["fieldRef"]["fieldPath"];
        assert_eq!(*path, format!("metadata.labels['{index}']"));
    }
    assert_eq!(pods.len(), 2);
    let world = World::start(V36).await;
    world.create(JOBS, job("app:done", &spec));
    world.pass(30).await;
    assert_eq!(status(&world)["completedIndexes"], "0-2");
    assert_eq!(status(&world)["succeeded"], 3);
}
