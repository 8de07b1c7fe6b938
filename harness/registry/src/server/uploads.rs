//! Uploads of blobs: in one request, in two, in pieces, or by mounting from another repository.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use http::{Method, header};
use hyper::body::Incoming;
use pulldrill_clock::secret;

use super::{
    Outcome,
    auth::Who,
    exchange::{Exchange, empty, read_body},
};
use crate::{
    failure::{Failure, Kind},
    name::{digest, is_digest, is_repository},
};

/// The largest blob.
const LARGEST: usize = 512 << 20;
/// Uploads of one host that may be unfinished at a time; the oldest make way.
const MOST: usize = 256;
/// What unfinished uploads of one host may hold together.
const MOST_BYTES: usize = 1 << 30;

/// Unfinished uploads.
#[derive(Default)]
pub(crate) struct Uploads {
    by_id: BTreeMap<String, (String, BytesMut)>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Uploads {
    fn insert(&mut self, id: String, repository: String) {
        while self.order.len() >= MOST {
            let Some(oldest) = self.order.pop_front() else { break };
            self.remove(&oldest);
        }
        self.order.push_back(id.clone());
        self.by_id.insert(id, (repository, BytesMut::new()));
    }

    fn remove(&mut self, id: &str) -> Option<BytesMut> {
        let (_, data) = self.by_id.remove(id)?;
        self.order.retain(|known| known != id);
        self.bytes -= data.len();
        Some(data)
    }

    fn get(&mut self, repository: &str, id: &str) -> Option<&mut BytesMut> {
        self.by_id.get_mut(id).filter(|(owner, _)| owner == repository).map(|(_, data)| data)
    }

    fn append(&mut self, repository: &str, id: &str, piece: &[u8]) -> Result<usize, Kind> {
        let full = self.bytes + piece.len() > MOST_BYTES;
        let data = self.get(repository, id).ok_or(Kind::UploadUnknown)?;
        if full || data.len() + piece.len() > LARGEST {
            return Err(Kind::TooLarge);
        }
        data.extend_from_slice(piece);
        let length = data.len();
        self.bytes += piece.len();
        Ok(length)
    }
}

/// Begins an upload.
pub(crate) async fn start(
    exchange: &mut Exchange<'_>,
    who: &Who,
    repository: &str,
    body: Incoming,
) -> Outcome {
    if !exchange.host.ensure_repository(repository, exchange.user.as_deref(), exchange.now) {
        return Err(Kind::RepositoryUnknown.into());
    }
    if let Some(mounted) = mount(exchange, who, repository) {
        return Ok(mounted);
    }
    if let Some(wanted) = exchange.parameter("digest").map(str::to_owned) {
        let data = read_body(body, LARGEST).await?;
        return finish(exchange, repository, data, &wanted);
    }
    let id = secret::uid();
    exchange.host.uploads.lock().insert(id.clone(), repository.to_owned());
    Ok(progress(202, repository, &id, 0))
}

/// Takes a blob over from another repository of the host, if the client may read it there.
fn mount(exchange: &mut Exchange<'_>, who: &Who, repository: &str) -> Option<super::Answer> {
    let wanted = exchange.parameter("mount").filter(|digest| is_digest(digest))?.to_owned();
    let from = exchange.parameter("from").filter(|from| is_repository(from))?.to_owned();
    if !who.may(exchange.host, "pull", &from) {
        return None;
    }
    let mut repositories = exchange.host.repositories.write();
    if !repositories.get(&from)?.blobs.contains(&wanted) {
        return None;
    }
    repositories.get_mut(repository)?.blobs.insert(wanted.clone());
    drop(repositories);
    exchange.digest = Some(wanted.clone());
    Some(created(repository, &wanted))
}

/// Goes on with an upload.
pub(crate) async fn go_on(
    exchange: &mut Exchange<'_>,
    repository: &str,
    id: &str,
    body: Incoming,
) -> Outcome {
    let so_far = exchange.host.uploads.lock().get(repository, id).map(|data| data.len());
    let so_far = so_far.ok_or(Kind::UploadUnknown)?;
    match exchange.method {
        Method::GET | Method::HEAD => Ok(progress(204, repository, id, so_far)),
        Method::DELETE => {
            exchange.host.uploads.lock().remove(id);
            Ok(empty(204, &[("docker-upload-uuid", id)]))
        }
        Method::PATCH => {
            if starts_elsewhere(exchange, so_far) {
                return Ok(progress(416, repository, id, so_far));
            }
            let piece = read_body(body, LARGEST).await?;
            let length = exchange.host.uploads.lock().append(repository, id, &piece)?;
            Ok(progress(202, repository, id, length))
        }
        Method::PUT => {
            let wanted = exchange.parameter("digest").ok_or(Kind::DigestMissing)?.to_owned();
            if !is_digest(&wanted) {
                return Err(Kind::DigestUnparsed.into());
            }
            if starts_elsewhere(exchange, so_far) {
                return Ok(progress(416, repository, id, so_far));
            }
            let last = read_body(body, LARGEST).await?;
            let data = {
                let mut uploads = exchange.host.uploads.lock();
                uploads.append(repository, id, &last)?;
                uploads.remove(id).ok_or(Kind::UploadUnknown)?
            };
            finish(exchange, repository, data.freeze(), &wanted)
        }
        _ => Err(Kind::Unsupported.into()),
    }
}

/// Whether a piece says that it does not follow what is there.
fn starts_elsewhere(exchange: &Exchange<'_>, so_far: usize) -> bool {
    let range = exchange.header(header::CONTENT_RANGE).map(|range| range.trim_start_matches("bytes "));
    let first = range.and_then(|range| range.split_once('-')).map(|(first, _)| first.parse::<usize>());
    first.is_some_and(|first| first != Ok(so_far))
}

fn finish(exchange: &mut Exchange<'_>, repository: &str, data: Bytes, wanted: &str) -> Outcome {
    if digest(&data) != wanted {
        return Err(Failure { kind: Kind::DigestMismatch, digests: vec![wanted.to_owned()] });
    }
    let stored = exchange.shared.blobs.put(data).map_err(|_| Kind::TooLarge)?;
    let mut repositories = exchange.host.repositories.write();
    let place = repositories.get_mut(repository).ok_or(Kind::RepositoryUnknown)?;
    place.blobs.insert(stored.clone());
    drop(repositories);
    exchange.digest = Some(stored);
    Ok(created(repository, wanted))
}

fn created(repository: &str, digest: &str) -> super::Answer {
    let location = format!("/v2/{repository}/blobs/{digest}");
    empty(201, &[("location", &location), ("docker-content-digest", digest)])
}

fn progress(status: u16, repository: &str, id: &str, length: usize) -> super::Answer {
    let location = format!("/v2/{repository}/blobs/uploads/{id}");
    let range = format!("0-{}", length.saturating_sub(1));
    empty(status, &[("location", &location), ("range", &range), ("docker-upload-uuid", id)])
}
