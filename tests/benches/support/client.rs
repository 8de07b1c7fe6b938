//! Clients that cost as little as they can: HTTP/1.1 over TLS, bodies counted and not looked at unless asked for.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// One connection.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    place: Place,
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
        tokio::spawn(connection);
        Ok(Self { sender, place: place.clone() })
    }

    /// Sends a request; the answer's head has come.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<http::Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.place.address.as_str())
            .header(header::ACCEPT, self.place.accept)
            .header(header::CONTENT_TYPE, media);
        if !self.place.authorization.is_empty() {
            request = request.header(header::AUTHORIZATION, self.place.authorization.as_str());
        }
        let request = request.body(Full::new(body))?;
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn call(
        &mut self,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<Bytes> {
        let answer = self.send(method, path, media, body).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<usize> {
        let answer = self.send(Method::GET, path, "application/json", Bytes::new()).await?;
        ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        let (mut body, mut size) = (answer.into_body(), 0);
        while let Some(frame) = body.frame().await {
            size += frame?.data_ref().map_or(0, Bytes::len);
        }
        Ok(size)
    }
}
