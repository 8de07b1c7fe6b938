//! Who is behind a connection. The registry asks; whoever runs the network answers.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// The node whose connection it is, if it is a node's.
    pub node: Option<String>,
    /// The address that it seems to come from, behind any NAT.
    pub address: IpAddr,
}

/// Knows clients by what they cannot forge: the local address of their socket.
pub trait Clients: Send + Sync {
    /// Who is behind the connection from `peer`; asked once for each connection, when it begins.
    fn client(&self, peer: SocketAddr) -> Client;
}

/// Takes every client for what its socket says: there are no nodes and no NAT.
#[derive(Debug, Clone, Copy, Default)]
pub struct Direct;

impl Clients for Direct {
    fn client(&self, peer: SocketAddr) -> Client {
        Client { node: None, address: peer.ip() }
    }
}

/// Takes every client for what its source address says: nodes have addresses of their own, which nobody else has.
#[derive(Debug, Default)]
pub struct AddressBook(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    nodes: BTreeMap<IpAddr, String>,
    nat: Option<IpAddr>,
}

impl AddressBook {
    /// Replaces what is known: the nodes by their addresses, and the address that all of them seem to come from,
    /// where there is one.
    pub fn set(&self, nodes: BTreeMap<IpAddr, String>, nat: Option<IpAddr>) {
        *self.0.write() = Known { nodes, nat };
    }
}

impl Clients for AddressBook {
    fn client(&self, peer: SocketAddr) -> Client {
        let known = self.0.read();
        let own = peer.ip().to_canonical();
        match known.nodes.get(&own) {
            Some(node) => Client { node: Some(node.clone()), address: known.nat.unwrap_or(own) },
            None => Client { node: None, address: own },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_known_by_their_addresses_and_nobody_else_is_a_node() {
        let book = AddressBook::default();
        let nat: IpAddr = [203, 0, 113, 7].into();
        let at = |address: &str| book.client(address.parse().unwrap());
        assert_eq!(at("172.18.0.2:40000").node, None);
        book.set([([172, 18, 0, 2].into(), "worker".to_owned())].into(), Some(nat));
        assert_eq!(at("172.18.0.2:40000"), Client { node: Some("worker".into()), address: nat });
        assert_eq!(at("[::ffff:172.18.0.2]:1").node.as_deref(), Some("worker"));
        assert_eq!(at("10.244.0.5:1"), Client { node: None, address: [10, 244, 0, 5].into() });
        book.set([([172, 18, 0, 3].into(), "worker".to_owned())].into(), None);
        assert_eq!(at("172.18.0.2:1").node, None);
        assert_eq!(at("172.18.0.3:1").address, IpAddr::from([172, 18, 0, 3]));
    }
}
