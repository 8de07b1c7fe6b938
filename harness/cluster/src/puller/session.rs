//! The HTTP connections of one pull: dialled through the node's network, TLS, HTTP/1.1, kept between
//! requests. A pull's busy token lives here, because only a dial ever gives it up.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use pulldrill_clock::{Busy, Clock, real};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio_rustls::TlsConnector;
use url::Url;

use super::{
    error::{Code, PullError},
    transport,
};
use crate::{dialect::Dialect, network::Network};

/// How long a server may keep a request waiting, in real time. It only guards against a hung server.
const GUARD: Duration = Duration::from_secs(60);
/// How many redirects are followed.
const REDIRECTS: usize = 10;

/// What all pulls of one node share.
pub(super) struct Client {
    pub(super) node: String,
    pub(super) network: Network,
    pub(super) clock: Clock,
    pub(super) dialect: Arc<Dialect>,
    pub(super) tls: Arc<ClientConfig>,
    /// The same for hosts whose authority nodes do not have.
    pub(super) strangers: Arc<ClientConfig>,
}

/// A request to be made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Sets a header; a value that no header can carry is left out.
    pub(super) fn with(mut self, name: header::HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// The connections of one pull.
pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    busy: Option<Busy>,
    idle: HashMap<(String, u16), SendRequest<Full<Bytes>>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(client: &'a Client, busy: Busy) -> Self {
        Self { client, busy: Some(busy), idle: HashMap::new() }
    }

    /// Gives the token back at the end.
    pub(super) fn into_busy(self) -> Busy {
        self.busy.unwrap_or_else(|| self.client.clock.busy())
    }

    /// Waits in lab time.
    pub(super) async fn pause(&mut self, duration: pulldrill_clock::SignedDuration) {
        let clock = self.client.clock.clone();
        let busy = self.busy.take().unwrap_or_else(|| clock.busy());
        let until = clock.now() + duration;
        self.busy = Some(clock.sleep_until(busy, until).await);
    }

    /// Makes a request and follows redirects. The error is the sentence after `failed to do request: `
    /// (or, for a token, after `failed to fetch …: `).
    pub(super) async fn send(&mut self, call: &Call) -> Result<Response<Incoming>, PullError> {
        let mut call = call.clone();
        for _ in 0..REDIRECTS {
            let response = self.send_once(&call).await?;
            let Some(next) = redirect(&call, &response) else { return Ok(response) };
            call = next;
        }
        Err(PullError::unknown(format!(
            "{} \"{}\": stopped after {REDIRECTS} redirects",
            title(&call.method),
            call.url
        )))
    }

    async fn send_once(&mut self, call: &Call) -> Result<Response<Incoming>, PullError> {
        let name = |error: PullError| {
            error.reworded(|cause| format!("{} \"{}\": {cause}", title(&call.method), call.url))
        };
        let url = Url::parse(&call.url).map_err(|e| name(PullError::unknown(e.to_string())))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let address = (host.clone(), port);
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() =
            path_and_query(&url).parse().map_err(|_| name(PullError::unknown("invalid URI")))?;
        *request.headers_mut() = call.headers.clone();
        let authority = url.port().map_or(host.clone(), |port| format!("{host}:{port}"));
        for (field, value) in [
            (header::HOST, authority.as_str()),
            (header::USER_AGENT, &self.client.dialect.runtime.user_agent),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                request.headers_mut().insert(field, value);
            }
        }
        let kept = match self.idle.remove(&address) {
            Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
            None => None,
        };
        let mut sender = match kept {
            Some(sender) => sender,
            None => self.open(&host, port, url.scheme() == "http").await.map_err(name)?,
        };
        let answer = real::timeout(GUARD, sender.send_request(request)).await;
        let answer =
            answer.ok_or_else(|| name(PullError::unknown("net/http: timeout awaiting response headers")))?;
        let response = answer.map_err(|e| name(PullError::unknown(http_error(&e))))?;
        self.idle.insert(address, sender);
        Ok(response)
    }

    /// Dials, and speaks TLS unless the address says plain HTTP.
    async fn open(
        &mut self,
        host: &str,
        port: u16,
        plain: bool,
    ) -> Result<SendRequest<Full<Bytes>>, PullError> {
        let client = self.client;
        let busy = self.busy.take().unwrap_or_else(|| client.clock.busy());
        let (dialled, busy) = client.network.connect(&client.node, host, port, &client.clock, busy).await;
        self.busy = Some(busy);
        let stream = dialled.map_err(|error| {
            let code = if error.is_timeout() { Code::DeadlineExceeded } else { Code::Unknown };
            PullError { unreachable: error.is_refused(), ..PullError::new(code, error.to_string()) }
        })?;
        if plain {
            return handshake(TokioIo::new(stream)).await;
        }
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| PullError::unknown(format!("tls: invalid server name {host}")))?;
        let trust = if client.network.trusts(host) { &client.tls } else { &client.strangers };
        let connecting = TlsConnector::from(trust.clone()).connect(name, stream);
        let stream = real::timeout(GUARD, connecting)
            .await
            .ok_or_else(|| PullError::unknown("net/http: TLS handshake timeout"))?
            .map_err(|error| PullError::unknown(transport::handshake_error(&error, host)))?;
        handshake(TokioIo::new(stream)).await
    }

    /// Reads a body: what came, and whether it ended early.
    pub(super) async fn read(&mut self, body: Incoming) -> (Vec<u8>, bool) {
        let mut body = body;
        let mut bytes = Vec::new();
        loop {
            match real::timeout(GUARD, body.frame()).await {
                Some(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        bytes.extend_from_slice(&data);
                    }
                }
                Some(None) => return (bytes, false),
                Some(Some(Err(_))) | None => return (bytes, true),
            }
        }
    }
}

async fn handshake<T>(io: T) -> Result<SendRequest<Full<Bytes>>, PullError>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(io)
        .await
        .map_err(|error| PullError::unknown(http_error(&error)))?;
    tokio::spawn(async move {
        // Its errors reach the requests that were in flight.
        let _ended = connection.await;
    });
    Ok(sender)
}

fn http_error(error: &hyper::Error) -> String {
    let source = std::error::Error::source(error).and_then(|s| s.downcast_ref::<std::io::Error>());
    match source {
        Some(io) => transport::io_error(io),
        None if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => "EOF".to_owned(),
        None => format!("net/http: HTTP/1.x transport connection broken: {error}"),
    }
}

/// The request that a redirect asks for. Credentials never go to another host.
fn redirect(call: &Call, response: &Response<Incoming>) -> Option<Call> {
    let see_other = match response.status().as_u16() {
        301..=303 => true,
        307 | 308 => false,
        _ => return None,
    };
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let from = Url::parse(&call.url).ok()?;
    let to = from.join(location).ok()?;
    let mut next = Call { url: to.to_string(), ..call.clone() };
    if (from.host_str(), from.port()) != (to.host_str(), to.port()) {
        next.headers.remove(header::AUTHORIZATION);
    }
    if see_other && call.method != Method::HEAD {
        next.method = Method::GET;
        next.body = Bytes::new();
    }
    Some(next)
}

fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

/// A method as error messages write it: `Head`, `Get`, `Post`.
fn title(method: &Method) -> String {
    let lower = method.as_str().to_ascii_lowercase();
    let mut letters = lower.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// A status line as received: `403 Forbidden`.
pub(super) fn status_line<B>(response: &Response<B>) -> String {
    let status = response.status();
    let phrase = response.extensions().get::<hyper::ext::ReasonPhrase>();
    let phrase = phrase.map(|p| String::from_utf8_lossy(p.as_bytes()).into_owned());
    let phrase = phrase.unwrap_or_else(|| status.canonical_reason().unwrap_or_default().to_owned());
    format!("{} {phrase}", status.as_u16())
}
