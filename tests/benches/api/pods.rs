//! How many pods a second the embedded cluster brings to the state in which an image can't be pulled.

use std::{net::TcpListener, time::Duration};

use anyhow::{Result, ensure};
use pulldrill_clock::{Clock, SignedDuration, real};
use pulldrill_cluster::{
    Cluster, ClusterOptions,
    api::{User, WriteOptions},
    dialect::Dialect,
    store::Key,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// How many pods, on how many nodes.
const PODS: usize = 2_000;
const NODES: usize = 20;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Creates pods whose registry has no address, and waits until all of them are in `ImagePullBackOff`.
pub(crate) async fn until_back_off() -> Result<(usize, Duration)> {
    let stop = CancellationToken::new();
    // What kubelets wait for on their own account is skipped: how much they get done is asked for.
    let clock = Clock::held_at(real::now());
    let cluster = Cluster::start(ClusterOptions {
        nodes: (1..=NODES).map(|n| format!("node-{n}")).collect(),
        ..ClusterOptions::new(
            TcpListener::bind("127.0.0.1:0")?,
            clock.clone(),
            Dialect::named("k8s-1.36-containerd-2.1").unwrap_or_else(|| unreachable!("it is built in")),
            stop.clone(),
        )
    })
    .await?;
    let account = Key::new("default", "default");
    while cluster.api().get("serviceaccounts", &account).is_err() {
        clock.idle().await;
        real::sleep(Duration::from_millis(1)).await;
    }
    let who = User::named("bench", &["system:masters"]);
    let watch = real::stopwatch();
    for n in 0..PODS {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pod-{n}")},
            "spec": {"containers": [{"name": "main", "image": format!("registry.bench.example/app:v{n}")}]}});
        let created = cluster.api().create(&who, "pods", "default", pod, &WriteOptions::default());
        created.map_err(|status| anyhow::anyhow!("{status}"))?;
    }
    loop {
        let pods = cluster.api().list("pods", Some("default"));
        let waiting = pods.iter().filter(|pod| {
            pod.value()["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
        });
        let waiting = waiting.count();
        if waiting == PODS {
            break;
        }
        ensure!(watch.elapsed() < PATIENCE, "only {waiting} of {PODS} pods after {PATIENCE:?}");
        clock.idle().await;
        clock.advance(SignedDuration::from_secs(1)).await;
    }
    let time = watch.elapsed();
    stop.cancel();
    cluster.ended().await;
    Ok((PODS, time))
}
