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
use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use pulldrill_clock::{Clock, SignedDuration, Timestamp, mailbox::mailbox, real};
use pulldrill_cluster::{
    Cluster, ClusterOptions, Principal,
    api::{User, WriteOptions},
    dialect::Dialect,
    network::Network,
    store::{Change, Key, Store, StoreChanged},
};
use pulldrill_registry::{Client, Clients};
use pulldrill_tls::Authority;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    comparison::{EventChange, Recording},
    describe::describe,
    registries::{self, Registries},
};

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
    let length = recorded_length(&Recording::load(dir)?)?;
    // The end of the play is the present, so that kubectl's own clock computes the recorded ages.
    let start = real::now() - length - SignedDuration::from_secs(40);
    let clock = Clock::held_at(start - SignedDuration::from_hours(13));
    let stop = CancellationToken::new();
    let _ended = stop.clone().drop_guard();

    let network = Network::new();
    let nodes = Arc::new(Nodes::default());
    let seen = nodes.clone();
    network.on_connect(move |local, node| drop(seen.0.lock().insert(local, node.to_owned())));
    let authority = Arc::new(Authority::new("recordings")?);
    let registries = registries::start(&clock, &network, authority.clone(), nodes, stop.clone()).await?;
    let life = if case == "ecr-expired" { -3600 } else { 65 };
    let token = registries.ecr_token(&clock, start + SignedDuration::from_secs(life)).await?;
    clock.advance_to(start).await;

    let cluster = Cluster::start(ClusterOptions {
        listener: std::net::TcpListener::bind("127.0.0.1:0")?,
        clock: clock.clone(),
        seed: 11,
        dialect: Dialect::named(dialect).context("no such dialect")?,
        nodes: vec!["node-1".into()],
        network,
        registry_authorities: vec![authority.pem().to_owned()],
        stop,
    })
    .await?;
    let recorded = record(&clock, cluster.store());

    let admin = User::controller("recordings");
    let api = cluster.api();
    let create = |resource: &str, namespace: &str, object: Value| {
        api.create(&admin, resource, namespace, object, &WriteOptions::default())
            .map_err(|status| anyhow!("{resource}: {status}"))
    };
    create("namespaces", "", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case}}))?;
    clock.advance_to(start + SignedDuration::from_secs(35)).await;
    let began = clock.now();
    for mut object in manifests(&dir.join("case.yaml"))? {
        if !object["metadata"]["namespace"].is_null() {
            // The recorder applied into one namespace, so kubectl refused this one.
            continue;
        }
        if object["kind"] == "Secret" && case.starts_with("ecr-") {
            let config = Registries::docker_config(&token).to_string();
            object["data"] = json!({".dockerconfigjson": STANDARD.encode(config)});
        }
        create(resource_of(&object)?, case, object)?;
    }
    if let Some((_, after, change)) = LATER.iter().find(|(of, ..)| *of == case) {
        clock.advance_to(began + SignedDuration::from_millis(*after)).await;
        api.modify(&admin, "deployments.apps", &Key::new(case, "web"), None, change)
            .map_err(|status| anyhow!("{case}: {status}"))?;
    }
    clock.advance_to(clock.now() + length).await;
    clock.idle().await;

    let kubeconfig = cluster.kubeconfig(Principal::Admin);
    let mut recording = recorded.lock().clone();
    for (number, kinds) in DESCRIBED.iter().take(if recorded_deployment(dir)? { 3 } else { 1 }).enumerate() {
        if number > 0 {
            recording.describe.push_str(&format!("\n=== {kinds} ===\n"));
        }
        recording.describe.push_str(&describe(kubectl, &kubeconfig, &[kinds, "-n", case]).await?);
    }
    Ok(recording)
}

/// What was done to a case's Deployment later, after so many milliseconds.
type Later = (&'static str, i64, fn(&mut Value));

const LATER: &[Later] = &[
    // Two replicas run, the token expires after half a minute, a third replica is asked for.
    ("ecr-expired-running", 35_200, |web| web["spec"]["replicas"] = json!(3)),
];

/// What the recordings describe, in their order; the latter two only where there is a Deployment.
const DESCRIBED: [&str; 3] = ["pods", "deployments", "replicasets"];

/// Follows events and pods in lab time.
fn record(clock: &Clock, store: &Arc<Store>) -> Arc<Mutex<Recording>> {
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
                match &*event.resource {
                    "events" if event.change != Change::Deleted => {
                        into.lock().events.push(EventChange { at, object });
                    }
                    "pods" if event.change != Change::Deleted => into.lock().pods.push(object),
                    _ => {}
                }
            }
        }
    });
    recording
}

fn recorded_deployment(dir: &Path) -> Result<bool> {
    Ok(manifests(&dir.join("case.yaml"))?.iter().any(|object| object["kind"] == "Deployment"))
}

fn manifests(path: &Path) -> Result<Vec<Value>> {
    Ok(serde_saphyr::from_multiple(&std::fs::read_to_string(path)?)?)
}

fn resource_of(object: &Value) -> Result<&'static str> {
    match object["kind"].as_str() {
        Some("Pod") => Ok("pods"),
        Some("Secret") => Ok("secrets"),
        Some("Deployment") => Ok("deployments.apps"),
        other => Err(anyhow!("no resource for kind {other:?}")),
    }
}

/// How long the failing pod had been there when the recording ended: the age of its Scheduled event in
/// `describe`, or, where that shows no events, the time from its first event to the last one.
fn recorded_length(recording: &Recording) -> Result<SignedDuration> {
    let block = recording.describe.split("\nName:").find(|block| block.contains("Error: ErrImagePull"));
    if let Some(line) = block.and_then(|block| block.lines().find(|l| l.contains("default-scheduler"))) {
        let age = line.split_whitespace().nth(2).context("no age")?;
        return age.parse().with_context(|| format!("age {age}"));
    }
    let pod = recording.failing_pod().context("no failing pod")?;
    let first = recording.events.iter().find(|e| e.object["involvedObject"]["name"] == *pod);
    let (first, last) = first.zip(recording.events.last()).context("no events")?;
    Ok(SignedDuration::try_from_secs_f64(last.at - first.at)?)
}
