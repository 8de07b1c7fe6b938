//! The nodes' way to the registries on a kind cluster: hosts files, names, addresses, real egress rules.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::try_join_all;
use parking_lot::RwLock;
use pulldrill_cluster::network::EgressRule;
use pulldrill_registry::admin::{AdminClient, KnownClients, Route};

use super::{
    engine::{Engine, Inside},
    membership::Node,
    place,
};
use crate::{
    LabError,
    backend::{
        NodeHost, NodeImages, NodeNetwork,
        node::{
            firewall::{Firewall, Part},
            images,
            rules::{Firewalls, Rules},
        },
    },
};

/// How long a command inside a node may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The nodes of a kind cluster.
#[derive(Clone)]
pub(super) struct KindNodes(std::sync::Arc<Inner>);

struct Inner {
    engine: Engine,
    nodes: Vec<Node>,
    firewalls: Firewalls<Inside>,
    control: AdminClient,
    /// Networks of pods, by node.
    pods: Vec<Route>,
    names: RwLock<BTreeMap<String, IpAddr>>,
    outside: RwLock<Option<IpAddr>>,
}

impl KindNodes {
    /// Makes nodes live in the lab. `pods` are the networks of their pods, by node.
    pub(super) async fn settle(
        engine: &Engine,
        nodes: Vec<Node>,
        pods: &BTreeMap<String, Vec<String>>,
        control: AdminClient,
        registry: Ipv4Addr,
    ) -> Result<Self, LabError> {
        let networks = |node: &Node| pods.get(&node.name).cloned().unwrap_or_default();
        let pods = nodes
            .iter()
            .flat_map(|node| networks(node).into_iter().map(|network| Route { network, via: node.address }));
        let firewalls = nodes.iter().map(|node| async move {
            let inside = engine.inside(&node.name, PATIENCE);
            let firewall = Firewall::of(&inside, Part::Own).await?;
            Ok::<_, LabError>((node.name.clone(), (inside, firewall)))
        });
        let inner = Inner {
            engine: engine.clone(),
            pods: pods.collect(),
            firewalls: Firewalls::new(try_join_all(firewalls).await?.into_iter().collect()),
            nodes,
            control,
            names: RwLock::default(),
            outside: RwLock::default(),
        };
        let this = Self(std::sync::Arc::new(inner));
        for node in &this.0.nodes {
            // Without the names of each other, nodes lose their control plane with the old resolver.
            this.0.control.set_name(&node.name, node.address).await.map_err(failed)?;
        }
        this.tell_clients().await?;
        let authority = this.0.control.info().authority.clone();
        let settled = this.0.nodes.iter().enumerate().map(|(n, node)| {
            let (inside, own) = (this.inside(node), place::own_address(n));
            let authority = &authority;
            async move { place::settle(engine, &inside, node, own, registry, authority).await }
        });
        try_join_all(settled).await?;
        Ok(this)
    }

    /// Tells the registry who is who.
    async fn tell_clients(&self) -> Result<(), LabError> {
        let own = |n: usize| IpAddr::V4(place::own_address(n));
        let named = self.0.nodes.iter().enumerate().map(|(n, node)| (own(n), node.name.clone()));
        let way = |(n, node): (usize, &Node)| Route {
            network: format!("{}/32", place::own_address(n)),
            via: node.address,
        };
        let mut routes: Vec<Route> = self.0.nodes.iter().enumerate().map(way).collect();
        routes.extend(self.0.pods.iter().cloned());
        let known = KnownClients { nodes: named.collect(), nat: *self.0.outside.read(), routes };
        self.0.control.set_clients(&known).await.map_err(failed)
    }

    fn inside(&self, node: &Node) -> Inside {
        self.0.engine.inside(&node.name, PATIENCE)
    }
}

#[async_trait]
impl NodeNetwork for KindNodes {
    async fn egress(&self) -> Result<Rules, LabError> {
        Ok(self.0.firewalls.read().await?)
    }

    async fn set_egress(&self, node: &str, rules: Vec<EgressRule>) -> Result<(), LabError> {
        Ok(self.0.firewalls.replace(node, &rules).await?)
    }

    async fn add_hosts(&self, hosts: &[NodeHost]) -> Result<(), LabError> {
        let resolving = hosts.iter().filter(|host| host.resolves);
        self.0.names.write().extend(resolving.map(|host| (host.name.clone(), host.address)));
        let each = self.0.nodes.iter().map(|node| place::add_hosts(&self.0.engine, node, hosts));
        try_join_all(each).await?;
        Ok(())
    }

    async fn remove_hosts(&self, hosts: &[NodeHost]) -> Result<(), LabError> {
        if hosts.is_empty() {
            return Ok(());
        }
        for host in hosts {
            self.0.names.write().remove(&host.name);
        }
        let each = self
            .0
            .nodes
            .iter()
            .map(|node| async move { place::remove_hosts(&self.inside(node), hosts).await });
        try_join_all(each).await?;
        Ok(())
    }

    fn resolve(&self, name: &str) -> Option<IpAddr> {
        name.parse().ok().or_else(|| self.0.names.read().get(name).copied())
    }

    fn outside(&self) -> IpAddr {
        // Without a story's address nodes are seen by their own; quotas are about the first one's then.
        self.0.outside.read().unwrap_or(IpAddr::V4(place::own_address(0)))
    }

    async fn set_outside(&self, address: IpAddr) -> Result<(), LabError> {
        *self.0.outside.write() = Some(address);
        self.tell_clients().await
    }
}

#[async_trait]
impl NodeImages for KindNodes {
    async fn forget_images(&self, host: &str) -> Result<(), LabError> {
        let each =
            self.0.nodes.iter().map(|node| async move { images::forget(&self.inside(node), host).await });
        try_join_all(each).await?;
        Ok(())
    }
}

fn failed(error: pulldrill_registry::RegistryError) -> LabError {
    LabError::part("registry", error)
}
