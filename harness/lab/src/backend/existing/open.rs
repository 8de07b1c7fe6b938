//! Opening the nodes of somebody's cluster to a lab that was allowed to: the lab's pods on them, what they have, and a
//! pull by a name that they were taught. What is not there is no error; the drills that want it are left out.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    access::Access,
    agents,
    probe::{self, BY_NAME, Probe},
    survey,
};
use crate::backend::NodeHost;

/// The address that leads to the registry of the look; no scenario's.
fn address(prefix: &str) -> Ipv4Addr {
    let sum = prefix.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    Ipv4Addr::new(10, 25, 0, sum.clamp(1, 254))
}

/// The access, or why there is none. `beside` is the look that was taken before.
pub(super) async fn access(beside: &Probe<'_>, registry: Ipv4Addr) -> Result<Access, String> {
    let Probe { client, names, nodes, .. } = beside;
    let authority = beside.registry.authority().await.map_err(|error| error.to_string())?;
    let agents = agents::ready(client, names, nodes).await.map_err(|error| error.to_string())?;
    let in_use = survey::networks(client).await;
    let access = Access::new(names, agents, registry, authority, in_use);
    let access = access.await.map_err(|error| error.to_string())?;
    let name = probe::name(names);
    let port = access.port(&name);
    let host = [NodeHost {
        image_host: name.clone(),
        name: name.clone(),
        address: IpAddr::V4(address(names.lab())),
        local: ([127, 0, 0, 1], 0).into(),
        resolves: true,
        trusted: true,
    }];
    let looked = async {
        access.teach(&host).await?;
        let way = Probe { way: BY_NAME, host: name.clone(), ports: (None, Some(port)), ..beside.clone() };
        way.look().await
    };
    let failures = looked.await.map_err(|error| error.to_string())?;
    access.forget(&host).await.map_err(|error| error.to_string())?;
    if failures.is_empty() {
        return Ok(access);
    }
    Err(format!(
        "these nodes do not reach a registry by a name that they were taught:\n{}",
        failures.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labs_look_by_addresses_that_no_scenario_has() {
        let (one, other) = (address("pulldrill"), address("workshop"));
        assert!(one != other && one.octets()[2] == 0 && !matches!(one.octets()[3], 0 | 255));
    }
}
