//! The lab's own Docker network: a bridge whose containers reach each other, and nothing behind it.

use std::{collections::HashMap, net::Ipv4Addr};

use bollard::{
    models::{NetworkCreateRequest, NetworkInspect},
    query_parameters::InspectNetworkOptions,
};

use super::Engine;
use crate::backend::kind::{KindError, error::Asked, owner::Owner};

/// A network that was made for a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Which addresses it has, as `172.20.0.0/16`.
    pub(crate) subnet: String,
    /// The engine's own address on it.
    pub(crate) gateway: Ipv4Addr,
}

impl Engine {
    /// Makes the lab's network. Its addresses are those that the engine finds free.
    pub(crate) async fn create_network(&self, owner: &Owner) -> Result<Network, KindError> {
        let name = owner.network();
        if self.inspect_network(&name).await?.is_some() {
            return Err(KindError::NotOurs { what: format!("a Docker network named {name}") });
        }
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".into()),
            enable_ipv6: Some(false),
            options: Some(HashMap::from([(
                "com.docker.network.bridge.enable_ip_masquerade".to_owned(),
                "false".to_owned(),
            )])),
            labels: Some(owner.labels()),
            ..Default::default()
        };
        let made = self.docker().create_network(request).await;
        let id = made.asked(|| format!("make the network {name}"))?.id;
        self.network(&id).await
    }

    /// A network by its name or id.
    pub(crate) async fn network(&self, name: &str) -> Result<Network, KindError> {
        let found = self.inspect_network(name).await?.and_then(read);
        found.ok_or_else(|| KindError::Missing { what: format!("the addresses of the network {name}") })
    }

    async fn inspect_network(&self, name: &str) -> Result<Option<NetworkInspect>, KindError> {
        let found = self.docker().inspect_network(name, None::<InspectNetworkOptions>).await;
        found.asked_if_there(|| format!("look at the network {name}"))
    }
}

fn read(network: NetworkInspect) -> Option<Network> {
    let ranges = network.ipam?.config?;
    let (subnet, gateway) = ranges.into_iter().find_map(|range| {
        let gateway: Ipv4Addr = range.gateway?.split('/').next()?.parse().ok()?;
        Some((range.subnet?, gateway))
    })?;
    Some(Network { id: network.id?, name: network.name?, subnet, gateway })
}
