//! Blobs: reading, in whole or in part, and deleting.

use bytes::Bytes;
use http::{Method, header};

use super::{
    Outcome,
    exchange::{Exchange, add_headers, empty, with_status},
};
use crate::{failure::Kind, fault::Fault};

const BINARY: &str = "application/octet-stream";

/// Answers a request for a blob, spoilt by a fault if there is one.
pub(crate) fn answer(
    exchange: &mut Exchange<'_>,
    repository: &str,
    digest: &str,
    fault: Option<&Fault>,
) -> Outcome {
    if exchange.method == Method::DELETE {
        let mut repositories = exchange.host.repositories.write();
        let removed = repositories.get_mut(repository).is_some_and(|place| place.blobs.remove(digest));
        return if removed { Ok(empty(202, &[])) } else { Err(Kind::BlobGone.into()) };
    }
    let linked =
        exchange.host.repositories.read().get(repository).is_some_and(|place| place.blobs.contains(digest));
    let found = exchange.shared.blobs.get(digest).filter(|_| linked);
    let blob = found.ok_or(Kind::BlobUnknown)?;
    exchange.digest = Some(digest.to_owned());
    let length = blob.len();
    let range = exchange.header(header::RANGE).and_then(|range| part(range, length));
    let etag = format!("\"{digest}\"");
    let about = [("docker-content-digest", digest), ("etag", &etag), ("cache-control", "max-age=31536000")];
    let mut answer = match range {
        None => with_status(200, fault.map_or(blob.clone(), |fault| fault.spoil(blob)), BINARY),
        Some(None) => {
            let all = format!("bytes */{length}");
            let mut answer = empty(416, &[("content-range", &all)]);
            add_headers(&mut answer, &about);
            return Ok(answer);
        }
        Some(Some((first, last))) => {
            let part: Bytes = blob.slice(first..=last);
            let mut answer = with_status(206, part, BINARY);
            add_headers(&mut answer, &[("content-range", &format!("bytes {first}-{last}/{length}"))]);
            answer
        }
    };
    add_headers(&mut answer, &about);
    add_headers(&mut answer, &[("accept-ranges", "bytes")]);
    Ok(answer)
}

/// The first and last byte of a range; nothing inside when it cannot be had, nothing at all when it is not
/// one range of bytes (then it is ignored, as HTTP says).
fn part(range: &str, length: usize) -> Option<Option<(usize, usize)>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if last.contains(',') {
        return None;
    }
    let end = length.checked_sub(1);
    let number = |text: &str| text.trim().parse::<usize>().ok();
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
            if last < first {
                return None;
            }
            end.filter(|end| first <= *end).map(|end| (first, last.min(end)))
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
        for ignored in ["bytes=3-1", "bytes=0-1,3-4", "bytes=x-", "items=0-1", "bytes=-"] {
            assert_eq!(part(ignored, 10), None, "{ignored}");
        }
    }
}
