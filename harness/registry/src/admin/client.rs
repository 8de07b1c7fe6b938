//! The owner's side of the admin API: a [`Control`] over a registry that runs elsewhere.
//!
//! Hosts are reached at ports of this machine (see `forward`), and the pull log is a copy that follows the
//! registry's (see `mirror`). A call returns when the copy holds whatever the registry had logged by then.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use pulldrill_clock::{Timestamp, real};
use reqwest::{Method, StatusCode, Url};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    forward::{Ports, Tunnels},
    mirror,
    wire::{
        CopyOrder, Exhaustion, Info, KnownClients, LAST_PULL, LocalAddresses, NameAddress, Pulls, PushOrder,
        ROOT, RefusalBody, TokenOrder,
    },
};
use crate::{
    Control, Fault, FaultRule, HostInfo, HostSpec, ImagePlace, ImageRef, ImageSpec, Inspected, Inspection,
    PullLog, RegistryError, TokenInfo,
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a call waits for the copy of the log, at most.
const CATCH_UP: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for the next call: shorter than the registry keeps it. What lies between may
/// tell of the registry's hanging up too late.
const IDLE: Duration = Duration::from_secs(4);
/// The pause between two attempts to find the registry.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a registry is controlled.
pub struct AdminClientOptions {
    /// The admin API's address, as this machine reaches it.
    pub address: SocketAddr,
    /// Its token.
    pub token: String,
    /// How long it may take to begin to answer.
    pub patience: Duration,
    /// Ends the client's ports and its copy of the log.
    pub stop: CancellationToken,
}

/// A registry that runs elsewhere. Cheap to clone.
#[derive(Clone)]
pub struct AdminClient(Arc<Inner>);

struct Inner {
    http: Http,
    info: Info,
    log: Arc<PullLog>,
    /// Whether that is kept up to date.
    follows: AtomicBool,
    tunnels: Tunnels,
    hosts: Mutex<BTreeMap<String, Ports>>,
    stop: CancellationToken,
    _ends_with_the_last_clone: DropGuard,
}

impl AdminClient {
    /// Finds the registry and begins to follow its log.
    ///
    /// # Errors
    /// [`RegistryError::Unreachable`] when it does not answer in time; [`RegistryError::Remote`] when it does not
    /// take the token.
    pub async fn connect(options: AdminClientOptions) -> Result<Self, RegistryError> {
        let client = Self::for_a_while(options).await?;
        let inner = &client.0;
        inner.follows.store(true, Ordering::Relaxed);
        tokio::spawn(mirror::follow(inner.http.clone(), inner.log.clone(), inner.stop.clone()));
        Ok(client)
    }

    /// Finds the registry; for somebody who makes a few calls and does not read the copy of its log.
    ///
    /// # Errors
    /// As [`AdminClient::connect`].
    pub async fn for_a_while(options: AdminClientOptions) -> Result<Self, RegistryError> {
        let AdminClientOptions { address, token, patience, stop } = options;
        let http = Http::new(address, &token)?;
        let waited = real::stopwatch();
        let info = loop {
            match http.ask::<Info>(Method::GET, &["info"], None::<&()>).await {
                Ok((info, _)) => break info,
                Err(RegistryError::Unreachable { .. }) if waited.elapsed() < patience => {
                    real::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        };
        let stop = stop.child_token();
        Ok(Self(Arc::new(Inner {
            http,
            info,
            log: Arc::default(),
            follows: AtomicBool::new(false),
            tunnels: Tunnels { admin: address, token: token.into() },
            hosts: Mutex::default(),
            _ends_with_the_last_clone: stop.clone().drop_guard(),
            stop,
        })))
    }

    /// What runs there.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.0.info
    }

    /// The names of all hosts.
    ///
    /// # Errors
    /// As for every call.
    pub async fn host_names(&self) -> Result<Vec<String>, RegistryError> {
        self.call(Method::GET, &["hosts"], None::<&()>).await
    }

    /// What is new in the pull log, waiting for it for so many seconds if there is nothing yet.
    ///
    /// # Errors
    /// As for every call.
    pub async fn pulls(&self, since: u64, wait: u64) -> Result<Pulls, RegistryError> {
        self.0.http.pulls(since, wait).await
    }

    /// Says who is who among the registry's clients, and how they are reached.
    ///
    /// # Errors
    /// As for every call; [`RegistryError::Remote`] for routes where the registry owns no interface.
    pub async fn set_clients(&self, known: &KnownClients) -> Result<(), RegistryError> {
        self.call(Method::PUT, &["clients"], Some(known)).await
    }

    /// Lets the registry's DNS resolve a name to an address.
    ///
    /// # Errors
    /// As for every call; [`RegistryError::Remote`] for something that is no name.
    pub async fn set_name(&self, name: &str, address: Ipv4Addr) -> Result<(), RegistryError> {
        self.call(Method::PUT, &["names", name], Some(&NameAddress { address })).await
    }

    /// Lets the registry's DNS forget a name that was set; fine when there is none.
    ///
    /// # Errors
    /// As for every call.
    pub async fn remove_name(&self, name: &str) -> Result<(), RegistryError> {
        self.call(Method::DELETE, &["names", name], None::<&()>).await
    }

    /// One call; returns when the log has caught up.
    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, RegistryError> {
        let (answer, last) = self.0.http.ask(method, path, body).await?;
        if let Some(before) = last.checked_sub(1).filter(|_| self.0.follows.load(Ordering::Relaxed)) {
            let caught_up = real::timeout(CATCH_UP, self.0.log.beyond(before));
            tokio::select! {
                () = self.0.stop.cancelled() => {}
                caught_up = caught_up => if caught_up.is_none() {
                    tracing::warn!(last, "the copy of the pull log is behind");
                }
            }
        }
        Ok(answer)
    }

    /// Opens the ports of a host and lets its answers lead there.
    async fn open(&self, info: HostInfo) -> Result<HostInfo, RegistryError> {
        let ports = Ports::until(&self.0.stop);
        let address = self.0.tunnels.forward(&info.name, false, &ports).await?;
        let token_host = match &info.token_host {
            Some((name, _)) => Some((name.clone(), self.0.tunnels.forward(&info.name, true, &ports).await?)),
            None => None,
        };
        let local = LocalAddresses { address, token_address: token_host.as_ref().map(|(_, at)| *at) };
        self.call::<()>(Method::PUT, &["hosts", &info.name, "local"], Some(&local)).await?;
        self.0.hosts.lock().insert(info.name.clone(), ports);
        Ok(HostInfo { name: info.name, url: format!("https://{address}"), address, token_host })
    }
}

#[async_trait]
impl Control for AdminClient {
    async fn authority(&self) -> Result<String, RegistryError> {
        Ok(self.0.info.authority.clone())
    }

    async fn add_host(&self, spec: HostSpec) -> Result<HostInfo, RegistryError> {
        let name = spec.name.clone();
        let info = self.call(Method::PUT, &["hosts", &name], Some(&spec)).await?;
        let opened = self.open(info).await;
        if opened.is_err() {
            // What can't be reached is not there.
            let _the_first_error_is_told = self.remove_host(&name).await;
        }
        opened
    }

    async fn remove_host(&self, name: &str) -> Result<(), RegistryError> {
        self.call::<()>(Method::DELETE, &["hosts", name], None::<&()>).await?;
        let ports = self.0.hosts.lock().remove(name);
        if let Some(ports) = ports {
            ports.close().await;
        }
        Ok(())
    }

    async fn push_image(
        &self,
        host: &str,
        repository: &str,
        tag: Option<&str>,
        spec: &ImageSpec,
    ) -> Result<ImageRef, RegistryError> {
        let order =
            PushOrder { repository: repository.to_owned(), tag: tag.map(str::to_owned), image: spec.clone() };
        self.call(Method::POST, &["hosts", host, "images"], Some(&order)).await
    }

    async fn copy(&self, from: &ImagePlace, to: &ImagePlace, user: &str) -> Result<ImageRef, RegistryError> {
        let order = CopyOrder { from: from.clone(), to: to.clone(), user: user.to_owned() };
        self.call(Method::POST, &["copies"], Some(&order)).await
    }

    async fn issue_token(&self, host: &str, at: Timestamp) -> Result<TokenInfo, RegistryError> {
        self.call(Method::POST, &["hosts", host, "tokens"], Some(&TokenOrder { at })).await
    }

    async fn exhaust(&self, host: &str, client: IpAddr) -> Result<(), RegistryError> {
        self.call(Method::POST, &["hosts", host, "exhausted"], Some(&Exhaustion { client })).await
    }

    async fn faults(&self, host: &str) -> Result<Vec<Fault>, RegistryError> {
        self.call(Method::GET, &["hosts", host, "faults"], None::<&()>).await
    }

    async fn add_fault(&self, host: &str, rule: FaultRule) -> Result<Fault, RegistryError> {
        self.call(Method::POST, &["hosts", host, "faults"], Some(&rule)).await
    }

    async fn remove_fault(&self, host: &str, id: u64) -> Result<(), RegistryError> {
        self.call(Method::DELETE, &["hosts", host, "faults", &id.to_string()], None::<&()>).await
    }

    async fn set_faults(&self, host: &str, rules: Vec<FaultRule>) -> Result<(), RegistryError> {
        self.call(Method::PUT, &["hosts", host, "faults"], Some(&rules)).await
    }

    async fn inspect(&self, wanted: &Inspection) -> Result<Inspected, RegistryError> {
        self.call(Method::POST, &["inspect"], Some(wanted)).await
    }

    fn pull_log(&self) -> &PullLog {
        &self.0.log
    }
}

/// Requests to the admin API.
#[derive(Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    address: SocketAddr,
    token: Arc<str>,
}

impl Http {
    fn new(address: SocketAddr, token: &str) -> Result<Self, RegistryError> {
        // The HTTP client panics without it, even where it speaks no TLS.
        pulldrill_tls::install_provider();
        // The environment's proxies lead elsewhere.
        let client =
            reqwest::Client::builder().no_proxy().connect_timeout(CONNECT).pool_idle_timeout(IDLE).build();
        let client = client.map_err(|error| RegistryError::Unreachable {
            address: address.to_string(),
            message: error.to_string(),
        })?;
        Ok(Self { client, address, token: token.into() })
    }

    /// What is new in the pull log, waiting for it if there is nothing yet.
    pub(super) async fn pulls(&self, since: u64, wait: u64) -> Result<Pulls, RegistryError> {
        let mut url = self.url(&["pulls"])?;
        url.set_query(Some(&format!("since={since}&wait={wait}")));
        let patience = ANSWER + Duration::from_secs(wait);
        Ok(self.send(self.client.get(url).timeout(patience)).await?.0)
    }

    /// One request: its answer, and the number of the newest entry of the log by then.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<(T, u64), RegistryError> {
        let mut request = self.client.request(method, self.url(path)?).timeout(ANSWER);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<(T, u64), RegistryError> {
        let request = request.bearer_auth(&self.token);
        let response = request.send().await.map_err(|error| self.unreachable(&error.without_url()))?;
        let status = response.status();
        let last = response.headers().get(LAST_PULL).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.bytes().await.map_err(|error| self.unreachable(&error.without_url()))?;
        if !status.is_success()
            && let Ok(RefusalBody { error }) = serde_json::from_slice(&body)
        {
            return Err(match status {
                StatusCode::NOT_FOUND => RegistryError::RemoteNotFound(error),
                _ => RegistryError::Remote(error),
            });
        }
        let Some(last) = last.filter(|_| status.is_success()) else {
            let what = format!("status {status} of something that is no registry's admin API");
            return Err(self.no_answer(what));
        };
        let body: &[u8] = if status == StatusCode::NO_CONTENT { b"null" } else { &body };
        let answer = serde_json::from_slice(body)
            .map_err(|error| self.no_answer(format!("an answer that cannot be read: {error}")))?;
        Ok((answer, last))
    }

    /// Path segments are other people's names: they are escaped.
    fn url(&self, path: &[&str]) -> Result<Url, RegistryError> {
        let mut url = Url::parse(&format!("http://{}{ROOT}", self.address))
            .map_err(|error| self.no_answer(error.to_string()))?;
        if path.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(RegistryError::Remote(format!("no host or name can be called {:?}", path.last())));
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        Ok(url)
    }

    fn unreachable(&self, error: &reqwest::Error) -> RegistryError {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        self.no_answer(message)
    }

    fn no_answer(&self, message: String) -> RegistryError {
        RegistryError::Unreachable { address: self.address.to_string(), message }
    }
}
