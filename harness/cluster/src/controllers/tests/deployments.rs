//! Deployments and their ReplicaSets, held against recordings of real clusters.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::World;
use super::world::{NS, deployment, template};
use crate::store::Key;

const V36: &str = "k8s-1.36-containerd-2.1";
const V20: &str = "k8s-1.20-containerd-1.7";
const COMPONENTS: [&str; 2] = ["deployment-controller", "replicaset-controller"];

/// Replaces the names of ReplicaSets by their order, and the ends of pod names.
fn neutral(world: &World, text: &str) -> String {
    let mut sets: Vec<String> = Vec::new();
    for set in world.versions("replicasets.apps") {
        let name = set["metadata"]["name"].as_str().unwrap().to_owned();
        if !sets.contains(&name) {
            sets.push(name);
        }
    }
    let mut text = text.to_owned();
    for (name, role) in sets.iter().zip(["{first}", "{second}", "{third}"]) {
        text = text.replace(name, role);
    }
    match text.rsplit_once("}-") {
        Some((start, end)) if end.len() == 5 => format!("{start}}}-*****"),
        _ => text,
    }
}

/// The distinct states of the Deployment, in the recordings' form.
fn deployment_states(world: &World) -> Vec<Value> {
    let mut states: Vec<Value> = Vec::new();
    for version in world.versions("deployments.apps") {
        let mut state = version["status"].clone();
        state["conditions"] = version["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| {
                let text = |field: &str| c[field].as_str().unwrap().to_owned();
                let whole =
                    format!("{}={} {}: {}", text("type"), text("status"), text("reason"), text("message"));
                Value::from(neutral(world, &whole))
            })
            .collect();
        let revision = &version["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
        if revision.is_string() {
            state["revision"] = revision.clone();
        }
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
    states
}

fn set_states(world: &World) -> BTreeMap<String, Vec<Value>> {
    let mut states: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for version in world.versions("replicasets.apps") {
        let role = neutral(world, version["metadata"]["name"].as_str().unwrap());
        let mut state = version["status"].clone();
        state["want"] = version["spec"]["replicas"].clone();
        state["annotations"] = version["metadata"]["annotations"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, v)| (k.rsplit('/').next().unwrap_or_default().to_owned(), v.clone()))
            .collect();
        let list = states.entry(role.trim_matches(['{', '}']).to_owned()).or_default();
        if list.last() != Some(&state) {
            list.push(state);
        }
    }
    states
}

fn expected(recorded: &str) -> Value {
    serde_json::from_str(recorded).unwrap()
}

fn conditions_of(states: &[Value]) -> Vec<Value> {
    let mut seen: Vec<Value> = Vec::new();
    for state in states {
        let mut sorted: Vec<Value> = state["conditions"].as_array().unwrap().clone();
        sorted.sort_by_key(Value::to_string);
        let sorted = Value::from(sorted);
        if seen.last() != Some(&sorted) {
            seen.push(sorted);
        }
    }
    seen
}

async fn rolling_update_bad(dialect: &str, recorded: &str) {
    let world = World::start(dialect).await;
    world.create("deployments.apps", deployment("web", 3, "app:1"));
    world.pass(25).await;
    world.set_image("deployments.apps", "web", "app:bad");
    world.pass(100).await;
    let recorded = expected(recorded);
    let (ours, real) = (deployment_states(&world), recorded["deployment"].as_array().unwrap());
    assert_eq!(ours.last(), real.last());
    assert_eq!(conditions_of(&ours), conditions_of(real));
    for state in real.iter().filter(|s| s["observedGeneration"].is_i64()) {
        let known = ours.iter().any(|ours| ours == state);
        assert!(known, "never seen here: {state:#}\n{ours:#?}");
    }
    assert_eq!(json!(set_states(&world)), recorded["sets"]);
    let events: Vec<String> = world.events(&COMPONENTS).iter().map(|e| neutral(&world, e)).collect();
    assert_eq!(json!(events), recorded["events"]);
}

#[tokio::test]
async fn a_rollout_to_a_bad_image_goes_as_on_1_36() {
    rolling_update_bad(V36, include_str!("recorded/rolling-update-bad.k8s-1.36-containerd-2.1.json")).await;
}

#[tokio::test]
async fn a_rollout_to_a_bad_image_goes_as_on_1_20() {
    rolling_update_bad(V20, include_str!("recorded/rolling-update-bad.k8s-1.20-containerd-1.7.json")).await;
}

/// (old pods running, new pods not running)
fn pods_by_image(world: &World) -> (usize, usize) {
    let pods = world.list("pods");
    let bad = |p: &&Value| p["spec"]["containers"][0]["image"] == "app:bad";
    (
        pods.iter().filter(|p| !bad(p) && p["status"]["phase"] == "Running").count(),
        pods.iter().filter(bad).count(),
    )
}

#[tokio::test]
async fn old_pods_keep_serving_while_the_new_image_cannot_be_pulled() {
    for (replicas, expected) in [(1, (1, 1)), (3, (3, 1)), (4, (3, 2))] {
        let world = World::start(V36).await;
        world.create("deployments.apps", deployment("web", replicas, "app:1"));
        world.pass(10).await;
        world.set_image("deployments.apps", "web", "app:bad");
        world.pass(60).await;
        assert_eq!(pods_by_image(&world), expected, "{replicas} replicas");
    }
}

#[tokio::test]
async fn a_rollback_takes_the_old_replica_set_up_again() {
    let world = World::start(V36).await;
    world.create("deployments.apps", deployment("web", 2, "app:1"));
    world.pass(25).await;
    world.set_image("deployments.apps", "web", "app:bad");
    world.pass(50).await;
    world.set_image("deployments.apps", "web", "app:1");
    world.pass(15).await;
    let recorded = expected(include_str!("recorded/rollback.k8s-1.36-containerd-2.1.json"));
    let ours = deployment_states(&world);
    assert_eq!(ours.last(), recorded["deployment"].as_array().unwrap().last());
    assert_eq!(conditions_of(&ours), conditions_of(recorded["deployment"].as_array().unwrap()));
    let sets = set_states(&world);
    for role in ["first", "second"] {
        assert_eq!(sets[role].last(), recorded["sets"][role].as_array().unwrap().last(), "{role}");
    }
    assert_eq!(sets.len(), 2);
    let events: Vec<String> = world.events(&COMPONENTS).iter().map(|e| neutral(&world, e)).collect();
    assert_eq!(json!(events), recorded["events"]);
}

#[tokio::test]
async fn the_progress_deadline_is_noticed_when_it_has_passed() {
    let world = World::start(V36).await;
    world.create("deployments.apps", deployment("web", 1, "app:bad"));
    let reason = |world: &World| {
        let status = world.get("deployments.apps", "web").unwrap()["status"].clone();
        let progressing =
            status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Progressing").cloned();
        progressing.unwrap()
    };
    world.pass(600).await;
    assert_eq!(reason(&world)["reason"], "ReplicaSetUpdated");
    world.pass(3).await;
    let condition = reason(&world);
    assert_eq!(condition["status"], "False");
    assert_eq!(condition["reason"], "ProgressDeadlineExceeded");
    let recorded = expected(include_str!("recorded/progress-deadline.k8s-1.36-containerd-2.1.json"));
    assert_eq!(deployment_states(&world).last(), recorded["deployment"].as_array().unwrap().last());
    // A good image heals it.
    world.set_image("deployments.apps", "web", "app:1");
    world.pass(10).await;
    assert_eq!(reason(&world)["reason"], "NewReplicaSetAvailable");
}

#[tokio::test]
async fn a_good_rollout_ends_and_old_revisions_are_forgotten() {
    let world = World::start(V36).await;
    let mut web = deployment("web", 4, "app:1");
    web["spec"]["revisionHistoryLimit"] = json!(2);
    web["spec"]["minReadySeconds"] = json!(20);
    world.create("deployments.apps", web);
    world.pass(30).await;
    for n in 2..=5 {
        world.set_image("deployments.apps", "web", &format!("app:{n}"));
        world.pass(200).await;
    }
    let status = world.get("deployments.apps", "web").unwrap()["status"].clone();
    assert_eq!((&status["replicas"], &status["availableReplicas"]), (&json!(4), &json!(4)));
    let mut revisions: Vec<String> = world
        .list("replicasets.apps")
        .iter()
        .map(|s| {
            s["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str().unwrap().to_owned()
        })
        .collect();
    revisions.sort();
    assert_eq!(revisions, ["3", "4", "5"]);
    for version in world.versions("deployments.apps").iter().filter(|d| d["metadata"]["generation"] != 1) {
        let available = version["status"]["availableReplicas"].as_i64().unwrap_or(0);
        assert!(available >= 3, "{available} available: {}", version["status"]);
    }
}

/// A Deployment of type Recreate, and then another image for it.
async fn recreated(replicas: i64) -> World {
    let world = World::start(V36).await;
    let mut web = deployment("web", replicas, "app:1");
    web["spec"]["strategy"] = json!({"type": "Recreate"});
    world.create("deployments.apps", web);
    world.pass(10).await;
    world.set_image("deployments.apps", "web", "app:2");
    world.pass(10).await;
    world
}

#[tokio::test]
async fn recreate_stops_everything_before_it_starts_anything() {
    let world = recreated(2).await;
    let images: Vec<Value> =
        world.list("pods").iter().map(|p| p["spec"]["containers"][0]["image"].clone()).collect();
    assert_eq!(images, ["app:2", "app:2"]);
    let sizes: Vec<i64> =
        world.versions("deployments.apps").iter().filter_map(|d| d["status"]["replicas"].as_i64()).collect();
    assert!(sizes.iter().all(|n| *n <= 2), "{sizes:?}");
}

#[tokio::test]
async fn recreate_waits_for_pods_that_are_still_ending() {
    let world = recreated(1).await;
    let versions = world.versions("pods");
    let of = |image: &str, pod: &Value| pod["spec"]["containers"][0]["image"] == image;
    let ended = |pod: &Value| of("app:1", pod) && pod["status"]["phase"] == "Succeeded";
    // Its ReplicaSet does not count it any more from its deletion on.
    let old = versions.iter().position(ended);
    let new = versions.iter().position(|pod| of("app:2", pod));
    assert!(old.is_some() && old < new, "{old:?}, {new:?}");
}

#[tokio::test]
async fn scaling_in_mid_rollout_is_shared_and_a_pause_freezes_the_rollout() {
    let world = World::start(V36).await;
    world.create("deployments.apps", deployment("web", 4, "app:1"));
    world.pass(10).await;
    world.edit("deployments.apps", "web", |d| d["spec"]["paused"] = true.into());
    world.pass(1).await;
    world.set_image("deployments.apps", "web", "app:bad");
    world.pass(10).await;
    assert_eq!(pods_by_image(&world), (4, 0));
    let status = world.get("deployments.apps", "web").unwrap()["status"].clone();
    assert!(status["conditions"].to_string().contains("Deployment is paused"));
    world.edit("deployments.apps", "web", |d| d["spec"]["paused"] = false.into());
    world.pass(10).await;
    assert_eq!(pods_by_image(&world), (3, 2));
    world.edit("deployments.apps", "web", |d| d["spec"]["replicas"] = 8.into());
    world.pass(10).await;
    let (good, bad) = pods_by_image(&world);
    assert_eq!((good + bad, good), (10, 6), "the shares of 3 and 2 in 10");
}

#[tokio::test]
async fn a_pod_whose_label_changes_is_released_and_replaced() {
    let world = World::start(V36).await;
    world.create("deployments.apps", deployment("web", 1, "app:1"));
    world.pass(5).await;
    let name = world.list("pods")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    world.edit("pods", &name, |p| p["metadata"]["labels"]["app"] = "mine".into());
    world.pass(5).await;
    let pods = world.list("pods");
    assert_eq!(pods.len(), 2);
    let released = world.api.store().get("pods", &Key::new(NS, &name)).unwrap();
    assert!(released.value()["metadata"]["ownerReferences"].is_null());
}

#[tokio::test]
async fn of_two_sets_with_the_same_template_one_is_chosen_for_good() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    // Left behind by somebody: both are adopted, and both are of the same second.
    for name in ["left-b", "left-a"] {
        let mut set = deployment(name, 0, "app:1");
        (set["kind"], set["spec"]["template"]) = ("ReplicaSet".into(), template("web", "app:1"));
        set["metadata"]["labels"] = json!({"app": "web"});
        set["spec"]["selector"] = json!({"matchLabels": {"app": "web"}});
        world.create("replicasets.apps", set);
    }
    world.create("deployments.apps", deployment("web", 2, "app:1"));
    // It comes to rest; once it did not.
    world.settle().await;
    world.pass(30).await;
    let sets = world.list("replicasets.apps");
    let desired: Vec<_> = sets.iter().map(|set| set["spec"]["replicas"].as_i64().unwrap()).collect();
    assert_eq!(desired, [2, 0], "{sets:#?}");
    let web = world.get("deployments.apps", "web").unwrap();
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    assert_eq!(web["status"]["readyReplicas"], 2);
}
