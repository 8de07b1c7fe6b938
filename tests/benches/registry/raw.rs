//! What this machine can do at best: one connection on loopback that carries a memory's content and nothing else.

use std::sync::Arc;

use anyhow::Result;
use pulldrill_clock::real;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How much is written at once, in bytes.
const PIECE: usize = 256 * 1024;

/// MiB a second over TLS.
pub(crate) async fn with_tls(size: usize) -> Result<f64> {
    let authority = pulldrill_tls::Authority::new("bench")?;
    let identity = authority.server(&["localhost".into()], &["127.0.0.1".parse()?])?;
    let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    let (sender, receiver) = pair().await?;
    let connector = TlsConnector::from(pulldrill_tls::client_config(&[authority.pem()])?);
    let name = ServerName::try_from("127.0.0.1")?;
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let (sender, receiver) = tokio::try_join!(acceptor.accept(sender), connector.connect(name, receiver))?;
    copy(sender, receiver, size).await
}

/// MiB a second without it.
pub(crate) async fn without_tls(size: usize) -> Result<f64> {
    let (sender, receiver) = pair().await?;
    copy(sender, receiver, size).await
}

async fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (receiver, accepted) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    Ok((accepted?.0, receiver?))
}

async fn copy(
    mut sender: impl AsyncWrite + Unpin + Send + 'static,
    mut receiver: impl AsyncRead + Unpin,
    size: usize,
) -> Result<f64> {
    let watch = real::stopwatch();
    let sent = tokio::spawn(async move {
        let piece = vec![7; PIECE];
        for _ in 0..size / PIECE {
            sender.write_all(&piece).await?;
        }
        sender.shutdown().await
    });
    let (mut read, mut seen) = (vec![0; PIECE], 0);
    while seen < size {
        seen += receiver.read(&mut read).await?;
    }
    sent.await??;
    Ok(size as f64 / f64::from(1 << 20) / watch.elapsed().as_secs_f64())
}
