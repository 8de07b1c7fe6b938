//! The embedded nodes' way to the registries: names, routes to listeners of this process, firewalls.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use async_trait::async_trait;
use pulldrill_cluster::network::{EgressRule, Network};

use super::nat::Nat;
use crate::{
    LabError,
    backend::{HTTPS, NodeHost, NodeNetwork},
};

/// The nodes of an embedded cluster.
pub(super) struct EmbeddedNodes {
    pub(super) network: Network,
    pub(super) nat: Arc<Nat>,
    pub(super) names: Vec<String>,
}

#[async_trait]
impl NodeNetwork for EmbeddedNodes {
    async fn egress(&self) -> Result<BTreeMap<String, Vec<EgressRule>>, LabError> {
        Ok(self.names.iter().map(|node| (node.clone(), self.network.egress(node))).collect())
    }

    async fn set_egress(&self, node: &str, rules: Vec<EgressRule>) -> Result<(), LabError> {
        self.network.set_egress(node, rules);
        Ok(())
    }

    async fn add_hosts(&self, hosts: &[NodeHost]) -> Result<(), LabError> {
        for host in hosts {
            if host.resolves {
                self.network.add_host(&host.name, host.address);
            }
            if !host.trusted {
                self.network.distrust(&host.name);
            }
            self.network.add_route(host.address, HTTPS, host.local);
        }
        Ok(())
    }

    async fn remove_hosts(&self, hosts: &[NodeHost]) -> Result<(), LabError> {
        for host in hosts {
            self.network.remove_host(&host.name);
            self.network.remove_route(host.address, HTTPS);
        }
        Ok(())
    }

    fn resolve(&self, name: &str) -> Option<IpAddr> {
        self.network.resolve(name)
    }

    fn outside(&self) -> IpAddr {
        self.nat.address()
    }

    async fn set_outside(&self, address: IpAddr) -> Result<(), LabError> {
        self.nat.set_address(address);
        Ok(())
    }
}
