//! Addresses and routes by netlink.

use std::{io, net::Ipv4Addr};

use futures::TryStreamExt as _;
use rtnetlink::{
    AddressMessageBuilder, Error, Handle, RouteMessageBuilder, packet_route::route::RouteMessage,
};

/// An interface.
pub(super) struct Link {
    handle: Handle,
    index: u32,
}

impl Link {
    pub(super) async fn named(name: &str) -> Result<Self, String> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(|error| error.to_string())?;
        // It ends with the last handle.
        tokio::spawn(connection);
        let mut links = handle.link().get().match_name(name.to_owned()).execute();
        let link =
            links.try_next().await.map_err(|error| readable(&error))?.ok_or("there is no such interface")?;
        Ok(Self { index: link.header.index, handle })
    }

    pub(super) async fn add_address(&self, address: Ipv4Addr) -> Result<(), String> {
        let add = self.handle.address().add(self.index, address.into(), 32);
        // One that is left from before will do.
        add.replace().execute().await.map_err(|error| readable(&error))
    }

    pub(super) async fn remove_address(&self, address: Ipv4Addr) -> Result<(), String> {
        let message = AddressMessageBuilder::<Ipv4Addr>::new().index(self.index).address(address, 32).build();
        self.handle.address().del(message).execute().await.map_err(|error| readable(&error))
    }

    pub(super) async fn add_route(&self, network: (Ipv4Addr, u8), via: Ipv4Addr) -> Result<(), String> {
        self.handle
            .route()
            .add(self.route(network, via))
            .replace()
            .execute()
            .await
            .map_err(|error| readable(&error))
    }

    pub(super) async fn remove_route(&self, network: (Ipv4Addr, u8), via: Ipv4Addr) -> Result<(), String> {
        self.handle.route().del(self.route(network, via)).execute().await.map_err(|error| readable(&error))
    }

    fn route(&self, (address, length): (Ipv4Addr, u8), via: Ipv4Addr) -> RouteMessage {
        let builder = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(address, length);
        builder.gateway(via).output_interface(self.index).build()
    }
}

/// What the system said, and what to do where that is clear.
fn readable(error: &Error) -> String {
    let Error::NetlinkError(message) = error else { return error.to_string() };
    let error = message.to_io();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!(
                "{error}; it takes the capability NET_ADMIN (root, or --cap-add NET_ADMIN in a container)"
            )
        }
        _ => error.to_string(),
    }
}
