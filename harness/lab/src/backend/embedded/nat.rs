//! Who is behind a connection to a registry.
//!
//! The nodes' network says before each connection from which local address it will come, so a registry
//! can tell a node from anybody else on this machine by something that nobody can put into a request.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use parking_lot::{Mutex, RwLock};
use pulldrill_registry::{Client, Clients};

/// The nodes' way out: one public address for all of them.
#[derive(Debug)]
pub(super) struct Nat {
    address: RwLock<IpAddr>,
    connections: Mutex<HashMap<SocketAddr, String>>,
}

impl Default for Nat {
    fn default() -> Self {
        Self {
            address: RwLock::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10))),
            connections: Mutex::default(),
        }
    }
}

impl Nat {
    /// The address that registries see.
    pub(super) fn address(&self) -> IpAddr {
        *self.address.read()
    }

    /// A drill's story wants it to be this one.
    pub(super) fn set_address(&self, address: IpAddr) {
        *self.address.write() = address;
    }

    /// A node is about to connect from this local address.
    pub(super) fn connected(&self, local: SocketAddr, node: &str) {
        self.connections.lock().insert(local, node.to_owned());
    }
}

impl Clients for Nat {
    fn client(&self, peer: SocketAddr) -> Client {
        // Taken out: the next connection from this port may be anybody's.
        match self.connections.lock().remove(&peer) {
            Some(node) => Client { node: Some(node), address: self.address() },
            None => Client { node: None, address: peer.ip() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_a_node_has_used_makes_nobody_else_a_node() {
        let (nat, port) = (Nat::default(), SocketAddr::from(([127, 0, 0, 1], 40_000)));
        nat.connected(port, "node-1");
        let first = nat.client(port);
        assert_eq!((first.node.as_deref(), first.address), (Some("node-1"), nat.address()));
        let second = nat.client(port);
        assert_eq!((second.node, second.address), (None, port.ip()));
    }
}
