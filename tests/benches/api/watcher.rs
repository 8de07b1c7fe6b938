//! Somebody who follows changes and does nothing with them.

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::support::client::Place;

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
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nAuthorization: {}\r\n\r\n",
            place.authorization
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
            let read = &self.read[..length];
            for end in memchr::memchr_iter(b'\n', read) {
                let before = if end == 0 { self.last } else { read[end - 1] };
                seen += usize::from(before != b'\r');
            }
            self.last = read[length - 1];
        }
        Ok(())
    }
}
