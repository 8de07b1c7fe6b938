//! A cluster with a data folder, started again.

use std::path::Path;

use http::Method;
use pulldrill_clock::Clock;
use serde_json::{Value, json};

use crate::world::{NEWEST, World, config_map};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn start(folder: &Path) -> World {
    World::durable(Clock::live(), NEWEST, &["node-1"], folder).await
}

/// Ends a world in an orderly way.
async fn end(world: World) {
    world.stop.cancel();
    world.cluster.ended().await;
}

#[tokio::test]
async fn objects_credentials_and_virtual_clusters_are_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path()).await;
    let admin = world.admin();
    let made = admin.post(CONFIG_MAPS, &config_map("kept", &json!({"a": "b"}))).await.json();
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let token = admin.post(path, &json!({"spec": {}})).await.json();
    let bearer = format!("Bearer {}", token["status"]["token"].as_str().unwrap());
    assert_eq!(admin.ask(Method::PUT, "/clusters/one", &[], "").await.code, 201);
    let inner = admin.post(&format!("/clusters/one{CONFIG_MAPS}"), &config_map("inner", &json!({}))).await;
    assert_eq!(inner.code, 201);
    let kubeconfig = admin.ask(Method::PUT, "/clusters/one", &[], "").await.body;
    assert_eq!(admin.ask(Method::PUT, "/clusters/two", &[], "").await.code, 201);
    assert_eq!(admin.delete("/clusters/two").await.code, 200);
    let last: u64 =
        admin.get(CONFIG_MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    let authority = world.cluster.authority().to_owned();
    let identity = world.admin_identity();
    end(world).await;

    let world = start(folder.path()).await;
    assert_eq!(world.cluster.authority(), authority);
    // The kubeconfig of the former life is still good, but for the port.
    let old_admin = world.with_identity(&identity.0, &identity.1);
    let kept = old_admin.get(&format!("{CONFIG_MAPS}/kept")).await;
    assert_eq!((kept.code, kept.json()), (200, made), "with its uid, version and managers");
    let answer = world.stranger().ask(Method::GET, "/api", &[("authorization", &bearer)], "").await;
    assert_eq!(answer.code, 200, "tokens are known by their signature");
    let admin = world.admin();
    assert_eq!(admin.get("/clusters").await.json(), json!({"clusters": ["one"]}));
    assert_eq!(admin.get(&format!("/clusters/one{CONFIG_MAPS}/inner")).await.code, 200);
    let again = admin.ask(Method::PUT, "/clusters/one", &[], "").await.body;
    let token = |kubeconfig: &[u8]| {
        let text = String::from_utf8_lossy(kubeconfig).into_owned();
        text.lines().find(|line| line.contains("token:")).map(str::to_owned).unwrap()
    };
    assert_eq!(token(&again), token(&kubeconfig));
    let now: u64 =
        admin.get(CONFIG_MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    assert!(now > last, "{now} {last}");
    let gone = admin.get(&format!("{CONFIG_MAPS}?watch=true&resourceVersion={last}")).await;
    assert!(String::from_utf8_lossy(&gone.body).contains("too old resource version"));
    end(world).await;
}

#[tokio::test]
async fn pods_run_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path()).await;
    world
        .cluster
        .load_image("web:1", &json!({"architecture": "amd64", "config": {"Entrypoint": ["/web"]}}))
        .unwrap();
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "web:1"}]}}}});
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    assert_eq!(world.admin().post(deployments, &deployment).await.code, 201);
    let ready = async |world: &World| {
        let mut watch = world.admin().watch(&format!("{deployments}?watch=true")).await;
        loop {
            let (_, object) = watch.next().await.unwrap();
            if object["status"]["readyReplicas"] == 2 {
                return;
            }
        }
    };
    ready(&world).await;
    end(world).await;

    let world = start(folder.path()).await;
    world
        .cluster
        .load_image("web:1", &json!({"architecture": "amd64", "config": {"Entrypoint": ["/web"]}}))
        .unwrap();
    ready(&world).await;
    // Scaled up, it takes names that are free.
    let scale = json!({"spec": {"replicas": 4}});
    let path = format!("{deployments}/web");
    assert_eq!(world.admin().patch(&path, "merge-patch+json", &scale).await.code, 200);
    let mut watch = world.admin().watch(&format!("{deployments}?watch=true")).await;
    while watch.next().await.unwrap().1["status"]["readyReplicas"] != 4 {}
    end(world).await;
}

const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn busybox(world: &World) {
    let image = json!({"architecture": "amd64", "config": {"Cmd": ["sh"]}});
    world.cluster.load_image("busybox:1", &image).unwrap();
}

/// Waits until the status of a Job is as wanted, and returns it.
async fn job_status(world: &World, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let path = format!("{JOBS}?watch=true&fieldSelector=metadata.name%3D{name}");
    let mut watch = world.admin().watch(&path).await;
    loop {
        let (_, job) = watch.next().await.unwrap();
        if wanted(&job["status"]) {
            return job["status"].clone();
        }
    }
}

#[tokio::test]
async fn what_jobs_have_done_is_not_done_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path()).await;
    busybox(&world);
    let admin = world.admin();
    let job = |name: &str, spec: Value, script: &str| {
        let mut job = json!({"metadata": {"name": name}, "spec": spec});
        job["spec"]["template"] = json!({"spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "busybox:1", "command": ["sh", "-c", script]}]}});
        job
    };
    // Two of three end, the last never; and one that goes on and on until it is told to pause.
    let numbered = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"});
    let script = "test $JOB_COMPLETION_INDEX -lt 2 || sleep infinity";
    assert_eq!(admin.post(JOBS, &job("numbered", numbered, script)).await.code, 201);
    let plain = json!({"completions": 1000, "parallelism": 1});
    assert_eq!(admin.post(JOBS, &job("plain", plain, "true")).await.code, 201);
    let done = |n: i64| move |status: &Value| status["succeeded"].as_i64().unwrap_or(0) >= n;
    job_status(&world, "plain", done(2)).await;
    let parallelism = async |world: &World, n: i64| {
        let change = json!({"spec": {"parallelism": n}});
        let changed = world.admin().patch(&format!("{JOBS}/plain"), "merge-patch+json", &change).await;
        assert_eq!(changed.code, 200);
    };
    parallelism(&world, 0).await;
    let resting = |status: &Value| {
        status["active"].is_null()
            && status["uncountedTerminatedPods"] == json!({})
            && status["terminating"] == 0
    };
    let before = job_status(&world, "plain", resting).await["succeeded"].as_i64().unwrap();
    let two = |status: &Value| status["completedIndexes"] == "0,1" && status["active"] == 1;
    job_status(&world, "numbered", two).await;
    // Somebody tidies up.
    for pod in admin.get(PODS).await.json()["items"].as_array().unwrap() {
        if pod["status"]["phase"] == "Succeeded" {
            let name = pod["metadata"]["name"].as_str().unwrap();
            assert_eq!(admin.delete(&format!("{PODS}/{name}")).await.code, 200);
        }
    }
    end(world).await;

    let world = start(folder.path()).await;
    busybox(&world);
    let admin = world.admin();
    parallelism(&world, 1).await;
    let mut watch = admin.watch(&format!("{JOBS}?watch=true&fieldSelector=metadata.name%3Dplain")).await;
    loop {
        let (_, job) = watch.next().await.unwrap();
        let now = job["status"]["succeeded"].as_i64().unwrap_or(0);
        assert!(now >= before, "{now} after {before}");
        if now > before {
            break;
        }
    }
    parallelism(&world, 0).await;
    let status = job_status(&world, "numbered", two).await;
    assert_eq!(status["succeeded"], 2, "{status}");
    let pods = admin.get(&format!("{PODS}?labelSelector=job-name%3Dnumbered")).await.json();
    let numbers: Vec<&Value> = pods["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pod| &pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])
        .collect();
    // The last one's containers went with the process: it has failed, and there is another.
    assert!(!numbers.is_empty() && numbers.iter().all(|number| **number == "2"), "{numbers:?}");
    end(world).await;
}
