//! Carrying the streams of a command: the choice of a protocol, and the one over SPDY.

use std::{collections::HashMap, time::Duration};

use pulldrill_clock::real;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    sync::watch,
};

use super::{
    super::Reply,
    outcome,
    spdy::{Connection, Stream, Writer},
    upgrade::{Io, Offer, unknown},
    websocket,
};
use crate::streams::{Ended, Ends, Running, Size, Wanted};

/// How long a client may take to open its streams.
const OPENING: Duration = Duration::from_secs(30);

/// The longest message about a terminal's size.
const SIZE: u64 = 1024;

/// What SPDY clients can ask for, the newest first.
const VERSIONS: [&str; 4] = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];

/// A protocol that was agreed upon.
pub(super) enum Carrier {
    WebSocket(&'static websocket::Protocol),
    Spdy(&'static str),
}

impl Carrier {
    /// The first protocol of the client's that is known.
    ///
    /// # Errors
    /// The answer when there is none.
    pub(super) fn choose(offer: &Offer, newest: bool) -> Result<Self, Box<Reply>> {
        match offer {
            Offer::WebSocket { protocols, .. } => websocket::choose(protocols, newest)
                .map(Self::WebSocket)
                .ok_or_else(|| Box::new(unknown(offer, &websocket::names(newest)))),
            Offer::Spdy { protocols } => {
                let known = |name: &String| VERSIONS.iter().find(|v| **v == name.as_str());
                match protocols.iter().find_map(known) {
                    Some(version) => Ok(Self::Spdy(version)),
                    // Clients from before there were versions name none.
                    None if protocols.is_empty() => Ok(Self::Spdy("")),
                    None => Err(Box::new(unknown(offer, &VERSIONS))),
                }
            }
        }
    }

    pub(super) fn protocol(&self) -> &'static str {
        match self {
            Self::WebSocket(protocol) => protocol.name,
            Self::Spdy(version) => version,
        }
    }

    /// Whether the API server speaks it itself, so that the kubelet's errors come inside of it.
    pub(super) fn is_translated(&self) -> bool {
        matches!(self, Self::WebSocket(protocol) if protocol.closes)
    }

    /// Carries a session to its end.
    pub(super) async fn carry(self, io: Io, wanted: Wanted, ends: Ends, running: Running) {
        match self {
            Self::WebSocket(protocol) => websocket::carry(io, protocol, ends, running).await,
            Self::Spdy(version) => carry(io, version, wanted, ends, running).await,
        }
    }

    /// Says why there is nothing to be carried, as the server that translates does.
    pub(super) async fn refuse(self, io: Io, why: &str) {
        if let Self::WebSocket(protocol) = self {
            websocket::say(io, protocol, &outcome::internal(why)).await;
        }
    }
}

async fn carry(io: Io, version: &'static str, wanted: Wanted, ends: Ends, running: Running) {
    let (connection, mut opened) = Connection::new(io);
    let work = async move {
        let expected = [
            (true, "error"),
            (wanted.stdin, "stdin"),
            (wanted.stdout, "stdout"),
            (wanted.stderr, "stderr"),
            (wanted.tty && !matches!(version, "" | "channel.k8s.io" | "v2.channel.k8s.io"), "resize"),
        ];
        let expected: Vec<&str> = expected.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
        let mut streams: HashMap<String, Stream> = HashMap::new();
        let opening = async {
            while !expected.iter().all(|name| streams.contains_key(*name)) {
                let Some(stream) = opened.recv().await else { return };
                streams.insert(stream.header("streamtype").to_ascii_lowercase(), stream);
            }
        };
        if real::timeout(OPENING, opening).await.is_none() {
            return;
        }
        session(version, streams, ends, running).await;
    };
    if let Err(error) = connection.run(work).await {
        tracing::debug!(%error, "a session over SPDY ended badly");
    }
}

async fn session(version: &str, mut streams: HashMap<String, Stream>, ends: Ends, running: Running) {
    let output = |name: &str| streams.get(name).map(|stream| stream.output.clone());
    let (errors, stdout, stderr) = (output("error"), output("stdout"), output("stderr"));
    let copy = |from: Option<_>, to: Option<Writer>| async move {
        if let (Some(from), Some(to)) = (from, to) {
            let _client_left = to.copy(from).await;
        }
    };
    let input = streams.remove("stdin").map(|stream| stream.input);
    let keyboard = async {
        if let (Some(mut from), Some(mut to)) = (input, ends.stdin) {
            let _process_left = tokio::io::copy(&mut from, &mut to).await;
            let _end = to.shutdown().await;
        }
    };
    let resize = async {
        if let (Some(stream), Some(sizes)) = (streams.remove("resize"), ends.resize) {
            follow(stream, &sizes).await;
        }
    };
    let program = async {
        let outputs = futures::future::join(copy(ends.stdout, stdout), copy(ends.stderr, stderr));
        futures::future::join(running, outputs).await.0
    };
    let beside = async {
        futures::future::join(keyboard, resize).await;
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = program => ended,
        () = beside => return,
    };
    if let Some(errors) = errors {
        let _client_left = errors.write(&told(version, &ended)).await;
        let _client_left = errors.finish().await;
    }
}

/// What goes to the error stream: an object since the fourth version, and a text for failures before.
fn told(version: &str, ended: &Ended) -> Vec<u8> {
    let status: Value = outcome::status(ended, false);
    match (version, ended) {
        ("v4.channel.k8s.io", _) => status.to_string().into_bytes(),
        (_, Ended::Exit(0)) => Vec::new(),
        _ => status["message"].as_str().unwrap_or_default().as_bytes().to_vec(),
    }
}

/// Takes new sizes, one object a line.
async fn follow(stream: Stream, sizes: &watch::Sender<Size>) {
    let mut lines = BufReader::new(stream.input);
    loop {
        let mut line = Vec::new();
        match (&mut lines).take(SIZE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => resized(&line, sizes),
        }
    }
}

/// Takes a new size: `{"Width":80,"Height":24}`.
pub(super) fn resized(json: &[u8], sizes: &watch::Sender<Size>) {
    let Ok(size) = serde_json::from_slice::<Value>(json) else { return };
    let part = |name: &str| size[name].as_u64().and_then(|n| u16::try_from(n).ok());
    if let (Some(width), Some(height)) = (part("Width"), part("Height")) {
        sizes.send_replace(Size { width, height });
    }
}
