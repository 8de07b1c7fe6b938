//! The cluster in this process.
//!
//! - [`nat`]: which node is behind a connection. [`nodes`]: the nodes' names, routes and firewalls.

mod nat;
mod nodes;

use std::{collections::BTreeMap, net::TcpListener, sync::Arc};

use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};
use pulldrill_clock::{Clock, Timestamp, mailbox};
use pulldrill_cluster::{
    Cluster, ClusterOptions, Principal,
    dialect::Dialect,
    network::Network,
    store::{Store, StoreChanged},
};
use pulldrill_registry::{Registry, RegistryOptions};
use pulldrill_tls::Authority;
use tokio_util::sync::CancellationToken;

use super::{Access, Booted, Lifecycle, Namespaces, NodeImages, Observe, Time, client};
use crate::{LabError, LabOptions};
use nat::Nat;
use nodes::EmbeddedNodes;

/// How many pods there may be in a lab, so that nobody's script fills its memory.
const MOST_PODS: usize = 2000;

/// A running embedded cluster.
struct Embedded {
    cluster: Cluster,
    client: kube::Client,
    clock: Clock,
    dialect: Arc<Dialect>,
    stop: CancellationToken,
}

/// Boots the cluster and its registries, on a clock that stands at the beginning.
pub(super) async fn boot(
    options: &LabOptions,
    beginning: Timestamp,
    stop: &CancellationToken,
) -> Result<Booted, LabError> {
    let dialect = dialect(&options.dialect)?;
    let clock = Clock::held_at(beginning);
    let authority =
        Arc::new(Authority::new("pulldrill registries").map_err(|e| LabError::part("certificates", e))?);
    let network = Network::new();
    let nat = Arc::new(Nat::default());
    let told = nat.clone();
    network.on_connect(move |local, node| told.connected(local, node));
    let registry = Registry::new(RegistryOptions {
        clock: clock.clone(),
        seed: options.seed,
        authority: authority.clone(),
        clients: nat.clone(),
        stop: stop.clone(),
    });
    let listener = TcpListener::bind((options.listen, 0))
        .map_err(|source| LabError::Listen { address: format!("{}:0", options.listen), source })?;
    let cluster = Cluster::start(ClusterOptions {
        seed: options.seed,
        nodes: options.nodes.clone(),
        network: network.clone(),
        registry_authorities: vec![authority.pem().to_owned()],
        most_pods: Some(MOST_PODS),
        ..ClusterOptions::new(listener, clock.clone(), dialect.clone(), stop.clone())
    })
    .await
    .map_err(|error| LabError::part("cluster", error))?;
    let client = client(&cluster.kubeconfig(Principal::Admin)).await?;
    let nodes = EmbeddedNodes { network, nat, names: options.nodes.clone() };
    let ended = registry.clone();
    Ok(Booted {
        backend: Arc::new(Embedded { cluster, client, clock: clock.clone(), dialect, stop: stop.clone() }),
        nodes: Arc::new(nodes),
        registry: Arc::new(registry),
        registry_ended: async move { ended.stopped().await }.boxed(),
        clock,
    })
}

fn dialect(id: &str) -> Result<Arc<Dialect>, LabError> {
    Dialect::named(id).ok_or_else(|| {
        let known = Dialect::names().join(", ");
        LabError::Invalid(format!("there is no dialect {id:?}; the dialects are: {known}"))
    })
}

impl Access for Embedded {
    fn client(&self) -> kube::Client {
        self.client.clone()
    }

    fn trainee_kubeconfig(&self) -> String {
        self.cluster.kubeconfig(Principal::Trainee)
    }

    fn dialect(&self) -> (String, bool) {
        (self.dialect.id.clone(), self.dialect.verified)
    }
}

impl Observe for Embedded {
    fn objects(&self) -> &Arc<Store> {
        self.cluster.store()
    }

    fn changes(&self) -> mailbox::Receiver<StoreChanged> {
        let (sender, receiver) = mailbox::mailbox(&self.clock);
        self.cluster.store().subscribe(sender);
        receiver
    }
}

#[async_trait]
impl Namespaces for Embedded {
    async fn prepare(&self, _namespace: &str) -> Result<(), LabError> {
        Ok(())
    }

    fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

#[async_trait]
impl NodeImages for Embedded {
    async fn forget_images(&self, host: &str) -> Result<(), LabError> {
        self.cluster.forget_images(host);
        Ok(())
    }
}

impl Time for Embedded {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn can_advance(&self) -> bool {
        true
    }
}

impl Lifecycle for Embedded {
    fn down(&self) -> BoxFuture<'_, Result<(), LabError>> {
        self.stop.cancel();
        Box::pin(async {
            self.cluster.ended().await;
            Ok(())
        })
    }
}
