//! The nodes' way to the registries on a kind cluster: hosts files, names, addresses, real egress rules.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::future::try_join_all;
use parking_lot::RwLock;
use pulldrill_clock::real;
use pulldrill_cluster::network::EgressRule;
use pulldrill_registry::admin::{AdminClient, KnownClients, Route};

use super::{
    engine::{Engine, Inside},
    firewall::{self, Tool},
    images,
    membership::Node,
    place,
};
use crate::{
    LabError,
    backend::{NodeHost, NodeImages, NodeNetwork},
};

/// How long a command inside a node may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// For so long rules that were read are taken for what is there: judging asks often.
const FRESH: Duration = Duration::from_secs(1);

/// Egress rules, by node.
type Rules = BTreeMap<String, Vec<EgressRule>>;

/// The nodes of a kind cluster.
#[derive(Clone)]
pub(super) struct KindNodes(std::sync::Arc<Inner>);

struct Inner {
    engine: Engine,
    nodes: Vec<Node>,
    /// What each node filters packets with.
    tools: BTreeMap<String, Tool>,
    control: AdminClient,
    /// Networks of pods, by node.
    pods: Vec<Route>,
    names: RwLock<BTreeMap<String, IpAddr>>,
    outside: RwLock<Option<IpAddr>>,
    seen: tokio::sync::Mutex<Option<(Instant, Rules)>>,
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
        let tools = nodes.iter().map(|node| async move {
            let inside = engine.inside(&node.name, PATIENCE);
            Ok::<_, LabError>((node.name.clone(), firewall::tool(&inside).await?))
        });
        let inner = Inner {
            engine: engine.clone(),
            pods: pods.collect(),
            tools: try_join_all(tools).await?.into_iter().collect(),
            nodes,
            control,
            names: RwLock::default(),
            outside: RwLock::default(),
            seen: tokio::sync::Mutex::default(),
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

    fn tool(&self, node: &Node) -> Tool {
        self.0.tools.get(&node.name).copied().unwrap_or(Tool::Iptables)
    }

    async fn read(&self) -> Result<Rules, LabError> {
        let each = self.0.nodes.iter().map(|node| async move {
            let rules = self.tool(node).read(&self.inside(node)).await?;
            Ok::<_, LabError>((node.name.clone(), rules))
        });
        Ok(try_join_all(each).await?.into_iter().collect())
    }
}

#[async_trait]
impl NodeNetwork for KindNodes {
    async fn egress(&self) -> Result<Rules, LabError> {
        let mut seen = self.0.seen.lock().await;
        if let Some((at, rules)) = &*seen
            && at.elapsed() < FRESH
        {
            return Ok(rules.clone());
        }
        let rules = self.read().await?;
        *seen = Some((real::stopwatch(), rules.clone()));
        Ok(rules)
    }

    async fn set_egress(&self, node: &str, rules: Vec<EgressRule>) -> Result<(), LabError> {
        let mut seen = self.0.seen.lock().await;
        *seen = None;
        let Some(node) = self.0.nodes.iter().find(|known| known.name == node) else { return Ok(()) };
        Ok(self.tool(node).replace(&self.inside(node), &rules).await?)
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
