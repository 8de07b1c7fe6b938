//! Taking connections: TLS, who is at the other end, HTTP/1.1, and an orderly end.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use pulldrill_clock::{Eager, real};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::{Server, dispatch, slow::Impatient};
use crate::api::Certified;

/// How long a client may take for the TLS handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a client may leave its socket full.
const UNREAD: Duration = Duration::from_secs(30);

/// How long open requests may take to end after the server was stopped.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves until stopped, and until all connections have ended.
pub async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, server: Server) {
    let connections = TaskTracker::new();
    accept(listener, TlsAcceptor::from(tls), &server, &connections).await;
    connections.close();
    connections.wait().await;
    server.sessions.close();
    server.sessions.wait().await;
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, server: &Server, connections: &TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _peer)) => {
                connections.spawn(Eager::new(connection(stream, acceptor.clone(), server.clone())));
            }
            Err(error) => {
                // Out of file descriptors, most likely: waiting is all that helps.
                tracing::warn!(%error, "cannot accept a connection");
                real::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, server: Server) {
    let _best_effort = stream.set_nodelay(true);
    let handshake = tokio::select! {
        done = real::timeout(PATIENCE, acceptor.accept(stream)) => done,
        () = server.stop.cancelled() => return,
    };
    let stream = match handshake {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            return;
        }
        None => return,
    };
    let user = Certified::of(stream.get_ref().1.peer_certificates().unwrap_or_default(), &server.clients);
    let stop = server.stop.clone();
    let stream = Impatient::new(stream, UNREAD);
    let patient = stream.patient();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (server, user) = (server.clone(), user.clone());
        request.extensions_mut().insert(patient.clone());
        async move { Ok::<_, Infallible>(dispatch::handle(&server, user, request).await) }
    });
    let io = TokioIo::new(stream);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(io, service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            real::timeout(FAREWELL, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}
