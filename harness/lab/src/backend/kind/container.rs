//! The registry's container on the lab's network, and the way to its admin API.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use pulldrill_clock::{real, secret};
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

/// What it runs, with our program as the entry point.
const SERVE: [&str; 8] =
    ["registry", "serve", "--admin", "0.0.0.0:8080", "--interface", "eth0", "--dns", "0.0.0.0:53"];

/// How long the registry may take to begin to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two looks at whether the container still runs.
const PAUSE: Duration = Duration::from_millis(250);

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
    start_as(engine, owner, image, &SERVE, PATIENCE, stop).await
}

async fn start_as(
    engine: &Engine,
    owner: &Owner,
    image: &str,
    command: &[&str],
    patience: Duration,
    stop: &CancellationToken,
) -> Result<RegistryContainer, LabError> {
    let token = secret::token();
    let spec = ContainerSpec {
        name: owner.registry(),
        image: image.to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        env: vec![format!("PULLDRILL_ADMIN_TOKEN={token}")],
        network: owner.network(),
        capabilities: vec!["NET_ADMIN".into()],
        sysctls: vec![("net.ipv4.ip_forward".into(), "0".into())],
        publish: vec![ADMIN],
    };
    let id = engine.create_container(owner, spec).await?;
    engine.start_container(&id).await?;
    let (published, address) = ends(engine, owner, &id).await?;
    let options = AdminClientOptions { address: published, token, patience, stop: stop.clone() };
    let why = tokio::select! {
        connected = AdminClient::connect(options) => match connected {
            Ok(control) => return Ok(RegistryContainer { control, address }),
            Err(error) => error.to_string(),
        },
        code = end(engine, &id) => format!("its container ended with {code}"),
        () = stop.cancelled() => return Err(KindError::Stopped.into()),
    };
    Err(failed(engine, &id, &why).await)
}

/// Waits for a container to end.
async fn end(engine: &Engine, id: &str) -> i64 {
    loop {
        if let Ok(Some(inspected)) = engine.inspect_container(id).await
            && let Some(code) = inspected.exit_code()
        {
            return code;
        }
        real::sleep(PAUSE).await;
    }
}

async fn failed(engine: &Engine, id: &str, why: &str) -> LabError {
    let log = engine.logs(id, TAIL).await.unwrap_or_default();
    LabError::part("registry", format!("{why}; the end of its log:\n{log}"))
}

/// Where this machine reaches the admin API, and where nodes reach the container.
async fn ends(engine: &Engine, owner: &Owner, id: &str) -> Result<(SocketAddr, Ipv4Addr), LabError> {
    let inspected = engine.inspect_container(id).await?;
    let inspected = inspected.ok_or_else(|| KindError::Missing { what: owner.registry() })?;
    if !inspected.running() {
        return Err(failed(engine, id, "its container ended at once").await);
    }
    Ok((inspected.published(ADMIN)?, inspected.address(&owner.network())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kind::testing::{self, Made};

    async fn refused(made: &Made, script: &str, patience: Duration, stop: &CancellationToken) -> String {
        let image = made.image().await;
        made.network().await;
        let started = start_as(&made.engine, &made.owner, &image, &["-c", script], patience, stop).await;
        made.sweep().await;
        started.err().unwrap().to_string()
    }

    #[tokio::test]
    async fn a_registry_that_ends_or_never_answers_is_an_error_with_its_log() {
        let Some(engine) = testing::engine().await else { return };
        pulldrill_tls::install_provider();
        let (long, stop) = (Duration::from_secs(60), CancellationToken::new());
        let ends = "read -rt 1 <> <(:); echo no such option >&2; exit 2";
        let error = refused(&Made::new(engine.clone()), ends, long, &stop).await;
        assert!(error.contains("ended with 2") && error.contains("no such option"), "{error}");
        let short = Duration::from_millis(300);
        let error = refused(&Made::new(engine.clone()), testing::FOREVER, short, &stop).await;
        assert!(error.contains("the end of its log:\nstarted"), "{error}");
        stop.cancel();
        let error = refused(&Made::new(engine), testing::FOREVER, long, &stop).await;
        assert!(error.contains("stopped"), "{error}");
    }
}
