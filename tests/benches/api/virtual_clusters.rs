//! What one more virtual cluster costs: the time until it answers, and the memory that it takes, with a node of its own.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::Method;
use pulldrill_clock::real;

use crate::{server::Server, support::client::Client};

/// How many are made, after some that are not counted.
const CLUSTERS: usize = 500;
const FIRST: usize = 20;
/// How long the last ones may take to get what controllers make in every cluster.
const SETTLED: Duration = Duration::from_secs(30);

/// The mean time of one, and its memory in KiB.
pub(crate) async fn cost() -> Result<(Duration, u64)> {
    let server = Server::embedded_with(&["--nodes", "1"]).await?;
    let mut client = Client::connect(&server.place).await?;
    for n in 0..FIRST {
        make(&mut client, &format!("first-{n}")).await?;
    }
    settled(&mut client, &format!("first-{}", FIRST - 1)).await?;
    let before = server.processes.memory()?;
    let watch = real::stopwatch();
    for n in 0..CLUSTERS {
        make(&mut client, &format!("c-{n}")).await?;
    }
    let time = watch.elapsed() / u32::try_from(CLUSTERS)?;
    settled(&mut client, &format!("c-{}", CLUSTERS - 1)).await?;
    Ok((time, server.processes.memory()?.saturating_sub(before) / 1024 / CLUSTERS as u64))
}

/// Makes a cluster, and asks it something.
async fn make(client: &mut Client, name: &str) -> Result<()> {
    client.call(Method::PUT, &format!("/clusters/{name}"), "application/yaml", Bytes::new()).await?;
    ensure!(client.get(&format!("/clusters/{name}/api/v1/namespaces/default")).await? > 0);
    Ok(())
}

/// Waits until a cluster has what its controllers make.
async fn settled(client: &mut Client, name: &str) -> Result<()> {
    let path = format!("/clusters/{name}/api/v1/namespaces/kube-system/serviceaccounts/default");
    let watch = real::stopwatch();
    while client.call(Method::GET, &path, "application/json", Bytes::new()).await.is_err() {
        ensure!(watch.elapsed() < SETTLED, "{name} did not settle within {SETTLED:?}");
        real::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
