//! Carrying the streams of a command over a WebSocket: the first byte of a message is its channel.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use pulldrill_clock::real;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    sync::{Mutex, watch},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{command::resized, outcome};
use crate::streams::{Ended, Ends, Running, Size};

/// The longest message that is taken in, as Go's server has it.
const LONGEST: usize = 32 * 1024 * 1024;

/// The most that goes into one message.
const PIECE: usize = 32 * 1024;

/// How long a client may take to say goodbye.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// One of the protocols.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Protocol {
    pub(super) name: &'static str,
    /// Messages are text: a digit, then base64.
    pub(super) base64: bool,
    /// Channels can be closed.
    pub(super) closes: bool,
    /// The end is told as an object.
    status: bool,
}

const PROTOCOLS: [Protocol; 6] = [
    Protocol { name: "v5.channel.k8s.io", base64: false, closes: true, status: true },
    Protocol { name: "v4.channel.k8s.io", base64: false, closes: false, status: true },
    Protocol { name: "v4.base64.channel.k8s.io", base64: true, closes: false, status: true },
    Protocol { name: "channel.k8s.io", base64: false, closes: false, status: false },
    Protocol { name: "base64.channel.k8s.io", base64: true, closes: false, status: false },
    Protocol { name: "", base64: false, closes: false, status: false },
];

/// The names of the protocols, with or without the newest.
pub(super) fn names(newest: bool) -> Vec<&'static str> {
    PROTOCOLS.iter().filter(|p| (newest || !p.closes) && !p.name.is_empty()).map(|p| p.name).collect()
}

/// The newest one when it is offered, else the first that is known; who offers none gets the oldest.
pub(super) fn choose(offered: &[String], newest: bool) -> Option<&'static Protocol> {
    let known = |name: &str| PROTOCOLS.iter().find(|p| p.name == name && (newest || !p.closes));
    if offered.is_empty() {
        return known("");
    }
    let best = offered.iter().find_map(|name| known(name).filter(|p| p.closes));
    best.or_else(|| offered.iter().find_map(|name| known(name)))
}

/// A WebSocket on a connection that is ours.
pub(super) async fn socket<Io: AsyncRead + AsyncWrite + Unpin>(io: Io) -> WebSocketStream<Io> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST))
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0);
    WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await
}

/// Sends to channels.
pub(super) struct Channels<Io> {
    sink: Arc<Mutex<SplitSink<WebSocketStream<Io>, Message>>>,
    base64: bool,
}

impl<Io> Clone for Channels<Io> {
    fn clone(&self) -> Self {
        Self { sink: self.sink.clone(), base64: self.base64 }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Channels<Io> {
    pub(super) fn new(sink: SplitSink<WebSocketStream<Io>, Message>, base64: bool) -> Self {
        Self { sink: Arc::new(Mutex::new(sink)), base64 }
    }

    /// Sends to a channel.
    pub(super) async fn send(&self, channel: u8, bytes: &[u8]) -> Result<(), Error> {
        let message = if self.base64 {
            Message::text(format!("{channel}{}", STANDARD.encode(bytes)))
        } else {
            Message::binary([&[channel], bytes].concat())
        };
        self.sink.lock().await.send(message).await
    }

    /// Sends all that comes from a pipe.
    pub(super) async fn copy(&self, channel: u8, from: Option<impl AsyncRead + Unpin>) -> Result<(), Error> {
        let Some(mut from) = from else { return Ok(()) };
        let mut buffer = vec![0; PIECE];
        loop {
            match from.read(&mut buffer).await {
                Ok(n @ 1..) => self.send(channel, &buffer[..n]).await?,
                _ => return Ok(()),
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn close(&self) {
        // Without a code, Go's clients take it for a failure.
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let _client_left = self.sink.lock().await.send(Message::Close(Some(frame))).await;
    }
}

/// The channel and the content of a message. `None` for what is no such message. Whether a frame is called text
/// or binary says nothing: the Python client calls everything text.
pub(super) fn taken_apart(message: Message, base64: bool) -> Option<(u8, Bytes)> {
    let mut bytes: Bytes = match message {
        Message::Binary(bytes) => bytes,
        Message::Text(text) => text.into(),
        _ => return None,
    };
    let channel = *bytes.first()?;
    let rest = bytes.split_off(1);
    if !base64 {
        return Some((channel, rest));
    }
    let channel = channel.checked_sub(b'0').filter(|c| *c < 10)?;
    Some((channel, STANDARD.decode(rest).ok()?.into()))
}

/// Carries a session to its end.
pub(super) async fn carry<Io>(io: Io, protocol: &'static Protocol, ends: Ends, running: Running)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, messages) = socket(io).await.split();
    let channels = Channels::new(sink, protocol.base64);
    let reading = read(messages, protocol, ends.stdin, ends.resize);
    let serving = async {
        if !protocol.closes {
            // The kubelet's sign that the session has begun.
            let first = if ends.stdout.is_some() { STDOUT } else { ERROR };
            let _client_left = channels.send(first, b"").await;
        }
        let outputs =
            futures::future::join(channels.copy(STDOUT, ends.stdout), channels.copy(STDERR, ends.stderr));
        let (ended, _) = futures::future::join(running, outputs).await;
        let told = told(protocol, &ended);
        if !told.is_empty() {
            let _client_left = channels.send(ERROR, &told).await;
        }
        channels.close().await;
    };
    tokio::pin!(reading);
    tokio::select! {
        () = &mut reading => {}
        () = serving => drop(real::timeout(FAREWELL, reading).await),
    }
}

fn told(protocol: &Protocol, ended: &Ended) -> Vec<u8> {
    let status = outcome::status(ended, protocol.closes);
    match (protocol.status, ended) {
        (true, _) => status.to_string().into_bytes(),
        (false, Ended::Exit(0)) => Vec::new(),
        (false, _) => status["message"].as_str().unwrap_or_default().as_bytes().to_vec(),
    }
}

/// Says how it is, and goodbye.
pub(super) async fn say<Io>(io: Io, protocol: &'static Protocol, status: &Value)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, messages) = socket(io).await.split();
    let channels = Channels::new(sink, protocol.base64);
    let _client_left = channels.send(ERROR, status.to_string().as_bytes()).await;
    channels.close().await;
    real::timeout(FAREWELL, read(messages, protocol, None, None)).await;
}

/// Takes in what the client sends, until it leaves.
async fn read<Io>(
    mut messages: SplitStream<WebSocketStream<Io>>,
    protocol: &Protocol,
    mut stdin: Option<DuplexStream>,
    resize: Option<watch::Sender<Size>>,
) where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = messages.next().await {
        match message {
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return,
            _ => {}
        }
        match taken_apart(message, protocol.base64) {
            Some((STDIN, bytes)) => {
                if let Some(pipe) = &mut stdin
                    && pipe.write_all(&bytes).await.is_err()
                {
                    stdin = None;
                }
            }
            Some((RESIZE, bytes)) => {
                if let Some(sizes) = &resize {
                    resized(&bytes, sizes);
                }
            }
            Some((CLOSE, channel)) if protocol.closes && channel.first() == Some(&STDIN) => stdin = None,
            Some(_) => {}
            None if protocol.base64 => return,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_chosen_as_servers_do() {
        let choose = |offered: &[&str], newest| {
            let offered: Vec<String> = offered.iter().map(|o| (*o).to_owned()).collect();
            super::choose(&offered, newest).map(|p| p.name)
        };
        assert_eq!(choose(&["v4.channel.k8s.io", "v5.channel.k8s.io"], true), Some("v5.channel.k8s.io"));
        assert_eq!(choose(&["v5.channel.k8s.io", "v4.channel.k8s.io"], false), Some("v4.channel.k8s.io"));
        assert_eq!(choose(&["v5.channel.k8s.io"], false), None);
        assert_eq!(choose(&["base64.channel.k8s.io", "channel.k8s.io"], true), Some("base64.channel.k8s.io"));
        assert_eq!(choose(&[], true), Some(""));
        assert_eq!(choose(&["v9"], true), None);
    }

    #[test]
    fn messages_are_taken_apart() {
        let binary = |bytes: &[u8]| taken_apart(Message::binary(bytes.to_vec()), false);
        assert_eq!(binary(b"\x00hi"), Some((0, Bytes::from_static(b"hi"))));
        assert_eq!(binary(b"\xff\x00"), Some((255, Bytes::from_static(b"\0"))));
        assert_eq!(binary(b""), None);
        let text = |text: &str| taken_apart(Message::text(text.to_owned()), true);
        assert_eq!(text("0aGk="), Some((0, Bytes::from_static(b"hi"))));
        assert_eq!(text("1"), Some((1, Bytes::new())));
        for bad in ["", "xaGk=", "0a", "é"] {
            assert_eq!(text(bad), None, "{bad}");
        }
        assert_eq!(taken_apart(Message::text("\0hi"), false), Some((0, Bytes::from_static(b"hi"))));
    }
}
