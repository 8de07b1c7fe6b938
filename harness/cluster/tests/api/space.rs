//! A store that gets full: what is refused and how, what controllers make of it, and that it can be emptied again.

use http::Method;
use pulldrill_cluster::store::Key;
use serde_json::{Value, json};

use crate::world::{Client, World, config_map};

/// What etcd says.
const FULL: &str = "etcdserver: mvcc: database space exceeded";
/// Room for some hundred pods beside what a cluster begins with.
const QUOTA: u64 = 12 << 20;
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment(replicas: i64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "registry.example/shop/web:1"}]}}}})
}

async fn create(admin: &Client, name: &str) -> (u16, Value) {
    let answer = admin.post("/api/v1/namespaces/default/configmaps", &config_map(name, &json!({}))).await;
    (answer.code, answer.json())
}

async fn scale(admin: &Client, replicas: i64) {
    let wanted = json!({"spec": {"replicas": replicas}});
    let answer = admin.patch(&format!("{DEPLOYMENTS}/web/scale"), "merge-patch+json", &wanted).await;
    assert_eq!(answer.code, 200, "{}", answer.message());
}

/// Waits until the store is as a test wants it.
async fn until(world: &World, what: &str, reached: impl Fn(&World) -> bool) {
    let mut follow = world.cluster.store().follow();
    while !reached(world) {
        let changed =
            pulldrill_clock::real::timeout(std::time::Duration::from_secs(60), follow.changed()).await;
        changed.unwrap_or_else(|| panic!("not {what}: {:?}", world.cluster.space())).unwrap();
    }
}

fn set(world: &World) -> Option<Value> {
    world.cluster.api().list("replicasets.apps", None).first().map(|set| set.value().clone())
}

fn failure(world: &World) -> Option<Value> {
    let set = set(world)?;
    let conditions = set["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == "ReplicaFailure").cloned()
}

#[tokio::test]
async fn a_million_replicas_fill_the_store_and_scaling_down_empties_it() {
    let set_quota = |options: &mut pulldrill_cluster::ClusterOptions| {
        (options.quota, options.most_pods) = (QUOTA, None);
    };
    let clock = pulldrill_clock::Clock::live();
    let world =
        World::with(clock, pulldrill_cluster::Parts::All, crate::world::NEWEST, &["node-1"], set_quota).await;
    let admin = world.admin();
    let begun = world.cluster.space().used();
    assert_eq!(admin.post(DEPLOYMENTS, &deployment(1_000_000)).await.code, 201);
    until(&world, "full", |world| failure(world).is_some()).await;

    // As controllers say of whatever an API server answers.
    let condition = failure(&world).unwrap();
    assert_eq!((&condition["reason"], &condition["message"]), (&json!("FailedCreate"), &json!(FULL)));
    let pods = world.cluster.store().count("pods");
    assert!((100..2_000).contains(&pods), "{pods} pods");
    let space = world.cluster.space();
    assert!(space.used() <= QUOTA + QUOTA / 8 && space.past() <= QUOTA, "{space:?}");
    // It waits longer each time: a controller that spins would have been told no thousands of times.
    let told = world.cluster.api().list("events", Some("default"));
    let failed: Vec<_> = told.iter().filter(|event| event.value()["reason"] == "FailedCreate").collect();
    for event in &failed {
        assert_eq!(event.value()["message"], format!("Error creating: {FULL}"));
    }

    // Whatever is left is soon used up by what is small; then clients get what etcd says, and nothing more.
    let mut refused = None;
    for n in 0..10_000 {
        let (code, answer) = create(&admin, &format!("small-{n}")).await;
        if code != 201 {
            refused = Some((code, answer));
            break;
        }
    }
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": FULL, "code": 500});
    assert_eq!(refused, Some((500, status)));
    let dry =
        admin.post("/api/v1/namespaces/default/configmaps?dryRun=All", &config_map("dry", &json!({}))).await;
    assert_eq!(dry.code, 201, "what is not stored needs no room");
    assert_eq!(admin.ask(Method::PUT, "/clusters/one-more", &[], "").await.code, 500);
    assert_eq!(admin.get("/api/v1/namespaces/default/pods").await.code, 200);

    scale(&admin, 0).await;
    until(&world, "empty", |world| world.cluster.store().count("pods") == 0).await;
    assert_eq!(create(&admin, "again").await.0, 201);
    until(&world, "well", |world| failure(world).is_none()).await;
    scale(&admin, 3).await;
    until(&world, "three", |world| world.cluster.store().count("pods") == 3).await;

    let gone = admin.delete("/api/v1/namespaces/default/configmaps").await;
    assert_eq!(gone.code, 200);
    admin.delete(&format!("{DEPLOYMENTS}/web")).await;
    until(&world, "as at the beginning", |world| world.cluster.store().count("pods") == 0).await;
    assert!(admin.delete("/api/v1/namespaces/default/events").await.code == 200);
    assert!(world.cluster.space().used() < begun + QUOTA / 20, "{begun}: {:?}", world.cluster.space());
    world.end().await;
}

#[tokio::test]
async fn a_namespace_of_a_full_store_can_be_deleted() {
    let world = World::of_quota(&["node-1"], QUOTA).await;
    let admin = world.admin();
    let made = admin.post("/api/v1/namespaces", &json!({"metadata": {"name": "many"}})).await;
    assert_eq!(made.code, 201);
    let maps = "/api/v1/namespaces/many/configmaps";
    let mut large = config_map("", &json!({}));
    large["data"]["text"] = "x".repeat(200_000).into();
    large["metadata"] = json!({"generateName": "large-", "finalizers": ["example.com/kept"]});
    while admin.post(maps, &large).await.code == 201 {}
    while admin.post(maps, &config_map("", &json!({}))).await.code == 201 {}
    assert_eq!(admin.delete("/api/v1/namespaces/many").await.code, 200);
    // Marked, all of them, and held by nothing but the finalizer.
    let marked = |world: &World| {
        let maps = world.cluster.api().list("configmaps", Some("many"));
        maps.iter().all(|map| !map.meta("deletionTimestamp").is_empty())
    };
    until(&world, "marked", marked).await;
    for map in world.cluster.api().list("configmaps", Some("many")) {
        let freed = json!({"metadata": {"finalizers": null}});
        let answer = admin.patch(&format!("{maps}/{}", map.meta("name")), "merge-patch+json", &freed).await;
        assert_eq!(answer.code, 200, "{}", answer.message());
    }
    let there = |world: &World| world.cluster.store().get("namespaces", &Key::new("", "many")).is_some();
    until(&world, "gone", |world| !there(world)).await;
    assert_eq!(create(&admin, "new").await.0, 201);
    world.end().await;
}

#[tokio::test]
async fn a_virtual_cluster_gives_back_what_it_had() {
    let world = World::of_quota(&[], QUOTA).await;
    let admin = world.admin();
    let own = || {
        let store = world.cluster.store();
        let objects = store.resources().into_iter().flat_map(|resource| store.list(&resource, None).0);
        objects.map(|object| object.weight()).sum::<u64>()
    };
    for n in 0..3 {
        let made = admin.ask(Method::PUT, "/clusters/one", &[], "").await;
        assert_eq!(made.code, 201, "{n}: {}", made.message());
        assert!(world.cluster.space().used() > own() + 100_000);
        let maps = "/clusters/one/api/v1/namespaces/default/configmaps";
        assert_eq!(admin.post(maps, &config_map("c", &json!({}))).await.code, 201);
        assert_eq!(admin.delete("/clusters/one").await.code, 200);
        while world.cluster.space().used() != own() {
            tokio::task::yield_now().await;
        }
    }
    world.end().await;
}
