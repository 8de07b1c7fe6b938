//! The server of the admin API: sockets, the token, and what a request is for. What is done about it is
//! `handlers`' and `tunnel`'s.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use pulldrill_clock::real;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{
    handlers,
    refusal::{Refusal, worded},
    tunnel,
    wire::LAST_PULL,
};
use crate::{AddressBook, Registry, credentials::same};

/// How long the head of a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at a time, tunnels among them.
const CONNECTIONS: usize = 2_048;

/// What the admin API is about.
#[derive(Clone)]
pub struct AdminServer {
    /// The registry.
    pub registry: Registry,
    /// The registry's knowledge of its clients.
    pub book: Arc<AddressBook>,
    /// What every request has to show; with an empty one nothing is ever granted.
    pub token: String,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Serves the admin API until it is told to stop.
pub async fn serve(listener: TcpListener, server: AdminServer) {
    let tasks = TaskTracker::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let shared = Arc::new(Shared { router: handlers::router(server.clone()), tasks: tasks.clone(), server });
    let stop = &shared.server.stop;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: wait for some to come back.
            real::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(permit) = room.clone().try_acquire_owned() else { continue };
        let shared = shared.clone();
        tasks.spawn(async move {
            let stop = shared.server.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection(shared, stream) => {}
            }
            drop(permit);
        });
    }
    tasks.close();
    tasks.wait().await;
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) server: AdminServer,
    pub(super) tasks: TaskTracker,
    router: Router,
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let _only_slower = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection to the admin API ended");
    }
}

async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Response {
    if !permitted(request.headers(), &shared.server.token) {
        let why = "the admin API wants `Authorization: Bearer TOKEN` with the token it was started with";
        return Refusal::new(StatusCode::UNAUTHORIZED, why).into_response();
    }
    let mut response = if request.method() == Method::CONNECT {
        tunnel::open(shared, request).await
    } else {
        let answered: Result<Response, Infallible> =
            shared.router.clone().oneshot(request.map(Body::new)).await;
        let Ok(response) = answered;
        worded(response).await
    };
    let last = HeaderValue::from(shared.server.registry.pull_log().last());
    response.headers_mut().insert(LAST_PULL, last);
    response
}

/// Whether a request shows the token.
fn permitted(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.split_once(' '));
    shown.is_some_and(|(scheme, shown)| {
        scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && same(shown.trim(), token)
    })
}
