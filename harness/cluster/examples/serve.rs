//! A cluster of two nodes, or as many as are wanted, on a port of its own, for trying clients by hand.
//!
//! `cargo run -p pulldrill-cluster --example serve -- DIR [DIALECT [NODES]]` writes `admin.kubeconfig` and
//! `trainee.kubeconfig` into DIR and runs until its standard input ends. Its nodes reach no registry, but have
//! `busybox:1.36` and `web:1`, which answers HTTP at port 8080.

use std::{io::Read, net::TcpListener, path::PathBuf};

use pulldrill_clock::Clock;
use pulldrill_cluster::{Cluster, ClusterOptions, DEFAULT_QUOTA, Principal, dialect::Dialect};
use serde_json::json;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("usage: serve DIR [DIALECT [NODES [QUOTA]]]")?);
    let dialect = arguments.next().unwrap_or_else(|| "k8s-1.36-containerd-2.1".into());
    let nodes: usize = arguments.next().map_or(Ok(2), |nodes| nodes.parse())?;
    let quota = arguments.next().map_or(Ok(DEFAULT_QUOTA), |bytes| bytes.parse())?;
    let stop = CancellationToken::new();
    let cluster = Cluster::start(ClusterOptions {
        nodes: (1..=nodes).map(|n| format!("node-{n}")).collect(),
        quota,
        ..ClusterOptions::new(
            TcpListener::bind("127.0.0.1:0")?,
            Clock::live(),
            Dialect::named(&dialect).ok_or("no such dialect")?,
            stop.clone(),
        )
    })
    .await?;
    cluster.load_image("busybox:1.36", &json!({"architecture": "amd64", "config": {"Cmd": ["sh"]}}))?;
    cluster.load_image("web:1", &json!({"architecture": "amd64", "config": {"Entrypoint": ["/web"]}}))?;
    std::fs::write(dir.join("admin.kubeconfig"), cluster.kubeconfig(Principal::Admin))?;
    std::fs::write(dir.join("trainee.kubeconfig"), cluster.kubeconfig(Principal::Trainee))?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    stop.cancel();
    Ok(())
}
