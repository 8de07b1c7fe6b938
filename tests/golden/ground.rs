//! Where the registries of the recordings stand: on the network of an embedded cluster, which lies behind loopback, or
//! on a real one of the test's own.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Result;
use pulldrill_cluster::network::{Action, EgressRule, Network};
use pulldrill_registry::{HostSpec, Interface, Names, Registry, RegistryOptions, Site};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_util::sync::CancellationToken;

/// Known by name, with nothing that answers.
pub(crate) const SILENT: Ipv4Addr = Ipv4Addr::new(172, 31, 255, 15);
/// Known by name, with somebody who refuses.
pub(crate) const REFUSING: Ipv4Addr = Ipv4Addr::new(172, 31, 255, 16);
/// Where plain HTTP is spoken, at [`PLAIN_PORT`].
const PLAIN: Ipv4Addr = Ipv4Addr::new(172, 31, 255, 17);
const PLAIN_NAME: &str = "plain.lab.test";
const PLAIN_PORT: u16 = 5000;

/// Where registries stand.
pub(crate) enum Ground<'a> {
    /// Behind the addresses of a lab's network.
    Embedded(&'a Network),
    /// On an interface, with names that a DNS server of the registry's knows. Who made it sees to [`SILENT`] and
    /// [`REFUSING`].
    Own { interface: Arc<Interface>, names: Names },
}

impl Ground<'_> {
    /// A registry without hosts.
    pub(crate) fn registry(&self, options: RegistryOptions) -> Registry {
        match self {
            Self::Embedded(_) => Registry::new(options),
            Self::Own { interface, names } => {
                let interface = Some(interface.clone());
                Registry::on(Site { interface, names: names.clone(), ..Site::default() }, options)
            }
        }
    }

    /// Serves a host at an address, and its tokens at another one if it has such a service apart.
    pub(crate) async fn host(&self, registry: &Registry, mut spec: HostSpec, number: u8) -> Result<()> {
        let (address, of_tokens) = addresses(number);
        if let Self::Own { .. } = self {
            spec.address = Some(address);
            spec.auth_address = spec.has_token_host()?.then_some(of_tokens);
        }
        let info = registry.add_host(spec).await?;
        if let Self::Embedded(network) = self {
            network.add_host(&info.name, address);
            network.add_route(address, 443, info.address);
            if let Some((name, at)) = &info.token_host {
                network.add_host(name, of_tokens);
                network.add_route(of_tokens, 443, *at);
            }
        }
        Ok(())
    }

    /// Lets a name resolve.
    pub(crate) fn name(&self, name: &str, address: IpAddr) -> Result<()> {
        match (self, address) {
            (Self::Embedded(network), _) => network.add_host(name, address),
            (Self::Own { names, .. }, IpAddr::V4(address)) => names.set(name, address)?,
            (Self::Own { .. }, IpAddr::V6(_)) => anyhow::bail!("{address} is no address for {name}"),
        }
        Ok(())
    }

    /// What is no registry that can be talked to: somebody who says nothing, who refuses, who speaks without TLS.
    pub(crate) async fn strange_places(&self, registry: &Registry, stop: CancellationToken) -> Result<()> {
        self.name("timeout.lab.test", SILENT.into())?;
        self.name("refused.lab.test", REFUSING.into())?;
        match self {
            Self::Embedded(network) => {
                let refuse = EgressRule {
                    id: "refuse".into(),
                    action: Action::Reject,
                    destination: REFUSING.to_string().parse()?,
                    port: None,
                    comment: String::new(),
                };
                network.add_egress("node-1", refuse);
                self.name(PLAIN_NAME, PLAIN.into())?;
                network.add_route(PLAIN.into(), PLAIN_PORT, speak_plainly(stop).await?);
            }
            Self::Own { .. } => {
                let spec = HostSpec {
                    name: PLAIN_NAME.into(),
                    personality: "distribution".into(),
                    address: Some(PLAIN.into()),
                    plain_port: Some(PLAIN_PORT),
                    ..HostSpec::default()
                };
                registry.add_host(spec).await?;
            }
        }
        Ok(())
    }
}

/// Where the host of a number is, and its tokens.
pub(crate) fn addresses(number: u8) -> (IpAddr, IpAddr) {
    ([172, 31, 255, number].into(), [172, 31, 254, number].into())
}

/// A server that answers everybody in plain HTTP, and tells those who speak TLS so.
async fn speak_plainly(stop: CancellationToken) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 1];
            let _heard = stream.read(&mut hello).await;
            let _told = stream
                .write_all(
                    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n",
                )
                .await;
        }
    }));
    Ok(address)
}
