//! What answers carry: bytes, or a file that is read while it is sent, a piece ahead of the client.

use std::{
    fs::File,
    io::{self, Read},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{fault::spoil::Delivered, store::blob::Blob};

/// How much is read of a file at a time.
pub(crate) const PIECE: u64 = 256 << 10;

/// The body of an answer.
pub(crate) enum Body {
    /// It is here.
    Whole(Bytes),
    /// Only how long it would be, for HEAD.
    Announced(u64),
    /// It is in a file.
    File(Sending),
    /// It comes from elsewhere, and is passed on as it comes.
    Passing(Delivered),
}

/// A file on its way.
pub(crate) struct Sending {
    left: u64,
    file: Option<File>,
    reading: Option<JoinHandle<io::Result<(File, Bytes)>>>,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl From<Blob> for Body {
    fn from(blob: Blob) -> Self {
        match blob {
            Blob::Bytes(bytes) => Self::Whole(bytes),
            Blob::File(file, left) => Self::File(Sending { left, file: Some(file), reading: None }),
        }
    }
}

impl Body {
    /// What comes from elsewhere.
    pub(crate) fn passing<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::Passing(body.map_err(io::Error::other).boxed_unsync())
    }
}

impl Sending {
    /// Reads the next piece of a file of which so much is left to be read.
    fn read(mut file: File, left: u64) -> JoinHandle<io::Result<(File, Bytes)>> {
        spawn_blocking(move || {
            let mut piece = vec![0; usize::try_from(left.min(PIECE)).unwrap_or(0)];
            file.read_exact(&mut piece)?;
            Ok((file, piece.into()))
        })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(file) = self.file.take()
            && self.left > 0
        {
            self.reading = Some(Self::read(file, self.left));
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let (file, piece) = match read {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => return Poll::Ready(Some(Err(error))),
            Err(lost) => return Poll::Ready(Some(Err(io::Error::other(lost)))),
        };
        self.left = self.left.saturating_sub(piece.len() as u64);
        if self.left > 0 {
            self.reading = Some(Self::read(file, self.left));
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Announced(_) => Poll::Ready(None),
            Self::Passing(body) => Pin::new(body).poll_frame(context),
            Self::File(sending) => {
                sending.poll(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Passing(body) => body.size_hint(),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Announced(length) => SizeHint::with_exact(*length),
            Self::File(sending) => SizeHint::with_exact(sending.left),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    #[tokio::test]
    async fn a_file_is_sent_in_pieces_and_a_part_of_it_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content: Vec<u8> = (0..3 * PIECE + 7).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let open = || Blob::File(File::open(&path).unwrap(), content.len() as u64);
        let mut body = Body::from(open());
        assert_eq!(body.size_hint().exact(), Some(content.len() as u64));
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, content[..PIECE as usize]);
        assert_eq!(body.size_hint().exact(), Some(content.len() as u64 - PIECE));
        assert_eq!(body.collect().await.unwrap().to_bytes(), content[PIECE as usize..]);
        let part = Body::from(open().part(5, PIECE + 1).unwrap());
        assert_eq!(part.collect().await.unwrap().to_bytes(), content[5..PIECE as usize + 6]);
        let nothing = Body::from(open().part(5, 0).unwrap());
        assert!(nothing.is_end_stream());
        assert!(nothing.collect().await.unwrap().to_bytes().is_empty());
    }

    #[tokio::test]
    async fn a_file_that_ends_early_breaks_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"short").unwrap();
        let body = Body::from(Blob::File(File::open(&path).unwrap(), 100));
        assert!(body.collect().await.is_err(), "or clients would take it for the whole");
    }
}
