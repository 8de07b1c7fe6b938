//! Sockets and TLS. Limits on real time keep clients that say nothing, or say it slowly, from piling up.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{Response, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use pulldrill_clock::{Eager, real};
use pulldrill_faults::{Stage, Subject};
use pulldrill_tls::Authority;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::task::TaskTracker;

use super::exchange;
use crate::{
    Client, RegistryError,
    fault::{
        certificates::Certificates,
        line::{Cut, Line},
    },
    host::Host,
    registry::Shared,
};

/// How long a TLS handshake, or the head of a request, may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The pause when a connection can't be taken, most likely for want of file descriptors.
pub(super) const OUT_OF_FILES: Duration = Duration::from_millis(50);
/// How often it is tried to open a port again that was closed by a fault.
const AGAIN: Duration = Duration::from_millis(100);
/// Connections of one socket at a time.
pub(super) const CONNECTIONS: usize = 2_048;

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
    certificates: Arc<Certificates>,
}

impl Listener {
    /// Binds an address, or else a free port of 127.0.0.1, with a certificate for these names, for this machine and
    /// for that address.
    pub(crate) async fn bind<'a>(
        authority: &Arc<Authority>,
        names: impl Iterator<Item = &'a str> + Send,
        at: Option<SocketAddr>,
    ) -> Result<Self, RegistryError> {
        let mut all: Vec<String> = Vec::new();
        for name in names {
            let bare = name.split_once(':').map_or(name, |(bare, _)| bare);
            if !all.iter().any(|known| known == bare) {
                all.push(bare.to_owned());
            }
        }
        let at = at.unwrap_or(FREE);
        let mut addresses: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        addresses.extend(Some(at.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified()));
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
        let certificates = Arc::new(Certificates::new(authority, all, addresses)?);
        Ok(Self { address, sockets: vec![socket], plain: None, certificates })
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
        let behind = Behind { host: host.clone(), role, certificates: self.certificates };
        let door = |plain| Door { shared: shared.clone(), behind: behind.clone(), plain, any: false };
        let names = match role {
            Role::Registry => {
                let also = host.personality.also.iter().map(|name| (*name).to_owned());
                std::iter::once(host.name.clone()).chain(also).collect()
            }
            Role::Tokens => host.token_name.iter().cloned().collect::<Vec<_>>(),
        };
        shared.doors.add(names, &behind);
        let sockets = self.sockets.into_iter().map(|socket| (socket, door(false)));
        for (socket, door) in sockets.chain(self.plain.map(|socket| (socket, door(true)))) {
            tasks.spawn(host.listening.track_future(door.accept(socket, tasks.clone())));
        }
    }
}

/// One socket, and what is behind it.
#[derive(Clone)]
struct Door {
    shared: Arc<Shared>,
    behind: Behind,
    /// Without TLS.
    plain: bool,
    /// Whether each request may be for another host, since the connection came without a name.
    any: bool,
}

/// What a connection is for.
#[derive(Clone)]
pub(crate) struct Behind {
    pub(super) host: Arc<Host>,
    role: Role,
    certificates: Arc<Certificates>,
}

impl Behind {
    /// Serves a connection that came another way than by a port of the host's own; with `any`, each request may be for
    /// another host.
    pub(super) async fn serve(self, shared: Arc<Shared>, stream: TcpStream, client: Client, any: bool) {
        Door { shared, behind: self, plain: false, any }.until_the_end(stream, client).await;
    }
}

impl Door {
    async fn accept(self, socket: TcpListener, tasks: TaskTracker) {
        let Ok(address) = socket.local_addr() else { return };
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let mut faults = self.behind.host.faults.follow();
        let mut open = Some(socket);
        loop {
            if self.behind.host.faults.refuses() {
                open = None;
            } else if open.is_none() {
                open = TcpListener::bind(address).await.ok();
            }
            let Some(socket) = &open else {
                // Closed; or somebody else has the port just now.
                tokio::select! {
                    () = self.behind.host.stop.cancelled() => return,
                    _ = real::timeout(AGAIN, faults.changed()) => continue,
                }
            };
            let accepted = tokio::select! {
                () = self.behind.host.stop.cancelled() => return,
                _ = faults.changed() => continue,
                accepted = socket.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                real::sleep(OUT_OF_FILES).await;
                continue;
            };
            // Asked once, and at once, whatever becomes of the connection: when it has ended, its port may be
            // somebody else's.
            let client = self.shared.clients.client(peer);
            let Ok(permit) = room.clone().try_acquire_owned() else { continue };
            let door = self.clone();
            tasks.spawn(async move {
                door.until_the_end(stream, client).await;
                drop(permit);
            });
        }
    }

    /// Serves a connection until it ends or the host does.
    async fn until_the_end(self, stream: TcpStream, client: Client) {
        let stop = self.behind.host.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.connection(stream, client) => {}
        }
    }

    async fn connection(self, stream: TcpStream, client: Client) {
        let _only_slower = stream.set_nodelay(true);
        let line = Line::new(stream);
        let subject =
            Subject { client: Some(client.address), node: client.node.as_deref(), ..Subject::default() };
        let faults = &self.behind.host.faults;
        if faults.refuses() {
            // The port is about to be closed.
            return line.cut().say();
        }
        match faults.strike(Stage::Connection, &subject).first().map(|strike| strike.name) {
            Some("reset") => return line.cut().say(),
            Some(_) => return silence(line).await,
            None => {}
        }
        let mut acceptor = (!self.plain).then(|| self.behind.certificates.good());
        for strike in faults.strike(Stage::Handshake, &subject) {
            match (strike.name, self.behind.certificates.bad(&strike)) {
                ("handshake-stall", _) => return silence(line).await,
                ("plain-http", _) => acceptor = None,
                ("unexpected-tls", _) => acceptor = Some(self.behind.certificates.good()),
                (_, Some(Ok(bad))) if !self.plain => acceptor = Some(bad),
                (_, Some(Err(error))) => {
                    tracing::warn!(host = self.behind.host.name, %error, "no bad certificate");
                    return;
                }
                _ => {}
            }
        }
        let cut = line.cut();
        let Some(acceptor) = acceptor else { return self.exchanges(line, client, cut).await };
        match real::timeout(PATIENCE, acceptor.accept(line)).await {
            Some(Ok(stream)) => self.exchanges(stream, client, cut).await,
            _ => tracing::debug!(host = self.behind.host.name, "no TLS handshake"),
        }
    }

    /// Whose a request is.
    fn whose(&self, request: &http::Request<Incoming>) -> Behind {
        let host = request.headers().get(header::HOST).filter(|_| self.any);
        let named = host.and_then(|host| self.shared.doors.find(host.to_str().ok()?));
        named.unwrap_or_else(|| self.behind.clone())
    }

    async fn exchanges(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send, client: Client, cut: Cut) {
        let service = service_fn(move |request: http::Request<Incoming>| {
            let (behind, client, cut) = (self.whose(&request), client.clone(), cut.clone());
            let (shared, plain) = (self.shared.clone(), self.plain);
            async move {
                let answer: Response<_> =
                    exchange::exchange(&shared, &behind.host, (behind.role, plain), client, request, &cut)
                        .await;
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = Eager::new(served).await {
            tracing::debug!(%error, "connection ended");
        }
    }
}

/// Takes what comes and says nothing, until the other end has had enough.
async fn silence(mut line: Line) {
    let mut unheard = [0; 1024];
    while line.read(&mut unheard).await.is_ok_and(|length| length > 0) {}
}
