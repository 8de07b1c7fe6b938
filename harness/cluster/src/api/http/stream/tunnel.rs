//! A byte stream inside of a WebSocket: what kubectl 1.31 and later forward ports through.

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};
use tokio_tungstenite::tungstenite::Message;

use super::websocket::socket;
use crate::streams::PIPE;

/// The bytes inside of a WebSocket, and what moves them while it is run.
pub(super) async fn tunnel<Io>(io: Io) -> (DuplexStream, impl Future<Output = ()>)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let (inside, outside) = duplex(PIPE);
    let (mut sink, mut messages) = socket(io).await.split();
    let (mut from_inside, mut to_inside) = split(outside);
    let moving = async move {
        let incoming = async {
            while let Some(Ok(message)) = messages.next().await {
                match message {
                    Message::Binary(bytes) if to_inside.write_all(&bytes).await.is_ok() => {}
                    Message::Ping(_) | Message::Pong(_) => {}
                    _ => break,
                }
            }
            let _gone = to_inside.shutdown().await;
        };
        let outgoing = async {
            let mut buffer = vec![0; 32 * 1024];
            while let Ok(n @ 1..) = from_inside.read(&mut buffer).await {
                let message = Message::Binary(Bytes::copy_from_slice(&buffer[..n]));
                if sink.send(message).await.is_err() {
                    return;
                }
            }
            let _client_left = sink.close().await;
        };
        // The inside ends after the outside did, and says goodbye if it can.
        futures::future::join(incoming, outgoing).await;
    };
    (inside, moving)
}
