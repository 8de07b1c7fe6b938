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
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// One connection.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    token: String,
}

/// Where a server is, and who may speak to it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) tls: Arc<ClientConfig>,
}

impl Place {
    async fn connect(&self) -> Result<TlsStream<TcpStream>> {
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
        Ok(Self { sender, token: place.token.clone() })
    }

    /// Sends a request; the answer's head has come.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<http::Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1")
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, media)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Full::new(body))?;
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

/// Somebody who watches and does nothing with what comes but count it: a thousand of them leave the machine to the
/// server.
pub(crate) struct Watcher {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
    /// The last byte that has come.
    last: u8,
}

impl Watcher {
    /// Begins to watch; the answer's head has come.
    pub(crate) async fn begin(place: &Place, path: &str) -> Result<Self> {
        let mut stream = place.connect().await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nAuthorization: Bearer {}\r\n\r\n",
            place.token
        );
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.context("no answer to a watch")?);
        }
        ensure!(head.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&head));
        Ok(Self { stream, read: vec![0; 32 * 1024], last: 0 })
    }

    /// Waits for so many events. Each is a line; those that frame chunks end in two characters.
    pub(crate) async fn events(&mut self, count: usize) -> Result<()> {
        let mut seen = 0;
        while seen < count {
            let length = self.stream.read(&mut self.read).await?;
            ensure!(length > 0, "the watch ended after {seen} of {count} events");
            for byte in &self.read[..length] {
                seen += usize::from(*byte == b'\n' && self.last != b'\r');
                self.last = *byte;
            }
        }
        Ok(())
    }
}
