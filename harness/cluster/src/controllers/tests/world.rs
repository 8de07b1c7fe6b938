//! A cluster of two nodes without an API server's HTTP and without real pulls.

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use pulldrill_clock::Clock;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{Api, ApiOptions, DeleteOptions, Status, User, WriteOptions},
    dialect::Dialect,
    engine::{Context, Controller, Engine, Queue},
    release::Release,
    store::{Change, Event, Key, Space, Store, Stored},
};

/// A running cluster; it ends with this value.
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) api: Arc<Api>,
    stop: CancellationToken,
    start: u64,
}

/// The namespace of the tests.
pub(super) const NS: &str = "shop";

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub(super) async fn start(dialect: &str) -> Self {
        Self::within(dialect, Space::unlimited()).await
    }

    /// One with so much room for objects.
    pub(super) async fn within(dialect: &str, space: Space) -> Self {
        let clock = Clock::held_at(Timestamp::from_second(1_795_380_000).unwrap());
        let store = Arc::new(Store::within(100_000, space.account()));
        let options = ApiOptions {
            admission: true,
            service_accounts: true,
            seed: 7,
            release: Release::of(&Dialect::named(dialect).unwrap().server),
            ..ApiOptions::default()
        };
        let api = Arc::new(Api::with_options(store.clone(), clock.clone(), options));
        let stop = CancellationToken::new();
        let dialect = Dialect::named(dialect).unwrap();
        let mut controllers = super::super::all(&api, &dialect);
        controllers.push(super::super::scheduler(&api, &dialect, 7));
        controllers.push(Box::new(FakeKubelet {
            api: api.clone(),
            starts: HashMap::new(),
            ends: HashMap::new(),
        }));
        let start = store.revision();
        tokio::spawn(Engine::new(store, &clock, controllers, stop.clone()).run());
        let world = Self { clock, api, stop, start };
        for node in ["node-1", "node-2"] {
            world.create(
                "nodes",
                json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node,
                "labels": {"kubernetes.io/hostname": node}}, "spec": {}}),
            );
        }
        for namespace in ["kube-system", NS] {
            let metadata = json!({"name": namespace});
            world
                .create("namespaces", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
        }
        world.settle().await;
        world
    }

    pub(super) fn user() -> User {
        User::named("trainee", &["system:masters"])
    }

    fn namespace_of(resource: &str) -> &'static str {
        if matches!(resource, "nodes" | "namespaces") { "" } else { NS }
    }

    fn key(resource: &str, name: &str) -> Key {
        Key::new(Self::namespace_of(resource), name)
    }

    pub(super) fn create(&self, resource: &str, object: Value) -> Arc<Stored> {
        let namespace = Self::namespace_of(resource);
        self.api.create(&Self::user(), resource, namespace, object, &WriteOptions::default()).unwrap()
    }

    pub(super) fn edit(&self, resource: &str, name: &str, change: impl Fn(&mut Value)) {
        let key = Self::key(resource, name);
        self.api.modify(&Self::user(), resource, &key, None, change).unwrap();
    }

    pub(super) fn set_image(&self, resource: &str, name: &str, image: &str) {
        self.edit(resource, name, |object| {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
        });
    }

    pub(super) fn delete(&self, resource: &str, name: &str, policy: &str) {
        let options = DeleteOptions { propagation_policy: Some(policy.into()), ..DeleteOptions::default() };
        self.api.delete(&Self::user(), resource, &Self::key(resource, name), &options).unwrap();
    }

    pub(super) fn get(&self, resource: &str, name: &str) -> Option<Value> {
        Some(self.api.store().get(resource, &Self::key(resource, name))?.value().clone())
    }

    pub(super) fn list(&self, resource: &str) -> Vec<Value> {
        let namespace = Some(Self::namespace_of(resource)).filter(|ns| !ns.is_empty());
        self.api.store().list(resource, namespace).0.iter().map(|o| o.value().clone()).collect()
    }

    /// Waits until everything that belongs to this instant has been done.
    pub(super) async fn settle(&self) {
        self.clock.idle().await;
    }

    pub(super) async fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds)).await;
    }

    /// Every version that the objects of a resource have had, in order.
    pub(super) fn versions(&self, resource: &str) -> Vec<Value> {
        let events = self.api.store().events_since(self.start).unwrap();
        events
            .iter()
            .filter(|e| &*e.resource == resource && e.change != Change::Deleted)
            .map(|e| e.object.value().clone())
            .collect()
    }

    /// `Type Reason Kind/name message xN` of the events of these components, in the order of writing.
    pub(super) fn events(&self, components: &[&str]) -> Vec<String> {
        let mut order: Vec<String> = Vec::new();
        for event in self.versions("events") {
            let name = event["metadata"]["name"].as_str().unwrap().to_owned();
            if !order.contains(&name) {
                order.push(name);
            }
        }
        let mut events: Vec<Value> = order.iter().filter_map(|name| self.get("events", name)).collect();
        events.retain(|e| components.iter().any(|c| e["source"]["component"] == *c));
        events
            .iter()
            .map(|e| {
                let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
                let count =
                    e["count"].as_i64().filter(|n| *n > 1).map(|n| format!(" x{n}")).unwrap_or_default();
                let kind = text(&e["involvedObject"]["kind"]);
                format!("{} {} {kind} {}{count}", text(&e["type"]), text(&e["reason"]), text(&e["message"]))
            })
            .collect()
    }
}

pub(super) fn deployment(name: &str, replicas: i64, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(name, image)},
        "status": {}})
}

pub(super) fn template(name: &str, image: &str) -> Value {
    json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": image}]}})
}

/// Runs pods a second after they get a node, one after the other; an image tagged `bad` never comes,
/// one tagged `done` or `fail` ends at once.
struct FakeKubelet {
    api: Arc<Api>,
    starts: HashMap<Key, Timestamp>,
    ends: HashMap<Key, Timestamp>,
}

impl FakeKubelet {
    fn start(&self, pod: &Value, now: Timestamp) {
        let time = super::super::json::stamp(now);
        let image = pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
        let ended = |code: i64| json!({"terminated": {"exitCode": code, "finishedAt": time}});
        let (phase, ready, state) = match image.rsplit(':').next() {
            Some("bad") => {
                ("Pending", "False", json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}}))
            }
            Some("done") => ("Succeeded", "False", ended(0)),
            Some("fail") => ("Failed", "False", ended(1)),
            _ => ("Running", "True", json!({"running": {"startedAt": time}})),
        };
        let key = Key::of(pod);
        let written = self.api.modify(&User::controller("kubelet"), "pods", &key, Some("status"), |pod| {
            // A pod that was bound when it was made has none.
            if pod["status"]["conditions"].is_null() {
                pod["status"]["conditions"] = json!([]);
            }
            let conditions = pod["status"]["conditions"].as_array_mut().unwrap();
            conditions.retain(|c| c["type"] != "Ready");
            conditions.push(json!({"type": "Ready", "status": ready, "lastTransitionTime": time}));
            pod["status"]["phase"] = phase.into();
            pod["status"]["podIP"] = "10.244.0.9".into();
            pod["status"]["containerStatuses"] =
                json!([{"name": "c", "ready": ready == "True", "restartCount": 0, "state": state}]);
        });
        tolerate(written);
    }
}

/// What the store has no room for is not seen.
fn tolerate(written: Result<Arc<Stored>, Status>) {
    if let Err(status) = written {
        assert_eq!(status, Status::full());
    }
}

impl FakeKubelet {
    /// A pod stops half a second after its deletion, and is gone after another half.
    fn end(&mut self, pod: &Value, key: &Key, context: &Context) {
        let now = context.clock.now();
        let half = SignedDuration::from_millis(500);
        let begun = *self.ends.entry(key.clone()).or_insert_with(|| {
            context.again_at(key.clone(), now + half);
            context.again_at(key.clone(), now + 2 * half);
            now
        });
        let user = User::controller("kubelet");
        if now >= begun + 2 * half {
            let at_once = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
            self.api.delete(&user, "pods", key, &at_once).unwrap();
        } else if now >= begun + half {
            let ended = if pod["status"]["phase"] == "Running" { "Succeeded" } else { "Failed" };
            let stopped = self.api.modify(&user, "pods", key, Some("status"), |pod| {
                pod["status"]["phase"] = ended.into();
                for condition in pod["status"]["conditions"].as_array_mut().unwrap() {
                    if condition["type"] == "Ready" {
                        condition["status"] = "False".into();
                    }
                }
            });
            tolerate(stopped);
        }
    }
}

impl Controller for FakeKubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        if &*event.resource == "pods" && event.change != Change::Deleted {
            queue.add(event.key.clone());
        }
        if event.change == Change::Deleted {
            self.starts.remove(&event.key);
            self.ends.remove(&event.key);
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let Some(pod) = self.api.store().get("pods", key) else { return };
        let pod = pod.value();
        if pod["metadata"]["deletionTimestamp"].is_string() {
            self.end(pod, key, context);
        } else if pod["spec"]["nodeName"].is_string() && pod["status"]["containerStatuses"].is_null() {
            let now = context.clock.now();
            let at = match self.starts.get(key) {
                Some(at) => *at,
                None => {
                    let running =
                        i64::try_from(self.starts.values().filter(|at| **at > now).count()).unwrap();
                    let at = now + SignedDuration::from_millis(1000 + 50 * running);
                    self.starts.insert(key.clone(), at);
                    context.again_at(key.clone(), at);
                    at
                }
            };
            if now >= at {
                self.start(pod, context.clock.shown_now());
            }
        }
    }
}
