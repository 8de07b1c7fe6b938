//! `CONNECT host:443`: the admin port leads to the listener of every host, so that one published port is enough.
//! The bytes inside are the host's own TLS; they are not looked at.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode};
use hyper::{body::Incoming, upgrade};
use hyper_util::rt::TokioIo;
use tokio::{io::copy_bidirectional, net::TcpStream};

use super::{refusal::Refusal, server::Shared, wire::TOKEN_HOST};

/// Answers a `CONNECT`.
pub(super) async fn open(shared: &Arc<Shared>, request: Request<Incoming>) -> Response {
    let target = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    // Hosts may have a port in their names.
    let bare = target.rsplit_once(':').map_or(target.as_str(), |(name, _)| name);
    let registry = &shared.server.registry;
    let of_tokens = request.headers().contains_key(TOKEN_HOST);
    let address = registry.listener_of(&target, of_tokens).or_else(|| registry.listener_of(bare, of_tokens));
    let Some(address) = address else {
        let why = format!("there is no registry host {bare:?} to connect to");
        return Refusal::new(StatusCode::NOT_FOUND, why).into_response();
    };
    let mut upstream = match TcpStream::connect(address).await {
        Ok(upstream) => upstream,
        Err(error) => {
            let why = format!("the listener of {bare} does not answer: {error}");
            return Refusal::new(StatusCode::BAD_GATEWAY, why).into_response();
        }
    };
    let stop = shared.server.stop.clone();
    shared.tasks.spawn(async move {
        let Ok(upgraded) = upgrade::on(request).await else { return };
        let mut client = TokioIo::new(upgraded);
        tokio::select! {
            () = stop.cancelled() => {}
            _whoever_hangs_up = copy_bidirectional(&mut client, &mut upstream) => {}
        }
    });
    Response::new(Body::empty())
}
