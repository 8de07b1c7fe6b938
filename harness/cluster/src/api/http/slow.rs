//! Cutting off clients that don't read: a write that waits too long ends the connection.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use pulldrill_clock::real;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// When it is set, a connection's writes wait for ever after all.
pub(super) type Patient = Arc<AtomicBool>;

/// A connection whose writes can't wait for ever.
pub(super) struct Impatient<T> {
    inner: T,
    patience: Duration,
    patient: Patient,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<T> Impatient<T> {
    /// Wraps a connection; `patience` is how long the other end may leave it full.
    pub(super) fn new(inner: T, patience: Duration) -> Self {
        Self { inner, patience, patient: Patient::default(), waiting: None }
    }

    /// What makes it wait for ever.
    pub(super) fn patient(&self) -> Patient {
        self.patient.clone()
    }

    /// Turns a pending write into an error when it has been pending too long.
    fn judge<R>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if poll.is_ready() {
            self.waiting = None;
            return poll;
        }
        if self.patient.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(real::sleep(patience)));
        match waiting.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Impatient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Impatient<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.judge(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.judge(cx, poll)
    }

    /// Otherwise all that is sent would be copied once more, to be in one piece.
    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        self.judge(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.judge(cx, poll)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn who_does_not_read_is_cut_off_and_who_does_is_not() {
        let (near, mut far) = duplex(8);
        let mut near = Impatient::new(near, Duration::from_millis(20));
        let reader = tokio::spawn(async move {
            let mut seen = [0; 100];
            far.read_exact(&mut seen).await.map(|_| far)
        });
        near.write_all(&[7; 100]).await.unwrap();
        let far = reader.await.unwrap().unwrap();
        let refused = near.write_all(&[7; 100]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        near.patient().store(true, Ordering::Relaxed);
        near.waiting = None;
        let waits = real::timeout(Duration::from_millis(60), near.write_all(&[7; 100])).await;
        assert!(waits.is_none());
        drop(far);
    }

    #[tokio::test]
    async fn several_pieces_at_once_are_judged_as_one_is() {
        let (near, far) = duplex(8);
        let mut near = Impatient::new(near, Duration::from_millis(20));
        assert!(near.is_write_vectored());
        let pieces = [io::IoSlice::new(b"one "), io::IoSlice::new(b"and another")];
        assert_eq!(near.write_vectored(&pieces).await.unwrap(), 8);
        let refused = near.write_vectored(&pieces).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        drop(far);
    }

    #[tokio::test]
    async fn a_watcher_at_a_real_socket_who_reads_nothing_is_cut_off() {
        use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
        use hyper_util::rt::TokioIo;

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let taken = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = taken.clone();
        let service = service_fn(move |_: Request<Incoming>| {
            let count = count.clone();
            let pieces = futures::stream::repeat_with(move || {
                count.fetch_add(1, Ordering::Relaxed);
                bytes::Bytes::from_static(&[b'x'; 65536])
            });
            let reply = crate::api::http::reply::stream("application/json", pieces);
            std::future::ready(Ok::<_, std::convert::Infallible>(reply))
        });
        let stream = Impatient::new(stream, Duration::from_millis(200));
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        let why = format!("{:?}", ended.unwrap_err());
        assert!(why.contains("the client does not read"), "{why}");
        // The buffers of the kernel got full, and nothing was made beyond them.
        assert!(taken.load(Ordering::Relaxed) < 1000);
        let mut rest = Vec::new();
        let _reset = client.read_to_end(&mut rest).await;
        assert!(rest.starts_with(b"HTTP/1.1 200"));
    }
}
