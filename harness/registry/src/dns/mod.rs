//! A DNS server for the registry's names and nothing else: what is not in the table does not exist. It never asks
//! another server.
//!
//! Sockets are here; what is said is `answer`'s.

mod answer;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use pulldrill_clock::real;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Names, RegistryError};
use answer::answer;

/// The largest message over UDP.
const DATAGRAM: usize = 4_096;
/// How long a connection may be silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at a time.
const CONNECTIONS: usize = 256;

/// The server's sockets.
pub struct Dns {
    address: SocketAddr,
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Dns {
    /// Binds the same port for UDP and TCP.
    ///
    /// # Errors
    /// [`RegistryError::Listen`].
    pub async fn bind(address: SocketAddr) -> Result<Self, RegistryError> {
        let fail = |source| RegistryError::Listen { host: format!("names at {address}"), source };
        let tcp = TcpListener::bind(address).await.map_err(fail)?;
        let address = tcp.local_addr().map_err(fail)?;
        let udp = UdpSocket::bind(address).await.map_err(fail)?;
        Ok(Self { address, udp, tcp })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is told to stop.
    pub async fn serve(self, names: Names, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = datagrams(&self.udp, &names) => {}
            () = connections(&self.tcp, &names, &stop) => {}
        }
    }
}

async fn datagrams(socket: &UdpSocket, names: &Names) {
    let mut buffer = [0; DATAGRAM];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            real::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if let Some(reply) = answer(names, &buffer[..length]) {
            let _they_ask_again = socket.send_to(&reply, peer).await;
        }
    }
}

async fn connections(listener: &TcpListener, names: &Names, stop: &CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let tasks = TaskTracker::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            real::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(permit) = room.clone().try_acquire_owned() else { continue };
        let (names, stop) = (names.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                _whoever_hangs_up = connection(stream, &names) => {}
            }
            drop(permit);
        });
    }
}

/// Messages over TCP, each after its length.
async fn connection(mut stream: TcpStream, names: &Names) -> io::Result<()> {
    let silent = || io::Error::from(io::ErrorKind::TimedOut);
    loop {
        let message = async {
            let length = stream.read_u16().await?;
            let mut message = vec![0; length.into()];
            stream.read_exact(&mut message).await?;
            io::Result::Ok(message)
        };
        let message = real::timeout(PATIENCE, message).await.ok_or_else(silent)??;
        let Some(reply) = answer(names, &message) else { return Ok(()) };
        let mut framed = u16::try_from(reply.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
        framed.extend(reply);
        real::timeout(PATIENCE, stream.write_all(&framed)).await.ok_or_else(silent)??;
    }
}
