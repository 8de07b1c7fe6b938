//! The real registry that a host stands in front of: its address, the way in, and the few things that have to be
//! remembered of it. What is asked of it, and how its answers are told on, is the server's.
//!
//! - [`door`]: tokens and passwords, as the upstream wants them. [`memory`]: uploads under way, configurations seen.

pub(crate) mod door;
mod memory;

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Body, Client, Response, Url, redirect::Policy};

use crate::{RegistryError, spec::UpstreamSpec};
use door::Door;
pub(crate) use memory::Memory;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may come, once it is connected.
const SILENCE: Duration = Duration::from_secs(60);
/// How many redirects are followed: blobs are often kept elsewhere.
const REDIRECTS: usize = 5;

/// A real registry.
pub(crate) struct Upstream {
    base: Url,
    http: Client,
    door: Door,
    pub(crate) memory: Memory,
}

/// A request to it.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// What has to be granted, as token services write it.
    pub(crate) scopes: Vec<String>,
    pub(crate) payload: Payload,
}

/// What a request carries.
pub(crate) enum Payload {
    /// Nothing.
    Nothing,
    /// All of it is here.
    Whole(Bytes),
    /// It comes piece by piece, and only once.
    Passing(Body),
}

/// It did not answer.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) why: String,
}

impl Upstream {
    /// Prepares the way to it; nothing is asked yet.
    pub(crate) fn new(host: &str, spec: &UpstreamSpec) -> Result<Self, RegistryError> {
        let fail = |message: String| RegistryError::Upstream { host: host.to_owned(), message };
        let base = spec.parsed().map_err(fail)?;
        pulldrill_tls::install_provider();
        let mut client = Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(Policy::limited(REDIRECTS))
            .user_agent(concat!("pulldrill/", env!("CARGO_PKG_VERSION")));
        if is_near(&base) {
            // The environment's proxies lead away from this machine.
            client = client.no_proxy();
        }
        if let Some(pem) = &spec.authority {
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes());
            let certificates = certificates.map_err(|error| fail(format!("its authority: {error}")))?;
            if certificates.is_empty() {
                return Err(fail("there is no certificate in what should be its authority".to_owned()));
            }
            client = client.tls_certs_only(certificates);
        }
        let http = client.build().map_err(|error| fail(chain(&error)))?;
        Ok(Self { base, http, door: Door::new(spec.login.clone()), memory: Memory::default() })
    }

    /// The address of something in it.
    pub(crate) fn url(&self, path: &str, query: &[(String, String)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        add_query(&mut url, query);
        url
    }

    /// What it is called in messages.
    pub(crate) fn name(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Asks it. Whatever can be sent twice is sent twice if it wants other credentials than it did before.
    pub(crate) async fn send(&self, call: Call) -> Result<Response, Lost> {
        let Call { method, url, headers, scopes, mut payload } = call;
        let mut first = true;
        loop {
            let mut request = self.http.request(method.clone(), url.clone()).headers(headers.clone());
            // An address that it gives for an upload may be somebody else's, and carries what is needed.
            if url.origin() == self.base.origin()
                && let Some(credentials) = self.door.credentials(&self.http, &self.base, &scopes).await?
            {
                request = request.header(header::AUTHORIZATION, sensitive(&credentials)?);
            }
            let once = matches!(payload, Payload::Passing(_));
            request = match &payload {
                Payload::Whole(bytes) => request.body(bytes.clone()),
                _ => match std::mem::replace(&mut payload, Payload::Nothing) {
                    Payload::Passing(body) => request.body(body),
                    _ => request,
                },
            };
            let response = request.send().await.map_err(lost)?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            self.door.forget();
            if once || !first {
                return Ok(response);
            }
            first = false;
        }
    }
}

/// Adds to a query what is not in it; what is, may be the upstream's own state.
pub(crate) fn add_query(url: &mut Url, query: &[(String, String)]) {
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
}

fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, Lost> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Lost { why: "its credentials fit into no header".to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

fn lost(error: reqwest::Error) -> Lost {
    Lost { why: chain(&error.without_url()) }
}

/// An error with what caused it: the last words are the ones that matter.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
