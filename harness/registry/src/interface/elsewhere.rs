//! No interfaces to own: a registry with addresses of its own runs on Linux.

use std::net::Ipv4Addr;

/// An interface that nobody can have.
pub(super) enum Link {}

impl Link {
    pub(super) async fn named(_name: &str) -> Result<Self, String> {
        Err("only on Linux a registry has addresses of its own".to_owned())
    }

    pub(super) async fn add_address(&self, _address: Ipv4Addr) -> Result<(), String> {
        match *self {}
    }

    pub(super) async fn remove_address(&self, _address: Ipv4Addr) -> Result<(), String> {
        match *self {}
    }

    pub(super) async fn add_route(&self, _network: (Ipv4Addr, u8), _via: Ipv4Addr) -> Result<(), String> {
        match *self {}
    }

    pub(super) async fn remove_route(&self, _network: (Ipv4Addr, u8), _via: Ipv4Addr) -> Result<(), String> {
        match *self {}
    }
}
