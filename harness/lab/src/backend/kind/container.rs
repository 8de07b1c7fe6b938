//! The registry's container on the lab's network, and the way to its admin API.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use pulldrill_clock::secret;
use pulldrill_registry::admin::{AdminClient, AdminClientOptions};
use tokio_util::sync::CancellationToken;

use super::{
    KindError,
    engine::{ContainerSpec, Engine},
    owner::Owner,
};
use crate::LabError;

/// Where the admin API listens in the container.
const ADMIN: u16 = 8080;

/// How long the registry may take to begin to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of its log goes into an error.
const TAIL: u32 = 20;

/// The running registry.
pub(super) struct RegistryContainer {
    /// What controls it.
    pub(super) control: AdminClient,
    /// Its address on the lab's network.
    pub(super) address: Ipv4Addr,
}

/// Makes and starts the container; returns when the admin API answers.
///
/// It may give itself addresses (the hosts' own) but forwards nothing: it is the nodes' way out, and it ends here.
pub(super) async fn start(
    engine: &Engine,
    owner: &Owner,
    image: &str,
    stop: &CancellationToken,
) -> Result<RegistryContainer, LabError> {
    let token = secret::token();
    let command =
        ["registry", "serve", "--admin", "0.0.0.0:8080", "--interface", "eth0", "--dns", "0.0.0.0:53"];
    let spec = ContainerSpec {
        name: owner.registry(),
        image: image.to_owned(),
        command: command.map(str::to_owned).to_vec(),
        env: vec![format!("PULLDRILL_ADMIN_TOKEN={token}")],
        network: owner.network(),
        capabilities: vec!["NET_ADMIN".into()],
        sysctls: vec![("net.ipv4.ip_forward".into(), "0".into())],
        publish: vec![ADMIN],
    };
    let id = engine.create_container(owner, spec).await?;
    engine.start_container(&id).await?;
    let (published, address) = ends(engine, owner, &id).await?;
    let options = AdminClientOptions { address: published, token, patience: PATIENCE, stop: stop.clone() };
    match AdminClient::connect(options).await {
        Ok(control) => Ok(RegistryContainer { control, address }),
        Err(error) => {
            let log = engine.logs(&id, TAIL).await.unwrap_or_default();
            Err(LabError::part("registry", format!("{error}; the end of its log:\n{log}")))
        }
    }
}

/// Where this machine reaches the admin API, and where nodes reach the container.
async fn ends(engine: &Engine, owner: &Owner, id: &str) -> Result<(SocketAddr, Ipv4Addr), LabError> {
    let inspected = engine.inspect_container(id).await?;
    let inspected = inspected.ok_or_else(|| KindError::Missing { what: owner.registry() })?;
    if !inspected.running() {
        let log = engine.logs(id, TAIL).await.unwrap_or_default();
        return Err(LabError::part(
            "registry",
            format!("its container ended at once; the end of its log:\n{log}"),
        ));
    }
    Ok((inspected.published(ADMIN)?, inspected.address(&owner.network())?))
}
