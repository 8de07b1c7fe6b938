//! The nodes of somebody's cluster, as drills see them: they find registries by ports of theirs, and where access to
//! nodes is allowed, by names and addresses that they were taught.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use async_trait::async_trait;
use pulldrill_cluster::network::EgressRule;

use super::{access::Access, places::Places};
use crate::{
    LabError,
    backend::{NodeHost, NodeNetwork},
};

/// Nodes that are somebody's.
pub(super) struct OthersNodes {
    pub(super) names: Vec<String>,
    pub(super) places: Arc<Places>,
    /// Without it, nothing about them is changed.
    pub(super) access: Option<Arc<Access>>,
}

impl OthersNodes {
    fn access(&self, what: &str) -> Result<&Access, LabError> {
        self.access.as_deref().ok_or_else(|| {
            LabError::Invalid(format!("{what}: the nodes of an existing cluster are not the lab's to change"))
        })
    }

    /// Those hosts that nodes don't reach by a port of theirs.
    fn to_be_taught(&self, hosts: &[NodeHost]) -> Vec<NodeHost> {
        let by_name = |host: &&NodeHost| self.places.port_of(&host.image_host).is_none();
        hosts.iter().filter(by_name).cloned().collect()
    }
}

#[async_trait]
impl NodeNetwork for OthersNodes {
    async fn egress(&self) -> Result<BTreeMap<String, Vec<EgressRule>>, LabError> {
        match &self.access {
            Some(access) => access.egress().await,
            None => Ok(self.names.iter().map(|node| (node.clone(), Vec::new())).collect()),
        }
    }

    async fn set_egress(&self, node: &str, rules: Vec<EgressRule>) -> Result<(), LabError> {
        self.access("egress rules")?.set_egress(node, &rules).await
    }

    fn plain_port(&self, image_host: &str) -> Option<u16> {
        self.places.port_of(image_host)
    }

    fn tls_port(&self, image_host: &str) -> Option<u16> {
        match self.places.port_of(image_host) {
            Some(_) => None,
            None => self.access.as_ref().map(|access| access.port(image_host)),
        }
    }

    async fn add_hosts(&self, hosts: &[NodeHost]) -> Result<(), LabError> {
        let hosts = self.to_be_taught(hosts);
        if hosts.is_empty() {
            return Ok(());
        }
        self.access("names of registries")?.teach(&hosts).await
    }

    async fn remove_hosts(&self, hosts: &[NodeHost]) -> Result<(), LabError> {
        let hosts = self.to_be_taught(hosts);
        match &self.access {
            Some(access) if !hosts.is_empty() => access.forget(&hosts).await,
            _ => Ok(()),
        }
    }

    fn resolve(&self, name: &str) -> Option<IpAddr> {
        self.access.as_ref()?.resolve(name)
    }

    fn outside(&self) -> IpAddr {
        Ipv4Addr::UNSPECIFIED.into()
    }

    async fn set_outside(&self, _address: IpAddr) -> Result<(), LabError> {
        Err(LabError::Invalid("the address that registries see: an existing cluster's is its own".into()))
    }
}
