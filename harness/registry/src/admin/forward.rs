//! A port of this machine for a host of a registry that runs elsewhere: each connection becomes a tunnel through
//! the admin port. What is inside is not looked at.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper::{client::conn::http1, upgrade};
use hyper_util::rt::TokioIo;
use pulldrill_clock::real;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::wire::TOKEN_HOST;
use crate::RegistryError;

/// How long it may take until a tunnel is open.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections of one forwarder at a time.
const CONNECTIONS: usize = 512;

/// What a port leads to.
#[derive(Clone)]
struct Target {
    host: String,
    of_its_tokens: bool,
}

/// The ports of one host. They close with the last mention of them; [`Ports::close`] waits until they are closed.
pub(super) struct Ports {
    stop: CancellationToken,
    tasks: TaskTracker,
    _closes: DropGuard,
}

impl Ports {
    /// None yet; they close with `stop` at the latest.
    pub(super) fn until(stop: &CancellationToken) -> Self {
        let stop = stop.child_token();
        Self { _closes: stop.clone().drop_guard(), stop, tasks: TaskTracker::new() }
    }

    /// Closes them.
    pub(super) async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Where tunnels lead.
#[derive(Clone)]
pub(super) struct Tunnels {
    /// The admin API.
    pub(super) admin: SocketAddr,
    /// Its token.
    pub(super) token: Arc<str>,
}

impl Tunnels {
    /// Opens a port of 127.0.0.1 that leads to a host, or to its token host.
    pub(super) async fn forward(
        &self,
        host: &str,
        of_its_tokens: bool,
        ports: &Ports,
    ) -> Result<SocketAddr, RegistryError> {
        let fail = |source| RegistryError::Listen { host: host.to_owned(), source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let (tunnels, target) = (self.clone(), Target { host: host.to_owned(), of_its_tokens });
        let (stop, tasks) = (ports.stop.clone(), ports.tasks.clone());
        ports.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = accept(listener, tunnels, target, &stop, &tasks) => {}
            }
        });
        Ok(address)
    }

    /// A tunnel to a host's listener.
    async fn open(&self, Target { host, of_its_tokens }: &Target) -> Result<upgrade::Upgraded, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let stream = TcpStream::connect(self.admin).await.map_err(|error| text(&error))?;
        let _only_slower = stream.set_nodelay(true);
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| text(&error))?;
        tokio::spawn(connection.with_upgrades());
        let target = if host.contains(':') { host.to_owned() } else { format!("{host}:443") };
        let mut request = Request::connect(&target);
        if *of_its_tokens {
            request = request.header(TOKEN_HOST, "yes");
        }
        let request = request
            .header(header::HOST, &target)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Empty::<Bytes>::new())
            .map_err(|error| text(&error))?;
        let response = sender.send_request(request).await.map_err(|error| text(&error))?;
        match response.status() {
            StatusCode::OK => upgrade::on(response).await.map_err(|error| text(&error)),
            status => Err(format!("status {status}")),
        }
    }
}

async fn accept(
    listener: TcpListener,
    tunnels: Tunnels,
    target: Target,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            real::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(permit) = room.clone().try_acquire_owned() else { continue };
        let (tunnels, target, stop) = (tunnels.clone(), target.clone(), stop.clone());
        tasks.spawn(async move {
            let carried = async {
                let upgraded = match real::timeout(PATIENCE, tunnels.open(&target)).await {
                    Some(Ok(upgraded)) => upgraded,
                    Some(Err(error)) => return tracing::warn!(target.host, error, "no way to the registry"),
                    None => return tracing::warn!(target.host, "no way to the registry: it does not answer"),
                };
                let _only_slower = stream.set_nodelay(true);
                let mut upgraded = TokioIo::new(upgraded);
                let _whoever_hangs_up = copy_bidirectional(&mut stream, &mut upgraded).await;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = carried => {}
            }
            drop(permit);
        });
    }
}
