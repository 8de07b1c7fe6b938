//! Taking a connection over: what the client offers, and the answer.

use std::{future::Future, sync::atomic::Ordering};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::super::{Reply, Server, dispatch::Asked, reply};
use crate::api::Status;

/// A connection that is ours now.
pub(super) type Io = TokioIo<Upgraded>;

/// The header with SPDY clients' protocols.
const VERSIONS: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// The header that says what would have been accepted.
const ACCEPTED: HeaderName = HeaderName::from_static("x-accepted-stream-protocol-versions");

/// What a client offers to speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// A WebSocket with one of these protocols.
    WebSocket { key: String, protocols: Vec<String> },
    /// SPDY/3.1 with one of these.
    Spdy { protocols: Vec<String> },
}

/// The words of a header that may be there several times, each time with several.
fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let words = values.flat_map(|value| value.split(',')).map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

impl Offer {
    /// Reads what a request offers.
    ///
    /// # Errors
    /// 400 when it offers nothing.
    pub(super) fn of(asked: &Asked) -> Result<Self, Status> {
        let headers = &asked.headers;
        let upgrades = list(headers, &header::CONNECTION).iter().any(|w| w.eq_ignore_ascii_case("upgrade"));
        let to = headers.get(header::UPGRADE).and_then(|v| v.to_str().ok()).filter(|_| upgrades);
        match to {
            Some(to) if to.eq_ignore_ascii_case("websocket") => {
                let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|v| v.to_str().ok());
                let Some(key) = key else { return Err(Status::bad_request("Sec-WebSocket-Key is missing")) };
                let protocols = list(headers, &header::SEC_WEBSOCKET_PROTOCOL);
                Ok(Self::WebSocket { key: key.to_owned(), protocols })
            }
            Some(to) if to.eq_ignore_ascii_case("spdy/3.1") => {
                Ok(Self::Spdy { protocols: list(headers, &VERSIONS) })
            }
            _ => Err(Status::bad_request("Upgrade request required")),
        }
    }

    /// The protocols, in the client's order.
    pub(super) fn protocols(&self) -> &[String] {
        match self {
            Self::WebSocket { protocols, .. } | Self::Spdy { protocols } => protocols,
        }
    }
}

/// The answer when nothing that is offered is known. Clients then try another way.
pub(super) fn unknown(offer: &Offer, known: &[&str]) -> Reply {
    let offered = offer.protocols().join(" ");
    let known = known.join(" ");
    let text = format!(
        "unable to upgrade: unable to negotiate protocol: client supports [{offered}], server accepts [{known}]"
    );
    let mut reply = reply::text(403, text);
    if let Ok(value) = HeaderValue::from_str(&known) {
        reply.headers_mut().insert(ACCEPTED, value);
    }
    reply
}

/// Accepts, and has `serve` run with the connection once the answer is out. It ends with the server.
pub(super) fn accept<F>(
    server: &Server,
    asked: &Asked,
    offer: &Offer,
    protocol: &str,
    serve: impl FnOnce(Io) -> F + Send + 'static,
) -> Reply
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(upgrade) = asked.upgrade.clone() else {
        return reply::refuse(&Status::internal("the connection can't be taken over"));
    };
    let mut answer = reply::bytes(101, "text/plain", "");
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.clear();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    let name = match offer {
        Offer::WebSocket { key, .. } => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            if let Ok(value) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
                headers.insert(header::SEC_WEBSOCKET_ACCEPT, value);
            }
            header::SEC_WEBSOCKET_PROTOCOL
        }
        Offer::Spdy { .. } => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("SPDY/3.1"));
            VERSIONS
        }
    };
    if let Some(value) = HeaderValue::from_str(protocol).ok().filter(|_| !protocol.is_empty()) {
        headers.insert(name, value);
    }
    if let Some(patient) = &asked.patient {
        // Who pages through an output may leave it for as long as he likes.
        patient.store(true, Ordering::Relaxed);
    }
    let stop = server.stop.clone();
    server.sessions.spawn(async move {
        let session = async {
            match upgrade.await {
                Ok(upgraded) => serve(TokioIo::new(upgraded)).await,
                Err(error) => tracing::debug!(%error, "a connection could not be taken over"),
            }
        };
        tokio::select! {
            () = session => {}
            () = stop.cancelled() => {}
        }
    });
    answer
}
