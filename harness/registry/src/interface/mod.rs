//! A network interface that the registry owns: hosts get addresses of their own on it, and answers find networks
//! behind other machines by the routes that are set on it. The addresses are the owner's choice; nothing here
//! forwards anything.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux::Link;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
use elsewhere::Link;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use tokio::sync::Mutex;

use crate::{RegistryError, admin::Route};

/// The interface.
pub struct Interface {
    name: String,
    link: Link,
    /// Who has which address.
    addresses: Mutex<BTreeMap<Ipv4Addr, String>>,
    routes: Mutex<BTreeSet<Route>>,
}

impl Interface {
    /// Takes the interface of that name.
    ///
    /// # Errors
    /// [`RegistryError::Interface`] when there is none, or this is no Linux.
    pub async fn named(name: &str) -> Result<Self, RegistryError> {
        let link = Link::named(name).await.map_err(|message| failed(name, "have addresses", message))?;
        Ok(Self { name: name.to_owned(), link, addresses: Mutex::default(), routes: Mutex::default() })
    }

    /// Adds an address for somebody who must be its only owner.
    pub(crate) async fn add(&self, address: Ipv4Addr, owner: &str) -> Result<(), RegistryError> {
        let what = || format!("give {owner} the address {address}");
        let mut addresses = self.addresses.lock().await;
        if let Some(other) = addresses.get(&address) {
            return Err(failed(&self.name, &what(), format!("it is {other}'s")));
        }
        self.link.add_address(address).await.map_err(|message| failed(&self.name, &what(), message))?;
        addresses.insert(address, owner.to_owned());
        Ok(())
    }

    /// Removes an address, if it is theirs.
    pub(crate) async fn remove(&self, address: Ipv4Addr, owner: &str) {
        let mut addresses = self.addresses.lock().await;
        if addresses.get(&address).is_some_and(|known| known == owner) {
            addresses.remove(&address);
            if let Err(error) = self.link.remove_address(address).await {
                tracing::warn!(%address, error, "the address stays on the interface");
            }
        }
    }

    /// Replaces the routes that were set here.
    pub(crate) async fn set_routes(&self, wanted: &[Route]) -> Result<(), RegistryError> {
        let wanted: BTreeSet<Route> = wanted.iter().cloned().collect();
        let mut routes = self.routes.lock().await;
        for route in &wanted {
            network(route)?;
        }
        let old: Vec<Route> = routes.difference(&wanted).cloned().collect();
        for route in old {
            if let Err(error) = self.link.remove_route(network(&route)?, route.via).await {
                tracing::debug!(?route, error, "the route was gone already");
            }
            routes.remove(&route);
        }
        let new: Vec<Route> = wanted.difference(&routes).cloned().collect();
        for route in new {
            let what = format!("set the route to {} via {}", route.network, route.via);
            let added = self.link.add_route(network(&route)?, route.via).await;
            added.map_err(|message| failed(&self.name, &what, message))?;
            routes.insert(route);
        }
        Ok(())
    }

    /// Leaves the interface as it was found.
    pub(crate) async fn restore(&self) {
        let all: Vec<(Ipv4Addr, String)> =
            self.addresses.lock().await.iter().map(|(address, owner)| (*address, owner.clone())).collect();
        for (address, owner) in all {
            self.remove(address, &owner).await;
        }
        if let Err(error) = self.set_routes(&[]).await {
            tracing::warn!(%error, "routes stay on the interface");
        }
    }
}

fn failed(name: &str, what: &str, message: String) -> RegistryError {
    RegistryError::Interface { name: name.to_owned(), what: what.to_owned(), message }
}

/// The network of a route: its first address and the length of its prefix.
fn network(route: &Route) -> Result<(Ipv4Addr, u8), RegistryError> {
    let parsed = route.network.split_once('/').and_then(|(address, length)| {
        let (address, length): (Ipv4Addr, u8) = (address.parse().ok()?, length.parse().ok()?);
        let hosts = u32::MAX.checked_shr(length.into()).unwrap_or(0);
        (length <= 32 && address.to_bits() & hosts == 0).then_some((address, length))
    });
    parsed.ok_or_else(|| RegistryError::BadNetwork(route.network.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_nothing_else() {
        let of = |text: &str| network(&Route { network: text.into(), via: [10, 0, 0, 1].into() });
        assert_eq!(of("10.244.0.0/24").unwrap(), ([10, 244, 0, 0].into(), 24));
        assert_eq!(of("10.0.0.7/32").unwrap().1, 32);
        assert_eq!(of("0.0.0.0/0").unwrap().1, 0);
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/24", "10.0.0.0/-1", "10.0.0.0/300", "::/0"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
