//! A cluster without nodes, and a small client that speaks HTTP/1.1 over TLS with a certificate.

use std::{net::TcpListener, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use pulldrill_clock::Clock;
use pulldrill_cluster::{Cluster, ClusterOptions, Parts, Principal, dialect::Dialect, store::Disk};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The newest dialect.
pub(crate) const NEWEST: &str = "k8s-1.36-containerd-2.1";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) clock: Clock,
    pub(crate) stop: CancellationToken,
    _stop: DropGuard,
}

/// Who speaks to the server.
#[derive(Clone)]
pub(crate) struct Client {
    tls: Arc<ClientConfig>,
    address: String,
}

pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_clock(Clock::live()).await
    }

    pub(crate) async fn with_clock(clock: Clock) -> Self {
        Self::of(clock, Parts::All, NEWEST, &[]).await
    }

    pub(crate) async fn with_nodes(nodes: &[&str]) -> Self {
        Self::of(Clock::live(), Parts::All, NEWEST, nodes).await
    }

    /// One with nodes whose objects may take so many bytes.
    pub(crate) async fn of_quota(nodes: &[&str], quota: u64) -> Self {
        let set = |options: &mut ClusterOptions| options.quota = quota;
        Self::with(Clock::live(), Parts::All, NEWEST, nodes, set).await
    }

    pub(crate) async fn of(clock: Clock, parts: Parts, dialect: &str, nodes: &[&str]) -> Self {
        Self::with(clock, parts, dialect, nodes, |_| ()).await
    }

    /// One whose data outlives it.
    pub(crate) async fn durable(clock: Clock, dialect: &str, nodes: &[&str], folder: &Path) -> Self {
        // The former owner's thread may still be closing the database.
        let disk = loop {
            match Disk::open(folder) {
                Ok(disk) => break disk,
                Err(error) => assert!(error.to_string().contains("locked"), "{error}"),
            }
            tokio::task::yield_now().await;
        };
        Self::with(clock, Parts::All, dialect, nodes, |options| options.data = Some(disk)).await
    }

    /// One that differs in some options from others.
    pub(crate) async fn with(
        clock: Clock,
        parts: Parts,
        dialect: &str,
        nodes: &[&str],
        differ: impl FnOnce(&mut ClusterOptions),
    ) -> Self {
        let stop = CancellationToken::new();
        let mut options = ClusterOptions {
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            most_pods: Some(2000),
            ..ClusterOptions::new(
                TcpListener::bind("127.0.0.1:0").unwrap(),
                clock.clone(),
                Dialect::named(dialect).unwrap(),
                stop.clone(),
            )
        };
        differ(&mut options);
        let cluster = Cluster::start_with(options, parts).await.unwrap();
        let world = Self { cluster, clock, _stop: stop.clone().drop_guard(), stop };
        world.clock.idle().await;
        world
    }

    /// Stops it, and waits until nothing of it is left.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.cluster.ended().await;
        let space = self.cluster.space().clone();
        // Its timers own parts of the world, which own the clock.
        self.clock.end();
        drop(self);
        assert_eq!((space.used(), space.past()), (0, 0), "somebody still holds objects");
    }

    pub(crate) fn address(&self) -> String {
        self.cluster.url().trim_start_matches("https://").to_owned()
    }

    pub(crate) fn client(&self, principal: Principal) -> Client {
        let (certificate, key) = self.identity(principal);
        self.with_identity(&certificate, &key)
    }

    /// The administrator's certificate and key, PEM.
    pub(crate) fn admin_identity(&self) -> (Vec<u8>, Vec<u8>) {
        self.identity(Principal::Admin)
    }

    fn identity(&self, principal: Principal) -> (Vec<u8>, Vec<u8>) {
        let kubeconfig = self.cluster.kubeconfig(principal);
        let field = |name: &str| {
            let start = kubeconfig.find(&format!("{name}: ")).unwrap() + name.len() + 2;
            let text = kubeconfig[start..].lines().next().unwrap();
            STANDARD.decode(text).unwrap()
        };
        assert_eq!(field("certificate-authority-data"), self.cluster.authority().as_bytes());
        (field("client-certificate-data"), field("client-key-data"))
    }

    /// A client with a certificate and a key, PEM.
    pub(crate) fn with_identity(&self, certificate: &[u8], key: &[u8]) -> Client {
        let chain = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key).unwrap();
        let roots = roots(self.cluster.authority().as_bytes());
        let tls =
            ClientConfig::builder().with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap();
        Client { tls: Arc::new(tls), address: self.address() }
    }

    pub(crate) fn admin(&self) -> Client {
        self.client(Principal::Admin)
    }

    pub(crate) fn stranger(&self) -> Client {
        let roots = roots(self.cluster.authority().as_bytes());
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Client { tls: Arc::new(tls), address: self.address() }
    }
}

fn roots(pem: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
    roots
}

impl Client {
    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(self.tls.clone()).connect(name, stream).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> http::Response<Incoming> {
        let stream = TokioIo::new(self.connect().await);
        let (mut sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, body) = self.send(request.body(Full::new(body.into())).unwrap()).await.into_parts();
        Answer {
            code: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "").await
    }

    pub(crate) async fn table(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[("accept", TABLE)], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, kind: &str, body: &Value) -> Answer {
        let kind = format!("application/{kind}");
        self.ask(Method::PATCH, path, &[("content-type", &kind)], body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, &[], "").await
    }

    /// Opens a watch.
    pub(crate) async fn watch(&self, path: &str) -> Watch {
        self.watch_as("application/json", path).await
    }

    /// Opens a watch of table rows, as `kubectl get -w` does.
    pub(crate) async fn watch_table(&self, path: &str) -> Watch {
        self.watch_as(TABLE, path).await
    }

    async fn watch_as(&self, accept: &str, path: &str) -> Watch {
        let request = Request::get(path).header("host", "127.0.0.1").header("accept", accept);
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let reply = self.send(request).await;
        assert_eq!(reply.status(), 200);
        Watch { body: reply.into_body(), rest: Vec::new() }
    }
}

/// The events of a watch, one by one.
pub(crate) struct Watch {
    body: Incoming,
    rest: Vec<u8>,
}

impl Watch {
    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line).unwrap();
                return Some((event["type"].as_str().unwrap().to_owned(), event["object"].clone()));
            }
            let frame = self.body.frame().await?.ok()?;
            if let Some(data) = frame.data_ref() {
                self.rest.extend_from_slice(data);
            }
        }
    }

    /// The kind of the next event and the name of its object.
    pub(crate) async fn brief(&mut self) -> (String, String) {
        let (kind, object) = self.next().await.unwrap();
        (kind, object["metadata"]["name"].as_str().unwrap_or_default().to_owned())
    }
}

pub(crate) fn config_map(name: &str, labels: &Value) -> Value {
    serde_json::json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "labels": labels},
        "data": {"a": "b"}})
}
