//! Clients that cost as little as they can, so that what is measured is the server: HTTP/1.1 over TLS, written out once, read
//! as it comes, and bodies counted and not kept unless asked for. They trust the servers that they measure.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use http::{Method, Response, header, response::Parts};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How much is read at once, in bytes.
const READ: usize = 64 << 10;
/// Bodies up to this size, in bytes, are sent together with their head.
const SMALL: usize = 32 << 10;

/// One connection.
pub(crate) struct Client {
    stream: TlsStream<TcpStream>,
    place: Place,
    /// What has come and was not looked at.
    read: BytesMut,
    /// What is to be sent.
    written: Vec<u8>,
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

/// How long the body of an answer is.
enum Length {
    Bytes(usize),
    Chunks,
}

impl Client {
    pub(crate) async fn connect(place: &Place) -> Result<Self> {
        let stream = place.connect().await?;
        Ok(Self { stream, place: place.clone(), read: BytesMut::with_capacity(READ), written: Vec::new() })
    }

    async fn write(&mut self, method: &Method, path: &str, media: &str, body: &[u8]) -> Result<()> {
        let Place { address, authorization, accept, .. } = &self.place;
        self.written.clear();
        let mut put = |parts: &[&str]| {
            parts.iter().for_each(|part| self.written.extend_from_slice(part.as_bytes()));
            self.written.extend_from_slice(b"\r\n");
        };
        put(&[method.as_str(), " ", path, " HTTP/1.1"]);
        put(&["host: ", address]);
        put(&["accept: ", accept]);
        put(&["content-type: ", media]);
        put(&["content-length: ", &body.len().to_string()]);
        if !authorization.is_empty() {
            put(&["authorization: ", authorization]);
        }
        put(&[]);
        let together = body.len() <= SMALL;
        if together {
            self.written.extend_from_slice(body);
        }
        self.stream.write_all(&self.written).await?;
        if !together {
            self.stream.write_all(body).await?;
        }
        Ok(self.stream.flush().await?)
    }

    /// Reads more.
    async fn more(&mut self) -> Result<()> {
        self.read.reserve(READ / 4);
        ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the connection ended");
        Ok(())
    }

    /// Sends a request, and reads the head of its answer.
    async fn ask(&mut self, method: Method, path: &str, media: &str, body: &[u8]) -> Result<(Parts, Length)> {
        self.write(&method, path, media, body).await?;
        loop {
            self.more().await?;
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut head = httparse::Response::new(&mut headers);
            let httparse::Status::Complete(end) = head.parse(&self.read)? else { continue };
            let status = head.code.unwrap_or_default();
            let mut answer = Response::builder().status(status);
            for header in head.headers.iter() {
                answer = answer.header(header.name, header.value);
            }
            let (head, ()) = answer.body(())?.into_parts();
            self.read.advance(end);
            let length = match head.headers.get(header::CONTENT_LENGTH) {
                _ if method == Method::HEAD || matches!(status, 204 | 304) => Length::Bytes(0),
                Some(length) => Length::Bytes(length.to_str()?.parse()?),
                None if head.headers.contains_key(header::TRANSFER_ENCODING) => Length::Chunks,
                None => bail!("{path}: nobody knows how long the answer is"),
            };
            return Ok((head, length));
        }
    }

    /// Reads a body, and does something with its pieces.
    async fn body(&mut self, length: Length, mut with: impl FnMut(&[u8])) -> Result<()> {
        match length {
            Length::Bytes(length) => self.piece(length, &mut with).await,
            Length::Chunks => loop {
                let size = usize::from_str_radix(self.line().await?.trim(), 16)?;
                self.piece(size, &mut with).await?;
                ensure!(self.line().await?.is_empty(), "a chunk is longer than it says");
                if size == 0 {
                    return Ok(());
                }
            },
        }
    }

    async fn piece(&mut self, mut length: usize, with: &mut impl FnMut(&[u8])) -> Result<()> {
        while length > 0 {
            if self.read.is_empty() {
                self.more().await?;
            }
            let part = length.min(self.read.len());
            with(&self.read[..part]);
            self.read.advance(part);
            length -= part;
        }
        Ok(())
    }

    /// A line, without what ends it.
    async fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.read) {
                let line = self.read.split_to(end + 1);
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            self.more().await?;
        }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>> {
        let (head, length) = self.ask(method, path, media, &body).await?;
        let mut whole = Vec::new();
        self.body(length, |part| whole.extend_from_slice(part)).await?;
        Ok(Response::from_parts(head, whole.into()))
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
        let (head, length) = self.ask(Method::GET, path, "application/json", &[]).await?;
        let mut size = 0;
        self.body(length, |part| size += part.len()).await?;
        ensure!(head.status.is_success(), "{path}: {}", head.status);
        Ok(size)
    }
}
