//! Long answers are compressed for clients that take it, as the API server of Kubernetes does since 1.16: from 128 KiB on,
//! at the quickest level. Watches and other streams are not.

use std::{convert::Infallible, io::Write};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::stream;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};

use super::{Reply, reply::Body};

/// From how many bytes on; `defaultGzipThresholdBytes` of `k8s.io/apiserver`.
const THRESHOLD: u64 = 128 * 1024;

/// Whether a client wants an answer to be compressed.
pub(super) fn is_wanted(method: &Method, headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let offers = |value: &str| value.split(',').any(|coding| coding.trim() == "gzip");
    method == Method::GET && accepted.into_iter().any(offers)
}

/// The answer, compressed when it is long and its length is known.
pub(super) fn reply(reply: Reply) -> Reply {
    let told = reply.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    let length = told.or_else(|| reply.body().size_hint().exact());
    if length.is_none_or(|length| length < THRESHOLD)
        || reply.headers().contains_key(header::CONTENT_ENCODING)
    {
        return reply;
    }
    let (mut parts, body) = reply.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let pieces = Pieces { body, encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())) };
    Reply::from_parts(parts, BodyExt::boxed_unsync(StreamBody::new(stream::unfold(pieces, Pieces::next))))
}

struct Pieces {
    body: Body,
    /// Until the end has been written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Pieces {
    /// The next piece that is not empty.
    async fn next(mut self) -> Option<(Result<Frame<Bytes>, Infallible>, Self)> {
        loop {
            let encoder = self.encoder.as_mut()?;
            let piece = match self.body.frame().await {
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    // Writing into memory does not fail.
                    encoder.write_all(&data).ok()?;
                    std::mem::take(encoder.get_mut())
                }
                Some(Err(never)) => match never {},
                None => self.encoder.take()?.finish().ok()?,
            };
            if !piece.is_empty() {
                return Some((Ok(Frame::data(piece.into())), self));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{super::reply as replies, *};

    async fn read(reply: Reply) -> Vec<u8> {
        reply.into_body().collect().await.unwrap().to_bytes().to_vec()
    }

    #[tokio::test]
    async fn long_answers_come_out_as_they_went_in() {
        let long: Vec<u8> = (0..400_000_u64).map(|n| b'a' + u8::try_from(n * n % 23).unwrap()).collect();
        let pieces: Vec<Bytes> = long.chunks(100_000).map(Bytes::copy_from_slice).collect();
        for answer in [
            replies::bytes(200, "text/plain", long.clone()),
            replies::sized("text/plain", long.len(), stream::iter(pieces)),
        ] {
            let answer = reply(answer);
            assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
            assert!(!answer.headers().contains_key(header::CONTENT_LENGTH));
            let packed = read(answer).await;
            assert!(packed.len() < long.len());
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == long);
        }
    }

    #[tokio::test]
    async fn short_answers_and_streams_stay_as_they_are() {
        let short = reply(replies::text(200, "short"));
        assert!(!short.headers().contains_key(header::CONTENT_ENCODING));
        assert_eq!(read(short).await, b"short");
        let endless = reply(replies::stream("text/plain", stream::iter([Bytes::from(vec![b'x'; 500_000])])));
        assert!(!endless.headers().contains_key(header::CONTENT_ENCODING));
    }

    #[test]
    fn only_who_asks_for_it_gets_it() {
        let headers = |value: &str| {
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap())])
        };
        assert!(is_wanted(&Method::GET, &headers("gzip")));
        assert!(is_wanted(&Method::GET, &headers("deflate, gzip")));
        for other in ["", "identity", "deflate", "gzip;q=0"] {
            assert!(!is_wanted(&Method::GET, &headers(other)), "{other}");
        }
        assert!(!is_wanted(&Method::GET, &HeaderMap::new()) && !is_wanted(&Method::HEAD, &headers("gzip")));
    }
}
