//! The cluster in this process.

use std::{
    collections::BTreeMap,
    net::{IpAddr, TcpListener},
    sync::Arc,
};

use futures::future::BoxFuture;
use kube::config::{KubeConfigOptions, Kubeconfig};
use pulldrill_clock::{Clock, mailbox};
use pulldrill_cluster::{
    Cluster, ClusterOptions, Principal,
    dialect::Dialect,
    network::{EgressRule, Network},
    store::{Store, StoreChanged},
};
use tokio_util::sync::CancellationToken;

use super::{Access, Lifecycle, NodeImages, NodeNetwork, Observe, Time};
use crate::LabError;

/// A running embedded cluster.
pub(crate) struct Embedded {
    cluster: Cluster,
    client: kube::Client,
    clock: Clock,
    nodes: Firewalls,
    stop: CancellationToken,
}

/// What an embedded cluster is made of.
pub(crate) struct EmbeddedOptions {
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) nodes: Vec<String>,
    pub(crate) network: Network,
    pub(crate) registry_authority: String,
    pub(crate) listen: IpAddr,
    pub(crate) stop: CancellationToken,
}

impl Embedded {
    /// Boots it.
    pub(crate) async fn start(options: EmbeddedOptions) -> Result<Self, LabError> {
        let address = (options.listen, 0);
        let listener = TcpListener::bind(address)
            .map_err(|source| LabError::Listen { address: format!("{}:0", options.listen), source })?;
        let nodes = Firewalls { network: options.network.clone(), nodes: options.nodes.clone() };
        let cluster = Cluster::start(ClusterOptions {
            listener,
            clock: options.clock.clone(),
            seed: options.seed,
            dialect: options.dialect,
            nodes: options.nodes,
            network: options.network,
            registry_authorities: vec![options.registry_authority],
            stop: options.stop.clone(),
        })
        .await
        .map_err(|error| LabError::part("cluster", error))?;
        let client = client(&cluster.kubeconfig(Principal::Admin)).await?;
        Ok(Self { cluster, client, clock: options.clock, nodes, stop: options.stop })
    }
}

/// A client for a kubeconfig, and for nothing that the environment says.
async fn client(kubeconfig: &str) -> Result<kube::Client, LabError> {
    let failed =
        |error: &dyn std::fmt::Display| LabError::part("cluster", format!("its kubeconfig: {error}"));
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).map_err(|error| failed(&error))?;
    let options = KubeConfigOptions::default();
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(&error))?;
    config.proxy_url = None;
    kube::Client::try_from(config).map_err(|error| failed(&error))
}

impl Access for Embedded {
    fn client(&self) -> kube::Client {
        self.client.clone()
    }

    fn trainee_kubeconfig(&self) -> String {
        self.cluster.kubeconfig(Principal::Trainee)
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

impl NodeNetwork for Embedded {
    fn egress(&self) -> BTreeMap<String, Vec<EgressRule>> {
        self.nodes.egress()
    }

    fn set_egress(&self, node: &str, rules: Vec<EgressRule>) -> Result<(), LabError> {
        self.nodes.set_egress(node, rules)
    }
}

impl NodeImages for Embedded {
    fn forget_images(&self, host: &str) {
        self.cluster.forget_images(host);
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
    fn down(&self) -> BoxFuture<'_, ()> {
        self.stop.cancel();
        Box::pin(self.cluster.ended())
    }
}

/// The firewalls of the embedded nodes.
#[derive(Clone)]
pub(crate) struct Firewalls {
    pub(crate) network: Network,
    pub(crate) nodes: Vec<String>,
}

impl NodeNetwork for Firewalls {
    fn egress(&self) -> BTreeMap<String, Vec<EgressRule>> {
        self.nodes.iter().map(|node| (node.clone(), self.network.egress(node))).collect()
    }

    fn set_egress(&self, node: &str, rules: Vec<EgressRule>) -> Result<(), LabError> {
        self.network.set_egress(node, rules);
        Ok(())
    }
}
