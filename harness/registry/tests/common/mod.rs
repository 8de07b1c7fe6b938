//! A registry of a test's own, and a small HTTPS client that follows no redirect and hides nothing.
#![allow(dead_code, reason = "every test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use pulldrill_clock::{Clock, Timestamp};
use pulldrill_registry::{
    Access, Account, Client, Clients, HostInfo, HostSpec, Registry, RegistryOptions, RepositorySpec, Site,
};
use pulldrill_tls::Authority;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// What clients that pull images say that they take.
pub(crate) const ACCEPT: &str = "application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, */*";

/// Clients that a test has declared to be nodes.
#[derive(Default)]
pub(crate) struct Nodes(Mutex<HashMap<SocketAddr, Client>>);

impl Clients for Nodes {
    fn client(&self, peer: SocketAddr) -> Client {
        let known = self.0.lock().get(&peer).cloned();
        known.unwrap_or(Client { node: None, address: peer.ip() })
    }
}

/// A registry with what is needed to talk to it.
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) clock: Clock,
    pub(crate) authority: Arc<Authority>,
    pub(crate) stop: CancellationToken,
    nodes: Arc<Nodes>,
    folder: Option<tempfile::TempDir>,
}

/// An answer, read to its end.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A request by a node (or by nobody in particular) to one of the hosts.
pub(crate) struct Call<'a> {
    pub(crate) to: SocketAddr,
    /// The `Host` header; without one, the address.
    pub(crate) name: Option<&'a str>,
    pub(crate) node: Option<(&'a str, IpAddr)>,
}

impl World {
    pub(crate) fn held() -> Self {
        Self::with(Clock::held_at(Timestamp::from_second(1_900_000_000).unwrap()))
    }

    pub(crate) fn with(clock: Clock) -> Self {
        Self::on(clock, Site::default(), None)
    }

    /// One that keeps its content in a folder of its own.
    pub(crate) fn on_disk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::default().keep_in(&folder.path().join("data")).unwrap();
        let clock = Clock::held_at(Timestamp::from_second(1_900_000_000).unwrap());
        Self::on(clock, site, Some(folder))
    }

    /// Ends it, and begins another one with the same folder.
    pub(crate) async fn restarted(self) -> Self {
        self.stop.cancel();
        self.registry.stopped().await;
        let (clock, folder) = (self.clock.clone(), self.folder);
        drop(self.registry);
        let site = Site::default().keep_in(&folder.as_ref().unwrap().path().join("data")).unwrap();
        Self::on(clock, site, folder)
    }

    /// Where its content is.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("data")
    }

    fn on(clock: Clock, site: Site, folder: Option<tempfile::TempDir>) -> Self {
        pulldrill_tls::install_provider();
        let authority = Arc::new(Authority::new("test").unwrap());
        let nodes = Arc::new(Nodes::default());
        let stop = CancellationToken::new();
        let options = RegistryOptions {
            clock: clock.clone(),
            seed: 1,
            authority: authority.clone(),
            clients: nodes.clone(),
            stop: stop.clone(),
        };
        Self { registry: Registry::on(site, options), clock, authority, stop, nodes, folder }
    }

    pub(crate) async fn host(
        &self,
        name: &str,
        personality: &str,
        repositories: &[(&str, Access)],
    ) -> HostInfo {
        let spec = HostSpec {
            name: name.into(),
            personality: personality.into(),
            accounts: vec![Account { username: "dev".into(), password: "s3cret".into() }],
            repositories: repositories
                .iter()
                .map(|(name, pull)| RepositorySpec {
                    name: (*name).into(),
                    pull: pull.clone(),
                    push: Access::Authenticated,
                })
                .collect(),
            ..HostSpec::default()
        };
        self.registry.add_host(spec).await.unwrap()
    }

    pub(crate) async fn send(&self, call: &Call<'_>, request: http::request::Builder, body: &[u8]) -> Reply {
        self.exchange(call, request, body).await.unwrap()
    }

    /// A request whose answer may break off: then, after how many bytes of it.
    pub(crate) async fn try_send(
        &self,
        call: &Call<'_>,
        request: http::request::Builder,
    ) -> Result<Reply, usize> {
        self.exchange(call, request, b"").await
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        request: http::request::Builder,
        body: &[u8],
    ) -> Result<Reply, usize> {
        let config = pulldrill_tls::client_config(&[self.authority.pem()]).unwrap();
        let socket = TcpStream::connect(call.to).await.unwrap();
        if let Some((node, address)) = call.node {
            let client = Client { node: Some(node.into()), address };
            self.nodes.0.lock().insert(socket.local_addr().unwrap(), client);
        }
        let name = call.name.map_or("127.0.0.1".to_owned(), str::to_owned);
        let tls = tokio_rustls::TlsConnector::from(config);
        let stream = tls.connect(ServerName::try_from(name).unwrap(), socket).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let task = tokio::spawn(connection);
        let host = call.name.map_or_else(|| call.to.to_string(), str::to_owned);
        let mut request: Request<Full<Bytes>> =
            request.header("host", host).body(Full::new(Bytes::copy_from_slice(body))).unwrap();
        request.headers_mut().entry("accept").or_insert(http::HeaderValue::from_static(ACCEPT));
        let response: Response<_> = sender.send_request(request).await.unwrap();
        let (head, mut body) = response.into_parts();
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err(read.len()) };
            read.extend_from_slice(&frame.into_data().unwrap_or_default());
        }
        drop(sender);
        drop(task);
        Ok(Reply { status: head.status, headers: head.headers, body: read.into() })
    }

    /// A request without a body, with an `Authorization` header when there is one.
    pub(crate) async fn ask(&self, call: &Call<'_>, method: &str, path: &str, authorization: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        self.send(call, request, b"").await
    }
}

/// A connection of one's own, for more than one request.
pub(crate) async fn line(authority: &str, to: SocketAddr) -> SendRequest<Full<Bytes>> {
    let config = pulldrill_tls::client_config(&[authority]).unwrap();
    let socket = TcpStream::connect(to).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = tokio_rustls::TlsConnector::from(config).connect(name, socket).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn local(info: &HostInfo) -> Call<'static> {
    Call { to: info.address, name: None, node: None }
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {encoded}")
}

/// Where a program is. A test that cannot do without it ends here loudly, and fails where `CI=true`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{name} has to be there in CI");
        use std::io::Write;
        let _nobody_reads = writeln!(std::io::stderr(), "SKIPPED: {name} is not on the PATH");
    }
    found
}
