//! Sockets and TLS. Limits on real time keep clients that say nothing, or say it slowly, from piling up.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::Response;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use pulldrill_clock::real;
use pulldrill_tls::Authority;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::exchange;
use crate::{Client, RegistryError, host::Host, registry::Shared};

/// How long a TLS handshake, or the head of a request, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections of one socket at a time.
const CONNECTIONS: usize = 2_048;

/// Where a host listens that has been given no address.
const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The registry itself.
    Registry,
    /// The separate host for tokens.
    Tokens,
}

/// Bound sockets, and the certificate of those that speak TLS.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    sockets: Vec<TcpListener>,
    plain: Option<TcpListener>,
    tls: TlsAcceptor,
}

impl Listener {
    /// Binds an address, or else a free port of 127.0.0.1, with a certificate for these names, for this machine and
    /// for that address.
    pub(crate) async fn bind<'a>(
        authority: &Authority,
        names: impl Iterator<Item = &'a str> + Send,
        at: Option<SocketAddr>,
    ) -> Result<Self, RegistryError> {
        let mut all: Vec<String> = Vec::new();
        for name in names.chain(["localhost"]) {
            let bare = name.split_once(':').map_or(name, |(bare, _)| bare);
            if !all.iter().any(|known| known == bare) {
                all.push(bare.to_owned());
            }
        }
        let at = at.unwrap_or(FREE);
        let mut addresses: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        addresses.extend(Some(at.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified()));
        let identity = authority.server(&all, &addresses)?;
        let tls = TlsAcceptor::from(identity.server_config(None)?);
        let fail = |source| RegistryError::Listen { host: format!("{} at {at}", all[0]), source };
        let socket = TcpListener::bind(at).await.map_err(fail)?;
        let mut address = socket.local_addr().map_err(fail)?;
        if address.ip().is_unspecified() {
            // All addresses: this is the one that is always there.
            address.set_ip(if address.is_ipv4() {
                Ipv4Addr::LOCALHOST.into()
            } else {
                Ipv6Addr::LOCALHOST.into()
            });
        }
        Ok(Self { address, sockets: vec![socket], plain: None, tls })
    }

    /// Binds a port of another address as well.
    pub(crate) async fn also_at(
        &mut self,
        name: &str,
        address: Ipv4Addr,
        port: u16,
    ) -> Result<(), RegistryError> {
        let fail = |source| RegistryError::Listen { host: format!("{name} at {address}:{port}"), source };
        self.sockets.push(TcpListener::bind((address, port)).await.map_err(fail)?);
        Ok(())
    }

    /// Binds a port of all addresses for HTTP without TLS as well.
    pub(crate) async fn also_plain(&mut self, name: &str, port: u16) -> Result<(), RegistryError> {
        let fail = |source| RegistryError::Listen { host: format!("{name} at port {port}"), source };
        self.plain = Some(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.map_err(fail)?);
        Ok(())
    }

    /// Accepts connections until the host stops.
    pub(crate) fn serve(self, shared: &Arc<Shared>, host: &Arc<Host>, role: Role, tasks: &TaskTracker) {
        let sockets = self.sockets.into_iter().map(|socket| (socket, Some(self.tls.clone())));
        for (socket, tls) in sockets.chain(self.plain.map(|socket| (socket, None))) {
            accept(socket, tls, shared.clone(), host.clone(), role, tasks);
        }
    }
}

fn accept(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    host: Arc<Host>,
    role: Role,
    tasks: &TaskTracker,
) {
    let tracker = tasks.clone();
    let listening = host.listening.clone();
    tasks.spawn(listening.track_future(async move {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = host.stop.cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                // Out of file descriptors, most likely: wait for some to come back.
                real::sleep(Duration::from_millis(50)).await;
                continue;
            };
            // Asked once, and at once, whatever becomes of the connection: when it has ended, its port may be
            // somebody else's.
            let client = shared.clients.client(peer);
            let Ok(permit) = room.clone().try_acquire_owned() else { continue };
            let (shared, host, tls) = (shared.clone(), host.clone(), tls.clone());
            tracker.spawn(async move {
                let stop = host.stop.clone();
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = connection(shared, host, role, tls, stream, client) => {}
                }
                drop(permit);
            });
        }
    }));
}

async fn connection(
    shared: Arc<Shared>,
    host: Arc<Host>,
    role: Role,
    tls: Option<TlsAcceptor>,
    stream: TcpStream,
    client: Client,
) {
    let _only_slower = stream.set_nodelay(true);
    let Some(tls) = tls else { return exchanges(shared, host, role, true, stream, client).await };
    match real::timeout(PATIENCE, tls.accept(stream)).await {
        Some(Ok(stream)) => exchanges(shared, host, role, false, stream, client).await,
        _ => tracing::debug!(host = host.name, "no TLS handshake"),
    }
}

async fn exchanges(
    shared: Arc<Shared>,
    host: Arc<Host>,
    role: Role,
    plain: bool,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    client: Client,
) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (shared, host, client) = (shared.clone(), host.clone(), client.clone());
        async move {
            let answer: Response<_> =
                exchange::exchange(&shared, &host, (role, plain), client, request).await;
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}
