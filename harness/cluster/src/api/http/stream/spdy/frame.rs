//! Frames of SPDY/3.1 as bytes.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::SpdyError;

/// The longest control frame that is taken in; nobody's headers come near it.
const LONGEST: usize = 64 * 1024;

/// The flag of the last frame of a stream.
pub(super) const FIN: u8 = 1;

const VERSION: u16 = 3;
const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;

/// Why a stream is refused.
pub(super) const REFUSED: u32 = 3;

/// A frame that has come in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A stream begins; its headers are still packed.
    SynStream { id: u32, flags: u8, block: Vec<u8> },
    /// More headers, or the answer to a stream of ours.
    Headers { block: Vec<u8> },
    /// A stream is broken off.
    Reset { id: u32 },
    /// To be sent back.
    Ping { id: u32 },
    /// The other end starts nothing more.
    GoAway,
    /// So many bytes of a stream follow.
    Data { id: u32, flags: u8, length: usize },
    /// Something that needs no answer: settings, windows.
    Other,
}

/// Reads a frame; of data only the head. `None` at the end of the connection.
pub(super) async fn read(io: &mut (impl AsyncRead + Unpin)) -> Result<Option<Frame>, SpdyError> {
    let mut head = [0; 8];
    if io.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    io.read_exact(&mut head[1..]).await?;
    let [a, b, c, d, flags, x, y, z] = head;
    let length = usize::from(x) << 16 | usize::from(y) << 8 | usize::from(z);
    if a & 0x80 == 0 {
        return Ok(Some(Frame::Data { id: u32::from_be_bytes([a, b, c, d]), flags, length }));
    }
    if u16::from_be_bytes([a & 0x7f, b]) != VERSION {
        return Err(SpdyError::Version);
    }
    if length > LONGEST {
        return Err(SpdyError::TooBig);
    }
    let mut rest = vec![0; length];
    io.read_exact(&mut rest).await?;
    control(u16::from_be_bytes([c, d]), flags, &rest).map(Some)
}

fn control(kind: u16, flags: u8, rest: &[u8]) -> Result<Frame, SpdyError> {
    let id = || {
        let bytes = rest.first_chunk::<4>().ok_or(SpdyError::Short)?;
        Ok::<u32, SpdyError>(u32::from_be_bytes(*bytes))
    };
    let stream = || id().map(|id| id & 0x7fff_ffff);
    let block = |from: usize| rest.get(from..).map(<[u8]>::to_vec).ok_or(SpdyError::Short);
    Ok(match kind {
        SYN_STREAM => Frame::SynStream { id: stream()?, flags, block: block(10)? },
        SYN_REPLY | HEADERS => Frame::Headers { block: block(4)? },
        RST_STREAM => Frame::Reset { id: stream()? },
        PING => Frame::Ping { id: id()? },
        GOAWAY => Frame::GoAway,
        _ => Frame::Other,
    })
}

fn frame(kind: u16, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    let [_, length @ ..] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let head = [&(VERSION | 0x8000).to_be_bytes()[..], &kind.to_be_bytes(), &[0], &length].concat();
    [head, parts.concat()].concat()
}

/// The answer to a stream that has begun.
pub(super) fn reply(id: u32, block: &[u8]) -> Vec<u8> {
    frame(SYN_REPLY, &[&id.to_be_bytes(), block])
}

/// Breaks a stream off.
pub(super) fn reset(id: u32, why: u32) -> Vec<u8> {
    frame(RST_STREAM, &[&id.to_be_bytes(), &why.to_be_bytes()])
}

/// Sends a ping back.
pub(super) fn pong(id: u32) -> Vec<u8> {
    frame(PING, &[&id.to_be_bytes()])
}

/// Says that nothing more is taken after a stream.
pub(super) fn go_away(last: u32) -> Vec<u8> {
    frame(GOAWAY, &[&last.to_be_bytes(), &0_u32.to_be_bytes()])
}

/// Some bytes of a stream: at most 16 MiB less one.
pub(super) fn data(id: u32, flags: u8, bytes: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&id.to_be_bytes()[..], &[flags], &length, bytes].concat()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a client sends to begin a stream.
    pub(in super::super) fn syn_stream(id: u32, block: &[u8]) -> Vec<u8> {
        frame(SYN_STREAM, &[&id.to_be_bytes(), &[0; 6], block])
    }

    async fn back(bytes: &[u8]) -> Result<Option<Frame>, SpdyError> {
        read(&mut &*bytes).await
    }

    #[tokio::test]
    async fn frames_have_the_bytes_of_the_specification() {
        assert_eq!(pong(1), [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]);
        assert_eq!(data(5, FIN, b"hi"), [0, 0, 0, 5, 1, 0, 0, 2, b'h', b'i']);
        assert_eq!(reset(3, REFUSED), [0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 3]);
        let begun = back(&syn_stream(7, b"zz")).await.unwrap();
        assert_eq!(begun, Some(Frame::SynStream { id: 7, flags: 0, block: b"zz".to_vec() }));
        assert_eq!(back(&go_away(3)).await.unwrap(), Some(Frame::GoAway));
        assert_eq!(back(&data(5, 1, b"")).await.unwrap(), Some(Frame::Data { id: 5, flags: 1, length: 0 }));
        assert_eq!(back(b"").await.unwrap(), None);
    }

    #[tokio::test]
    async fn frames_that_are_none_are_refused() {
        let longest = [0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff];
        assert!(matches!(back(&longest).await, Err(SpdyError::TooBig)));
        assert!(matches!(back(&[0x80, 2, 0, 1, 0, 0, 0, 0]).await, Err(SpdyError::Version)));
        assert!(matches!(back(&[0x80, 3, 0, 1, 0, 0, 0, 2, 1, 2]).await, Err(SpdyError::Short)));
        assert!(matches!(back(&[0x80, 3, 0]).await, Err(SpdyError::Io(_))));
        assert_eq!(back(&[0x80, 3, 0, 99, 0, 0, 0, 0]).await.unwrap(), Some(Frame::Other));
    }
}
