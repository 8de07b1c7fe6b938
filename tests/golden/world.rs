//! Playing a recorded case again on the embedded cluster.
//!
//! The registries of the recordings are built up with the same names and the same faults; the clock is held
//! and stepped, so five minutes of back-off cost a fraction of a second. Only `kubectl describe` is real time.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use parking_lot::Mutex;
use pulldrill_clock::{Clock, SignedDuration, Timestamp, mailbox::mailbox, real};
use pulldrill_cluster::{
    Cluster, ClusterOptions, NodeOptions, Parts, Principal,
    api::{User, WriteOptions},
    dialect::Dialect,
    network::Network,
    store::{Change, Store, StoreChanged},
};
use pulldrill_registry::{Client, Clients};
use pulldrill_tls::Authority;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    comparison::{Recording, Version, WORKLOADS},
    describe::describe,
    ground::Ground,
    registries,
    script::{Hand, Script, manifests},
};

/// The namespace of the pods that bring images to the node beforehand.
const BEFORE: &str = "before";

/// The namespace of what was recorded in the same cluster at the same time.
pub(crate) const BESIDE: &str = "beside";

/// A pod that does nothing but have its image pulled.
fn pod_of(number: usize, image: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pod-{number}")},
        "spec": {"containers": [{"name": "app", "image": image}]}})
}

/// Who is behind a connection to a registry, as the node network says.
#[derive(Default)]
struct Nodes(Mutex<HashMap<SocketAddr, String>>);

impl Clients for Nodes {
    fn client(&self, peer: SocketAddr) -> Client {
        Client { node: self.0.lock().get(&peer).cloned(), address: IpAddr::from(registries::NAT) }
    }
}

/// Plays `case.yaml` of a recording folder under a dialect for as long as the recording took.
pub(crate) async fn play(dialect: &str, case: &str, dir: &Path, kubectl: &Path) -> Result<Recording> {
    pulldrill_tls::install_provider();
    let real = Recording::load(dir)?;
    let script = Script::of(dialect, case)?;
    let length = recorded_length(&real)?;
    // The end of the play is the present, so that kubectl's own clock computes the recorded ages.
    let start = real::now() - length - SignedDuration::from_secs(40);
    let clock = Clock::held_at(start - SignedDuration::from_hours(13));
    let stop = CancellationToken::new();
    let _ended = stop.clone().drop_guard();

    let network = Network::new();
    for (host, bytes_per_second) in &script.paces {
        network.set_pace(host, *bytes_per_second);
    }
    let nodes = Arc::new(Nodes::default());
    let seen = nodes.clone();
    network.on_connect(move |local, node| drop(seen.0.lock().insert(local, node.to_owned())));
    let authority = Arc::new(Authority::new("recordings")?);
    let registries =
        registries::start(&clock, &Ground::Embedded(&network), authority.clone(), nodes, stop.clone())
            .await?;
    registries.spoil(&script.faults)?;
    let life = SignedDuration::from_secs(script.ecr_token_seconds);
    let token = registries.ecr_token_until(&clock, start + life).await?;
    clock.advance_to(start).await;

    let options = ClusterOptions {
        seed: 11,
        nodes: vec!["node-1".into()],
        network,
        registry_authorities: vec![authority.pem().to_owned()],
        ..ClusterOptions::new(
            std::net::TcpListener::bind("127.0.0.1:0")?,
            clock.clone(),
            Dialect::named(dialect).context("no such dialect")?,
            stop,
        )
    };
    // As the recorded kubelets did.
    let one_by_one = NodeOptions { parallel_pulls: 1, ..NodeOptions::default() };
    let cluster = Cluster::start_as(options, Parts::All, one_by_one).await?;

    let api = cluster.api();
    let namespace = real.events.first().and_then(|e| e.object["involvedObject"]["namespace"].as_str());
    let namespace = namespace.context("no namespace")?;
    let recorded = record(&clock, cluster.store(), namespace.to_owned());
    for name in [namespace, BEFORE, BESIDE] {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        api.create(&User::controller("recordings"), "namespaces", "", object, &WriteOptions::default())
            .map_err(|status| anyhow!("{status}"))?;
    }
    // Time for the namespaces' service accounts.
    clock.advance_to(start + SignedDuration::from_secs(5)).await;
    let before = Hand { api, registries: &registries, namespace: BEFORE, dir };
    for (number, image) in script.present.iter().enumerate() {
        before.apply(&script, pod_of(number, image))?;
    }
    clock.advance_to(start + SignedDuration::from_secs(35)).await;
    let began = clock.now();
    *recorded.lock() = Recording::default();
    let hand = Hand { api, registries: &registries, namespace, dir };
    for mut object in manifests(&dir.join("case.yaml"))? {
        if !object["metadata"]["namespace"].is_null() {
            // The recorder applied into one namespace, so kubectl refused this one.
            continue;
        }
        if object["kind"] == "Secret" && case.starts_with("ecr-") {
            object["data"] = registries.ecr_secret(&token);
        }
        hand.apply(&script, object)?;
    }
    for step in &script.later {
        clock.advance_to(began + SignedDuration::try_from_secs_f64(step.after)?).await;
        hand.act(step).with_context(|| format!("after {} s", step.after))?;
    }
    clock.advance_to(began + length).await;
    clock.idle().await;

    let kubeconfig = cluster.kubeconfig(Principal::Admin);
    let mut recording = recorded.lock().clone();
    recording.describe = describe(kubectl, &kubeconfig, &["pods", "-n", namespace]).await?;
    for heading in real.describe.lines().filter_map(|line| line.strip_prefix("=== ")) {
        let kinds = heading.trim_end_matches(" ===");
        recording.describe.push_str(&format!("\n=== {kinds} ===\n"));
        recording.describe.push_str(&describe(kubectl, &kubeconfig, &[kinds, "-n", namespace]).await?);
    }
    Ok(recording)
}

/// Follows what happens in a namespace, in lab time.
fn record(clock: &Clock, store: &Arc<Store>, namespace: String) -> Arc<Mutex<Recording>> {
    let recording = Arc::new(Mutex::new(Recording::default()));
    let (changed, mut changes) = mailbox::<StoreChanged>(clock);
    let mut seen = store.revision();
    store.subscribe(changed);
    let (store, clock, into) = (store.clone(), clock.clone(), recording.clone());
    tokio::spawn(async move {
        while let Some((StoreChanged, _busy)) = changes.recv().await {
            let at = clock.now().duration_since(Timestamp::UNIX_EPOCH).as_secs_f64();
            for event in store.events_since(seen).unwrap_or_default() {
                seen = event.revision;
                let object = event.object.value().clone();
                if event.change == Change::Deleted || object["metadata"]["namespace"] != *namespace {
                    continue;
                }
                let mut recording = into.lock();
                match &*event.resource {
                    "events" => recording.events.push(Version { at, object }),
                    "pods" => recording.pods.push(object),
                    _ if object["kind"].as_str().is_some_and(|kind| WORKLOADS.contains(&kind)) => {
                        recording.workloads.push(Version { at, object });
                    }
                    _ => {}
                }
            }
        }
    });
    recording
}

/// For how long a case was recorded. The pod in question was as old at the end as `describe` says; where that
/// shows no events, or another pod of that name, the last event was about then.
fn recorded_length(recording: &Recording) -> Result<SignedDuration> {
    const AFTER_THE_LAST_EVENT: SignedDuration = SignedDuration::from_secs(8);
    let uid = recording.pod_in_question().context("no pod")?;
    let begin = recording.events.first().context("no events")?.at;
    let mine = recording.events.iter().find(|e| e.object["involvedObject"]["uid"] == *uid);
    let mine = mine.context("no events of the pod")?;
    let name = mine.object["involvedObject"]["name"].as_str().unwrap_or_default();
    let last = recording.pods.iter().rfind(|pod| pod["metadata"]["name"] == name);
    let described = format!("\n{}", recording.describe);
    let block = described.split("\nName:").find(|block| block.lines().next().map(str::trim) == Some(name));
    let block = block.filter(|_| last.is_some_and(|pod| pod["metadata"]["uid"] == *uid));
    if let Some(line) = block.and_then(|block| block.lines().find(|l| l.contains("default-scheduler"))) {
        let age = line.split_whitespace().nth(2).context("no age")?;
        let age: SignedDuration = age.parse().with_context(|| format!("age {age}"))?;
        return Ok(age + SignedDuration::try_from_secs_f64(mine.at - begin)?);
    }
    let end = recording.events.last().context("no events")?.at;
    Ok(SignedDuration::try_from_secs_f64(end - begin)? + AFTER_THE_LAST_EVENT)
}
