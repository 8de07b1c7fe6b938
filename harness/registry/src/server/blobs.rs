//! Blobs: reading, in whole or in part, and deleting.

use http::{Method, header};

use super::{
    Answer, Outcome,
    body::{Body, PIECE},
    exchange::{Exchange, add_headers, carrying, empty},
};
use crate::{failure::Kind, store::blob::Blob};

const BINARY: &str = "application/octet-stream";

/// Answers a request for a blob.
pub(crate) async fn answer(exchange: &mut Exchange<'_>, repository: &str, digest: &str) -> Outcome {
    if exchange.method == Method::DELETE {
        return delete(exchange, repository, digest).await;
    }
    let length = {
        let repositories = exchange.host.repositories.read();
        let held = repositories.get(repository).and_then(|place| place.blobs.get(digest));
        let held = held.ok_or(Kind::BlobUnknown)?;
        held.touch(exchange.now);
        held.length
    };
    exchange.digest = Some(digest.to_owned());
    let etag = format!("\"{digest}\"");
    let mut answer = read(exchange, digest, &etag, length).await?;
    add_headers(
        &mut answer,
        &[("docker-content-digest", digest), ("etag", &etag), ("cache-control", "max-age=31536000")],
    );
    Ok(answer)
}

async fn read(exchange: &Exchange<'_>, digest: &str, etag: &str, length: u64) -> Outcome {
    if exchange.knows_already(etag) {
        return Ok(empty(304, &[]));
    }
    // A part of something else than the client has the other part of would be of no use to it.
    let unchanged = exchange.header(header::IF_RANGE).is_none_or(|known| known == etag);
    let range = exchange.header(header::RANGE).filter(|_| unchanged && exchange.method == Method::GET);
    let range = range.and_then(|range| part(range, length));
    let mut answer = match range {
        None if exchange.method == Method::HEAD => {
            let mut answer = carrying(200, Body::Announced(length), BINARY);
            // The HTTP library says it by itself of every length but 0.
            answer.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            answer
        }
        None => carrying(200, fetch(exchange, digest, 0, length).await?.into(), BINARY),
        Some(None) => return Ok(empty(416, &[("content-range", &format!("bytes */{length}"))])),
        Some(Some((first, last))) => {
            let part = fetch(exchange, digest, first, last - first + 1).await?;
            let mut answer: Answer = carrying(206, part.into(), BINARY);
            add_headers(&mut answer, &[("content-range", &format!("bytes {first}-{last}/{length}"))]);
            answer
        }
    };
    add_headers(&mut answer, &[("accept-ranges", "bytes")]);
    Ok(answer)
}

/// So many bytes of a blob from there on; of a small part, they are read at once.
async fn fetch(
    exchange: &Exchange<'_>,
    digest: &str,
    first: u64,
    length: u64,
) -> Result<Blob, crate::failure::Failure> {
    let (store, wanted) = (exchange.shared.store.clone(), digest.to_owned());
    let found = exchange.shared.store.offload(move || {
        let Some(blob) = store.get(&wanted)? else { return Ok(None) };
        let part = blob.part(first, length)?;
        Ok(Some(if length <= PIECE { Blob::Bytes(part.whole()?) } else { part }))
    });
    Ok(found.await?.ok_or(Kind::BlobUnknown)?)
}

async fn delete(exchange: &Exchange<'_>, repository: &str, digest: &str) -> Outcome {
    let (host, name, wanted) = (exchange.host.clone(), repository.to_owned(), digest.to_owned());
    let removed = exchange.shared.store.offload(move || Ok(host.remove_blob(&name, &wanted))).await??;
    if removed { Ok(empty(202, &[])) } else { Err(Kind::BlobGone.into()) }
}

/// The first and last byte of a range; nothing inside when it cannot be had, nothing at all when it is not
/// one range of bytes (then it is ignored, as HTTP says). One that ends before it begins may be ignored or refused; it
/// is refused, as the plain program does and the specification's conformance program wants.
pub(crate) fn part(range: &str, length: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if last.contains(',') {
        return None;
    }
    let end = length.checked_sub(1);
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (first.trim(), last.trim()) {
        ("", suffix) => {
            let suffix = number(suffix)?;
            end.filter(|_| suffix > 0).map(|end| (length.saturating_sub(suffix), end))
        }
        (first, "") => {
            let first = number(first)?;
            end.filter(|end| first <= *end).map(|end| (first, end))
        }
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            end.filter(|end| first <= last && first <= *end).map(|end| (first, last.min(end)))
        }
    };
    Some(range)
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn ranges_are_read_as_http_says() {
        assert_eq!(part("bytes=0-3", 10), Some(Some((0, 3))));
        assert_eq!(part("bytes=4-", 10), Some(Some((4, 9))));
        assert_eq!(part("bytes=-3", 10), Some(Some((7, 9))));
        assert_eq!(part("bytes=-30", 10), Some(Some((0, 9))));
        assert_eq!(part("bytes=8-99", 10), Some(Some((8, 9))));
        assert_eq!(part("bytes=10-", 10), Some(None));
        assert_eq!(part("bytes=0-", 0), Some(None));
        assert_eq!(part("bytes=3-1", 10), Some(None));
        for ignored in ["bytes=0-1,3-4", "bytes=x-", "items=0-1", "bytes=-"] {
            assert_eq!(part(ignored, 10), None, "{ignored}");
        }
    }
}
