//! Who is behind a connection. The registry asks; whoever runs the network answers.

use std::net::{IpAddr, SocketAddr};

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
