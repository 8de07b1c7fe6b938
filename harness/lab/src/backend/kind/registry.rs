//! The registry's container: making it, and finding its admin API.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use pulldrill_clock::real;
use pulldrill_registry::{AdminClient, AdminClientOptions};
use tokio_util::sync::CancellationToken;

use super::{
    KindError,
    engine::{ContainerSpec, Engine, Network},
    owner::Owner,
};

/// Where the admin API listens in the container.
const ADMIN_PORT: u16 = 8080;

/// The pause between two looks at whether the container still runs.
const PAUSE: Duration = Duration::from_millis(250);

/// How much of its log goes into an error.
const TAIL: u32 = 20;

/// The registry's container, as it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegistryContainer {
    /// The container's name.
    pub(crate) name: String,
    /// The admin API, as this machine reaches it.
    pub(crate) admin: SocketAddr,
    /// The container's own address on the lab's network: the nodes' way out, and their resolver.
    pub(crate) address: Ipv4Addr,
}

/// What the container runs, in an image whose entry point is `pulldrill`.
fn command() -> Vec<String> {
    let admin = format!("0.0.0.0:{ADMIN_PORT}");
    ["registry", "serve", "--admin", &admin, "--interface", "eth0", "--dns", "0.0.0.0:53"]
        .map(str::to_owned)
        .into()
}

/// Makes and starts the registry's container on the lab's network.
pub(crate) async fn start(
    engine: &Engine,
    owner: &Owner,
    image: &str,
    network: &Network,
    token: &str,
) -> Result<RegistryContainer, KindError> {
    start_as(engine, owner, image, network, token, command()).await
}

async fn start_as(
    engine: &Engine,
    owner: &Owner,
    image: &str,
    network: &Network,
    token: &str,
    command: Vec<String>,
) -> Result<RegistryContainer, KindError> {
    let name = owner.registry();
    let spec = ContainerSpec {
        name: name.clone(),
        image: image.to_owned(),
        command,
        env: vec![format!("PULLDRILL_ADMIN_TOKEN={token}")],
        network: network.name.clone(),
        // It takes the registries' addresses, and passes on nothing of what the nodes send it.
        capabilities: vec!["NET_ADMIN".into()],
        sysctls: vec![("net.ipv4.ip_forward".into(), "0".into())],
        publish: vec![ADMIN_PORT],
    };
    let id = engine.create_container(owner, spec).await?;
    engine.start_container(&id).await?;
    let missing = || KindError::Missing { what: format!("the container {name}") };
    let inspected = engine.inspect_container(&id).await?.ok_or_else(missing)?;
    if let Some(code) = inspected.exit_code() {
        return Err(ended(engine, &name, code).await);
    }
    let (admin, address) = (inspected.published(ADMIN_PORT)?, inspected.address(&network.name)?);
    Ok(RegistryContainer { name, admin, address })
}

/// Waits until the registry answers, and takes control of it. A container that ends instead is an error with the end
/// of its log.
pub(crate) async fn control(
    engine: &Engine,
    registry: &RegistryContainer,
    token: &str,
    patience: Duration,
    stop: &CancellationToken,
) -> Result<AdminClient, KindError> {
    let options = AdminClientOptions {
        address: registry.admin,
        token: token.to_owned(),
        patience,
        stop: stop.child_token(),
    };
    tokio::select! {
        connected = AdminClient::connect(options) => match connected {
            Ok(client) => Ok(client),
            Err(error) => Err(KindError::Registry {
                said: error.to_string(),
                log: engine.logs(&registry.name, TAIL).await.unwrap_or_default(),
            }),
        },
        code = end(engine, &registry.name) => Err(ended(engine, &registry.name, code).await),
        () = stop.cancelled() => Err(KindError::Stopped),
    }
}

/// Waits for a container to end.
async fn end(engine: &Engine, name: &str) -> i64 {
    loop {
        if let Ok(Some(inspected)) = engine.inspect_container(name).await
            && let Some(code) = inspected.exit_code()
        {
            return code;
        }
        real::sleep(PAUSE).await;
    }
}

async fn ended(engine: &Engine, name: &str, code: i64) -> KindError {
    let log = engine.logs(name, TAIL).await.unwrap_or_default();
    KindError::Registry { said: format!("its container {name} ended with {code}"), log }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kind::testing;

    async fn started(made: &testing::Made, script: &str) -> (RegistryContainer, CancellationToken) {
        let (image, network) = (made.image().await, made.network().await);
        let command = ["-c", script].map(str::to_owned).into();
        let registry =
            start_as(&made.engine, &made.owner, &image, &network, "secret", command).await.unwrap();
        (registry, CancellationToken::new())
    }

    #[tokio::test]
    async fn a_registry_that_ends_or_never_answers_is_an_error_with_its_log() {
        let Some(engine) = testing::engine().await else { return };
        pulldrill_tls::install_provider();
        let made = testing::Made::new(engine.clone());
        let (registry, stop) = started(&made, "read -rt 1 <> <(:); echo no such option >&2; exit 2").await;
        assert!(registry.admin.ip().is_loopback());
        let patience = Duration::from_secs(60);
        let error = control(&engine, &registry, "secret", patience, &stop).await.err().unwrap().to_string();
        assert!(error.contains("ended with 2") && error.contains("no such option"), "{error}");
        made.sweep().await;

        let made = testing::Made::new(engine.clone());
        let (registry, stop) = started(&made, testing::FOREVER).await;
        let patience = Duration::from_millis(300);
        let error = control(&engine, &registry, "secret", patience, &stop).await.err().unwrap().to_string();
        assert!(error.contains("started"), "{error}");
        stop.cancel();
        let stopped = control(&engine, &registry, "secret", Duration::from_secs(60), &stop).await;
        assert!(matches!(stopped.err().unwrap(), KindError::Stopped));
        made.sweep().await;
    }
}
