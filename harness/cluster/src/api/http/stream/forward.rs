//! Connections to the ports of a pod, over SPDY (in a WebSocket or not) and over WebSocket channels.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use pulldrill_clock::real;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, WriteHalf, split};
use tokio_tungstenite::tungstenite::Message;

use super::{
    super::{Reply, Server, dispatch::Asked, reply},
    WEBSOCKETS_SINCE,
    spdy::{Connection, Stream},
    tunnel::tunnel,
    upgrade::{self, Offer, unknown},
    websocket::{Channels, FAREWELL, socket, taken_apart},
};
use crate::{api::json::text, streams::Containers};

/// What SPDY clients speak.
const PLAIN: &str = "portforward.k8s.io";

/// The same inside of a WebSocket.
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// What other clients speak over a WebSocket, and whether it is base64.
const CHANNELS: [(&str, bool); 4] = [
    ("v4.channel.k8s.io", false),
    ("v4.base64.channel.k8s.io", true),
    ("channel.k8s.io", false),
    ("base64.channel.k8s.io", true),
];

/// How many ports one WebSocket can be for: a channel is a byte, and each port has two.
const PORTS: usize = 120;

/// How long the second stream of a connection may take after the first.
const OPENING: Duration = Duration::from_secs(30);

/// The pod whose ports are meant.
#[derive(Clone)]
struct Pod {
    uid: String,
    containers: Arc<dyn Containers>,
}

/// Answers a request for ports.
pub(super) fn open(server: &Server, asked: &Asked, pod: &Value, offer: &Offer) -> Reply {
    let pod = Pod { uid: text(&pod["metadata"]["uid"]).to_owned(), containers: server.containers.clone() };
    match offer {
        Offer::Spdy { protocols } if protocols.is_empty() || protocols.iter().any(|p| p == PLAIN) => {
            upgrade::accept(server, asked, offer, PLAIN, move |io| over_spdy(io, pod))
        }
        Offer::Spdy { .. } => unknown(offer, &[PLAIN]),
        Offer::WebSocket { protocols, .. } if protocols.iter().any(|p| p == TUNNEL) => {
            if !server.release().since(WEBSOCKETS_SINCE) {
                return reply::text(400, "unable to upgrade: WebSocket tunnels are not known");
            }
            upgrade::accept(server, asked, offer, TUNNEL, move |io| async move {
                let (inside, moving) = tunnel(io).await;
                futures::future::join(moving, over_spdy(inside, pod)).await;
            })
        }
        Offer::WebSocket { protocols, .. } => {
            let known = |name: &String| CHANNELS.iter().find(|(known, _)| known == name);
            let (name, base64) = match protocols.iter().find_map(known) {
                Some((name, base64)) => (*name, *base64),
                None if protocols.is_empty() => ("", false),
                None => return unknown(offer, &CHANNELS.map(|(name, _)| name)),
            };
            let words = asked.query.all("ports");
            let words = words.iter().flat_map(|w| w.split(',')).map(str::trim);
            let ports: Result<Vec<u16>, String> =
                words.map(|w| w.parse().ok().filter(|p| *p > 0).ok_or_else(|| w.to_owned())).collect();
            match ports {
                Ok(ports) if !ports.is_empty() && ports.len() <= PORTS => {
                    upgrade::accept(server, asked, offer, name, move |io| {
                        over_channels(io, pod, ports, base64)
                    })
                }
                Ok(_) => reply::text(400, "query parameter \"port\" is required\n"),
                Err(word) => reply::text(400, format!("unable to parse {word:?} as a port\n")),
            }
        }
    }
}

/// Each connection is a pair of streams with the same request id.
async fn over_spdy<Io: AsyncRead + AsyncWrite + Send>(io: Io, pod: Pod) {
    let (connection, mut opened) = Connection::new(io);
    let work = async move {
        let mut halves: HashMap<String, (Stream, std::time::Instant)> = HashMap::new();
        let mut connections = FuturesUnordered::new();
        loop {
            let stream = tokio::select! {
                stream = opened.recv() => stream,
                Some(()) = connections.next(), if !connections.is_empty() => continue,
            };
            let Some(stream) = stream else { break };
            halves.retain(|_, (_, since)| since.elapsed() < OPENING);
            let id = stream.header("requestid").to_owned();
            match halves.remove(&id) {
                None => drop(halves.insert(id, (stream, real::stopwatch()))),
                Some((other, _)) => {
                    let (data, error) =
                        if stream.header("streamtype") == "data" { (stream, other) } else { (other, stream) };
                    connections.push(connect(pod.clone(), data, error));
                }
            }
        }
        while connections.next().await.is_some() {}
    };
    if let Err(error) = connection.run(work).await {
        tracing::debug!(%error, "forwarding over SPDY ended badly");
    }
}

/// One connection.
async fn connect(pod: Pod, mut data: Stream, error: Stream) {
    let port = data.header("port").to_owned();
    let dialed = match port.parse() {
        Ok(port) => pod.containers.dial(&pod.uid, port),
        Err(_) => Err(format!("unable to parse {port:?} as a port")),
    };
    match dialed {
        Ok((stream, serving)) => {
            let (from, mut to) = split(stream);
            let incoming = async {
                let _left = tokio::io::copy(&mut data.input, &mut to).await;
                let _end = to.shutdown().await;
            };
            let both = futures::future::join(incoming, data.output.copy(from));
            let _ended = futures::future::join(both, serving).await;
        }
        Err(why) => {
            let _client_left = error.output.write(why.as_bytes()).await;
        }
    }
    let _client_left = error.output.finish().await;
    let _client_left = data.output.finish().await;
}

/// Each port has a channel for data and one for errors; both begin with the port.
async fn over_channels<Io>(io: Io, pod: Pod, ports: Vec<u16>, base64: bool)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, mut messages) = socket(io).await.split();
    let channels = Channels::new(sink, base64);
    let mut inputs: Vec<Option<WriteHalf<DuplexStream>>> = Vec::new();
    let mut running = FuturesUnordered::new();
    for (port, channel) in ports.iter().zip((0..=u8::MAX).step_by(2)) {
        for channel in [channel, channel + 1] {
            if channels.send(channel, &port.to_le_bytes()).await.is_err() {
                return;
            }
        }
        match pod.containers.dial(&pod.uid, *port) {
            Ok((stream, serving)) => {
                let (from, to) = split(stream);
                inputs.push(Some(to));
                let channels = channels.clone();
                running.push(async move {
                    let _both = futures::future::join(serving, channels.copy(channel, Some(from))).await;
                });
            }
            Err(why) => {
                inputs.push(None);
                if channels.send(channel + 1, why.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
    let reading = async {
        while let Some(Ok(message)) = messages.next().await {
            if matches!(message, Message::Close(_)) {
                return;
            }
            let Some((channel, bytes)) = taken_apart(message, base64) else { continue };
            let input = inputs.get_mut(usize::from(channel / 2)).filter(|_| channel % 2 == 0);
            if let Some(Some(input)) = input {
                let _listener_left = input.write_all(&bytes).await;
            }
        }
    };
    // The kubelet hangs up when there is nobody left to talk to: so clients know that an answer is complete.
    let serving = async {
        while running.next().await.is_some() {}
        channels.close().await;
    };
    tokio::pin!(reading);
    tokio::select! {
        () = &mut reading => {}
        () = serving => drop(real::timeout(FAREWELL, reading).await),
    }
}
