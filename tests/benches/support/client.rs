//! Clients that cost as little as they can: HTTP/1.1 over TLS, each in one task, bodies counted and not looked at unless asked
//! for.

use std::{pin::Pin, sync::Arc};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use pulldrill_clock::Eager;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// One connection.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection,
    place: Place,
}

/// What moves bytes while a client waits for something: in a task of its own every request and every answer would wait for that
/// one's turn.
struct Connection {
    moves: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
    ended: bool,
}

impl Connection {
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = work.as_mut() => return done,
                // Why, who waits is told.
                _told = self.moves.as_mut(), if !self.ended => self.ended = true,
            }
        }
    }
}

/// Where a server is, and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Place {
    /// `host:port`.
    pub(crate) address: String,
    /// The header of that name; empty where it isn't needed.
    pub(crate) authorization: String,
    /// The header of that name.
    pub(crate) accept: &'static str,
    pub(crate) tls: Arc<ClientConfig>,
}

impl Place {
    pub(crate) async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(&self.address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("127.0.0.1")?;
        Ok(TlsConnector::from(self.tls.clone()).connect(name, stream).await?)
    }
}

impl Client {
    pub(crate) async fn connect(place: &Place) -> Result<Self> {
        let stream = place.connect().await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = Connection { moves: Box::pin(connection), ended: false };
        Ok(Self { sender, connection, place: place.clone() })
    }

    fn request(&self, method: Method, path: &str, media: &str, body: Bytes) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.place.address.as_str())
            .header(header::ACCEPT, self.place.accept)
            .header(header::CONTENT_TYPE, media);
        if !self.place.authorization.is_empty() {
            request = request.header(header::AUTHORIZATION, self.place.authorization.as_str());
        }
        Ok(request.body(Full::new(body))?)
    }

    /// Sends a request, and does something with the answer.
    async fn ask<T>(
        &mut self,
        request: Request<Full<Bytes>>,
        with: impl AsyncFnOnce(Response<Incoming>) -> Result<T>,
    ) -> Result<T> {
        let sender = &mut self.sender;
        let work = async {
            sender.ready().await?;
            with(sender.send_request(request).await?).await
        };
        Eager::new(self.connection.during(work)).await
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>> {
        let request = self.request(method, path, media, body)?;
        self.ask(request, async |answer| {
            let (head, body) = answer.into_parts();
            Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
        })
        .await
    }

    /// [`Client::send`]; fails unless it was done.
    pub(crate) async fn call(
        &mut self,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<Bytes> {
        let (head, body) = self.send(method, path, media, body).await?.into_parts();
        ensure!(head.status.is_success(), "{path}: {}: {}", head.status, String::from_utf8_lossy(&body));
        Ok(body)
    }

    /// How long what is there is.
    pub(crate) async fn get(&mut self, path: &str) -> Result<usize> {
        let request = self.request(Method::GET, path, "application/json", Bytes::new())?;
        self.ask(request, async |answer| {
            ensure!(answer.status().is_success(), "{path}: {}", answer.status());
            let (mut body, mut size) = (answer.into_body(), 0);
            while let Some(frame) = body.frame().await {
                size += frame?.data_ref().map_or(0, Bytes::len);
            }
            Ok(size)
        })
        .await
    }
}
