//! One node, one registry, a clock that is stepped, and a tape of everything that happens to pods.

use std::sync::Arc;

use parking_lot::Mutex;
use pulldrill_clock::{Clock, SignedDuration, Timestamp, mailbox};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{Api, DeleteOptions, User, WriteOptions},
    dialect::Dialect,
    engine::Engine,
    kubelet::{Fleet, KubeletOptions, Logs, NodeOptions, Pullers},
    puller::fake::Fake,
    store::{Change, Key, Store},
};

pub(super) const NEW: &str = "k8s-1.36-containerd-2.1";
pub(super) const OLD: &str = "k8s-1.20-containerd-1.7";
pub(super) const CRIO: &str = "k8s-1.31-cri-o-1.31";

/// What was seen, with the seconds since the world began.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) at: f64,
    pub(super) what: String,
}

pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) api: Arc<Api>,
    pub(super) fake: Arc<Fake>,
    pub(super) logs: Arc<Logs>,
    pub(super) pullers: Pullers,
    began: Timestamp,
    /// The store's, before anything happened.
    revision: u64,
    tape: Arc<Mutex<Vec<Seen>>>,
    options: KubeletOptions,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub(super) async fn new(dialect: &str, seed: u64) -> Self {
        Self::with_clock(dialect, seed, held()).await
    }

    pub(super) async fn with_clock(dialect: &str, seed: u64, clock: Clock) -> Self {
        let serial = NodeOptions { parallel_pulls: 1, ..NodeOptions::default() };
        Self::with_nodes(dialect, seed, clock, serial).await
    }

    pub(super) async fn with_nodes(
        dialect: &str,
        seed: u64,
        clock: Clock,
        nodes_options: NodeOptions,
    ) -> Self {
        let hosts = ["registry.lab.test", "private.lab.test", "registry-1.docker.io", "auth.docker.io"];
        let fake = Fake::start(&hosts).await;
        let began = clock.now();
        let store = Arc::new(Store::new(100_000));
        let revision = store.revision();
        let api = Arc::new(Api::new(store.clone(), clock.clone()));
        let pullers = Pullers::default();
        let (logs, stop) = (Arc::new(Logs::default()), CancellationToken::new());
        let options = KubeletOptions {
            api: api.clone(),
            clock: clock.clone(),
            seed,
            dialect: Dialect::named(dialect).unwrap(),
            network: fake.network.clone(),
            authorities: vec![fake.pem().to_owned()],
            nodes: nodes_options,
            logs: logs.clone(),
            runtime: Arc::new(crate::runtime::Runtime::new(clock.clone())),
            pullers: pullers.clone(),
        };
        run(&options, &stop);
        let tape = Arc::new(Mutex::new(Vec::new()));
        record(&clock, &store, began, tape.clone());
        Self { clock, api, fake, logs, pullers, began, revision, tape, options, stop }
    }

    /// Ends the process that the node is simulated in.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends it if need be, and starts another one with the same store.
    pub(super) fn restart(&mut self) {
        self.stop();
        self.stop = CancellationToken::new();
        self.options.runtime = Arc::new(crate::runtime::Runtime::new(self.clock.clone()));
        run(&self.options, &self.stop);
    }

    pub(super) fn runtime(&self) -> &crate::runtime::Runtime {
        &self.options.runtime
    }

    pub(super) fn create(&self, resource: &str, object: Value) {
        let options = WriteOptions::default();
        self.api.create(&User::controller("test"), resource, "shop", object, &options).unwrap();
    }

    /// A pod on the node with one container, changed by `more`.
    pub(super) fn pod(&self, name: &str, image: &str, more: Value) {
        let mut spec = json!({
            "nodeName": "node-1",
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "containers": [{"name": "app", "image": image, "imagePullPolicy": "IfNotPresent"}],
        });
        merge(&mut spec, more);
        let status = json!({"phase": "Pending", "qosClass": "BestEffort", "conditions": [
            {"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": "2027-01-15T08:00:00Z"}]});
        self.create(
            "pods",
            json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop"}, "spec": spec, "status": status}),
        );
    }

    /// A docker config secret of that content.
    pub(super) fn secret(&self, name: &str, config: &str) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        self.create(
            "secrets",
            json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": "shop"}, "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": STANDARD.encode(config)}}),
        );
    }

    pub(super) async fn run(&self, seconds: i64) {
        self.clock.advance_to(self.clock.now() + SignedDuration::from_secs(seconds)).await;
        self.clock.idle().await;
    }

    pub(super) fn edit(&self, pod: &str, change: impl Fn(&mut Value)) {
        self.api.modify(&User::controller("test"), "pods", &key(pod), None, change).unwrap();
    }

    pub(super) fn delete(&self, pod: &str) {
        let user = User::controller("test");
        self.api.delete(&user, "pods", &key(pod), &DeleteOptions::default()).unwrap();
    }

    pub(super) fn get(&self, pod: &str) -> Option<Value> {
        self.api.store().get("pods", &key(pod)).map(|pod| pod.value().clone())
    }

    /// What happened to a pod: `Reason xN message` and `state …` lines.
    pub(super) fn tape(&self, pod: &str) -> Vec<Seen> {
        let mine = format!("{pod}: ");
        let tape = self.tape.lock();
        tape.iter()
            .filter_map(|s| Some(Seen { at: s.at, what: s.what.strip_prefix(&mine)?.to_owned() }))
            .collect()
    }

    /// The same without times.
    pub(super) fn story(&self, pod: &str) -> Vec<String> {
        self.tape(pod).into_iter().map(|s| s.what).collect()
    }

    /// Every status that a pod has had.
    pub(super) fn statuses(&self, pod: &str) -> Vec<Value> {
        let events = self.api.store().events_since(self.revision).unwrap();
        let mine = events.iter().filter(|e| &*e.resource == "pods" && e.key == key(pod));
        mine.map(|e| e.object.value()["status"].clone()).collect()
    }

    /// The waiting messages that a pod's status has shown, each once.
    pub(super) fn messages(&self, pod: &str) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        for event in self.api.store().events_since(self.revision).unwrap() {
            let containers = &event.object.value()["status"]["containerStatuses"];
            let message =
                containers[0]["state"]["waiting"]["message"].as_str().unwrap_or_default().to_owned();
            if event.key == key(pod) && !message.is_empty() && !seen.contains(&message) {
                seen.push(message);
            }
        }
        seen
    }

    /// The latest count of an event by the start of its line.
    pub(super) fn count(&self, pod: &str, message: &str) -> u64 {
        let all = self.api.store().list("events", Some("shop")).0;
        let found = all.iter().find(|e| {
            e.value()["involvedObject"]["name"] == pod
                && e.value()["message"].as_str().is_some_and(|m| m.starts_with(message))
        });
        found.map_or(0, |e| e.value()["count"].as_u64().unwrap())
    }

    pub(super) fn began(&self) -> Timestamp {
        self.began
    }
}

/// Runs the node.
fn run(options: &KubeletOptions, stop: &CancellationToken) {
    let controllers = vec![Fleet::new(options.clone()).unwrap().add("node-1", false).unwrap()];
    let store = options.api.store().clone();
    tokio::spawn(Engine::new(store, &options.clock, controllers, stop.clone()).run());
}

/// A clock that is stepped.
pub(super) fn held() -> Clock {
    Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap())
}

pub(super) fn key(name: &str) -> Key {
    Key::new("shop", name)
}

/// What a condition says: its status, reason and message.
pub(super) fn condition(status: &Value, kind: &str) -> (String, String, String) {
    let all = status["conditions"].as_array().unwrap();
    let one = all.iter().find(|c| c["type"] == kind).unwrap();
    let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

/// A condition that says so.
pub(super) fn is(status: &str, reason: &str, message: &str) -> (String, String, String) {
    (status.to_owned(), reason.to_owned(), message.to_owned())
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(more)) if into.len() == more.len() => {
            into.iter_mut().zip(more).for_each(|(into, more)| merge(into, more));
        }
        (into, more) => *into = more,
    }
}

/// Writes the tape: every event as it is counted, every new state of a pod's containers.
fn record(clock: &Clock, store: &Arc<Store>, began: Timestamp, tape: Arc<Mutex<Vec<Seen>>>) {
    let (sender, mut changes) = mailbox::mailbox(clock);
    store.subscribe(sender);
    let (clock, store) = (clock.clone(), store.clone());
    let mut seen = store.revision();
    tokio::spawn(async move {
        let mut states = std::collections::HashMap::new();
        while let Some((_, _busy)) = changes.recv().await {
            let at = clock.now().duration_since(began).as_secs_f64();
            let Ok(events) = store.events_since(seen) else {
                seen = store.revision();
                continue;
            };
            for event in events {
                seen = event.revision;
                let object = event.object.value();
                let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
                let what = match (&*event.resource, event.change) {
                    ("pods", Change::Deleted) => format!("{}: gone", event.key.name),
                    ("pods", _) => {
                        let state = format!("{}: state {}", event.key.name, state(object));
                        if states.insert(event.key.clone(), state.clone()).as_ref() == Some(&state) {
                            continue;
                        }
                        state
                    }
                    ("events", change) if change != Change::Deleted => format!(
                        "{}: {} x{} {}",
                        text(&object["involvedObject"]["name"]),
                        text(&object["reason"]),
                        object["count"],
                        text(&object["message"])
                    ),
                    _ => continue,
                };
                tape.lock().push(Seen { at, what });
            }
        }
    });
}

/// `Pending app=waiting:ErrImagePull`
fn state(pod: &Value) -> String {
    let mut out = pod["status"]["phase"].as_str().unwrap_or_default().to_owned();
    for list in ["initContainerStatuses", "containerStatuses"] {
        for container in pod["status"][list].as_array().into_iter().flatten() {
            let (kind, detail) = container["state"].as_object().unwrap().iter().next().unwrap();
            let reason = detail["reason"].as_str().map(|r| format!(":{r}")).unwrap_or_default();
            out += &format!(" {}={kind}{reason}", container["name"].as_str().unwrap());
        }
    }
    out
}
