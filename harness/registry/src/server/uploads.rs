//! Uploads of blobs: in one request, in two, in pieces, or by mounting from another repository. What comes is kept
//! piece by piece as it comes, hashed on the way, and held back until all of it is what its digest says.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{Method, header};
use http_body::Body as _;
use hyper::body::Incoming;
use pulldrill_clock::secret;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    Answer, Outcome,
    auth::Who,
    exchange::{Exchange, empty, next_piece},
};
use crate::{
    digest::{Algorithm, is_digest},
    failure::{Failure, Kind},
    name::is_repository,
    unfinished::{Turn, Upload},
};

/// How much is gathered before it is written to a disk.
const PIECE: usize = 1 << 20;

/// Begins an upload, and ends it too where everything has come with the request.
pub(crate) async fn start(
    exchange: &mut Exchange<'_>,
    who: &Who,
    repository: &str,
    body: &mut Incoming,
) -> Outcome {
    if !exchange.host.ensure_repository(repository, exchange.user.as_deref(), exchange.now) {
        return Err(Kind::RepositoryUnknown.into());
    }
    if let Some(mounted) = mount(exchange, who, repository).await? {
        return Ok(mounted);
    }
    let wanted = exchange.parameter("digest").map(str::to_owned);
    if wanted.as_ref().is_some_and(|wanted| !is_digest(wanted)) {
        return Err(Kind::DigestUnparsed.into());
    }
    let upload = begin(exchange, repository, wanted.as_deref()).await?;
    let Some(wanted) = wanted else { return Ok(progress(202, &upload)) };
    let turn = upload.turn().await;
    let received = receive(exchange, &upload, &turn, body).await;
    if let Err(failure) = received {
        // Nobody knows where it could go on.
        cancel(exchange, &upload).await?;
        return Err(failure);
    }
    finish(exchange, &upload, turn, &wanted).await
}

/// Makes an upload that is hashed as the client wishes.
async fn begin(
    exchange: &Exchange<'_>,
    repository: &str,
    wanted: Option<&str>,
) -> Result<Arc<Upload>, Failure> {
    let named = exchange.parameter("digest-algorithm").and_then(Algorithm::named);
    let algorithm = wanted.and_then(Algorithm::of).or(named).unwrap_or(Algorithm::Sha256);
    let (host, repository, now) = (exchange.host.clone(), repository.to_owned(), exchange.now);
    let upload = exchange.shared.store.offload(move || {
        // An upload that goes on after a restart has to find its repository.
        if let Err(failure) = host.record(&repository) {
            return Ok(Err(failure));
        }
        let id = secret::uid();
        let draft = host.store.draft((&host.name, &repository), &id, algorithm)?;
        Ok(Ok(host.unfinished.begin(id, repository, draft, now)))
    });
    upload.await?
}

/// Takes a blob over from another repository of the host, if the client may read it there.
async fn mount(exchange: &mut Exchange<'_>, who: &Who, repository: &str) -> Result<Option<Answer>, Failure> {
    let wanted = exchange.parameter("mount").filter(|digest| is_digest(digest)).map(str::to_owned);
    let from = exchange.parameter("from").filter(|from| is_repository(from)).map(str::to_owned);
    let (Some(wanted), Some(from)) = (wanted, from) else { return Ok(None) };
    if !who.may(exchange.host, "pull", &from) {
        return Ok(None);
    }
    let length = {
        let repositories = exchange.host.repositories.read();
        let held = repositories.get(&from).and_then(|place| place.blobs.get(&wanted));
        held.map(|held| held.length)
    };
    let Some(length) = length else { return Ok(None) };
    let (host, name, digest, now) =
        (exchange.host.clone(), repository.to_owned(), wanted.clone(), exchange.now);
    let linked = exchange.shared.store.offload(move || Ok(host.link_blob(&name, &digest, length, now)));
    if !linked.await?? {
        return Ok(None);
    }
    let answer = created(repository, &wanted);
    exchange.digest = Some(wanted);
    Ok(Some(answer))
}

/// Goes on with an upload.
pub(crate) async fn go_on(
    exchange: &mut Exchange<'_>,
    repository: &str,
    id: &str,
    body: &mut Incoming,
) -> Outcome {
    let upload = exchange.host.unfinished.get(repository, id, exchange.now).ok_or(Kind::UploadUnknown)?;
    match exchange.method {
        Method::GET | Method::HEAD => Ok(progress(204, &upload)),
        Method::DELETE => {
            cancel(exchange, &upload).await?;
            Ok(empty(204, &[("docker-upload-uuid", id)]))
        }
        Method::PATCH => {
            let turn = upload.turn().await;
            if let Some(refused) = misplaced(exchange, &upload)? {
                return Ok(refused);
            }
            receive(exchange, &upload, &turn, body).await?;
            Ok(progress(202, &upload))
        }
        Method::PUT => {
            let wanted = exchange.parameter("digest").ok_or(Kind::DigestMissing)?.to_owned();
            if !is_digest(&wanted) {
                return Err(Kind::DigestUnparsed.into());
            }
            let turn = upload.turn().await;
            if let Some(refused) = misplaced(exchange, &upload)? {
                return Ok(refused);
            }
            receive(exchange, &upload, &turn, body).await?;
            finish(exchange, &upload, turn, &wanted).await
        }
        _ => Err(Kind::Unsupported.into()),
    }
}

/// The answer to a piece that says that it does not follow what is there.
fn misplaced(exchange: &Exchange<'_>, upload: &Upload) -> Result<Option<Answer>, Kind> {
    let Some(range) = exchange.header(header::CONTENT_RANGE) else { return Ok(None) };
    let Some((first, last)) = piece(range).filter(|(first, _)| *first == upload.length()) else {
        return Ok(Some(progress(416, upload)));
    };
    let said = exchange.header(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if said.is_some_and(|said| Some(said) != (last - first).checked_add(1)) {
        return Err(Kind::SizeInvalid);
    }
    Ok(None)
}

/// The first and last byte of a piece: `FIRST-LAST`, or as other requests have it, `bytes FIRST-LAST/ALL`.
pub(crate) fn piece(range: &str) -> Option<(u64, u64)> {
    let range = range.strip_prefix("bytes ").unwrap_or(range);
    let (first, last) = range.split('/').next()?.split_once('-')?;
    // A sign is no digit.
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

/// Keeps what comes, until it ends. What came before it broke off is kept as well.
async fn receive(
    exchange: &Exchange<'_>,
    upload: &Arc<Upload>,
    turn: &Turn,
    body: &mut Incoming,
) -> Result<(), Failure> {
    let mut writer = Writer { upload: upload.clone(), turn: turn.clone(), writing: None };
    let apart = exchange.shared.store.may_block();
    if let Some(length) = body.size_hint().exact() {
        upload.expect(length);
    }
    let mut gathered = BytesMut::new();
    let outcome = loop {
        match next_piece(body).await {
            Ok(Some(piece)) if !apart => upload.append(&piece).map_err(lost)?,
            Ok(Some(piece)) => {
                gathered.extend_from_slice(&piece);
                if gathered.len() >= PIECE {
                    writer.write(gathered.split().freeze()).await.map_err(lost)?;
                }
            }
            Ok(None) => break Ok(()),
            Err(kind) => break Err(kind.into()),
        }
    };
    if !gathered.is_empty() {
        writer.write(gathered.freeze()).await.map_err(lost)?;
    }
    writer.settle().await.map_err(lost)?;
    outcome
}

/// What a piece is told that could not be kept: another request may have ended the upload meanwhile.
fn lost(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::NotFound { Kind::UploadUnknown.into() } else { error.into() }
}

/// Writes one piece while the next one comes. The turn is held by what is being written as well, so that nobody comes
/// in between when the client is gone and nobody waits here any more.
struct Writer {
    upload: Arc<Upload>,
    turn: Turn,
    writing: Option<JoinHandle<io::Result<()>>>,
}

impl Writer {
    async fn write(&mut self, piece: Bytes) -> io::Result<()> {
        self.settle().await?;
        let (upload, turn) = (self.upload.clone(), self.turn.clone());
        self.writing = Some(spawn_blocking(move || {
            let written = upload.append(&piece);
            drop(turn);
            written
        }));
        Ok(())
    }

    async fn settle(&mut self) -> io::Result<()> {
        match self.writing.take() {
            Some(writing) => writing.await.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }
}

/// Ends an upload: it becomes a blob if it is what it should be, and is gone in any case.
async fn finish(exchange: &mut Exchange<'_>, upload: &Arc<Upload>, turn: Turn, wanted: &str) -> Outcome {
    let (host, upload, digest, now) =
        (exchange.host.clone(), upload.clone(), wanted.to_owned(), exchange.now);
    let repository = upload.repository.clone();
    let kept = exchange.shared.store.offload(move || {
        host.unfinished.remove(&upload.id);
        let Some(mut draft) = upload.end() else { return Ok(Err(Kind::UploadUnknown.into())) };
        drop(turn);
        let algorithm = Algorithm::of(&digest).unwrap_or(Algorithm::Sha256);
        if draft.digest(algorithm)? != digest {
            draft.discard();
            return Ok(Err(Failure { digests: vec![digest], ..Kind::DigestMismatch.into() }));
        }
        Ok(host.keep(&upload.repository, draft, &digest, now))
    });
    kept.await??;
    exchange.digest = Some(wanted.to_owned());
    Ok(created(&repository, wanted))
}

async fn cancel(exchange: &Exchange<'_>, upload: &Arc<Upload>) -> io::Result<()> {
    let (host, upload) = (exchange.host.clone(), upload.clone());
    let cancelled = exchange.shared.store.offload(move || {
        host.unfinished.remove(&upload.id);
        if let Some(draft) = upload.end() {
            draft.discard();
        }
        Ok(())
    });
    cancelled.await
}

fn created(repository: &str, digest: &str) -> Answer {
    let location = format!("/v2/{repository}/blobs/{digest}");
    empty(201, &[("location", &location), ("docker-content-digest", digest)])
}

fn progress(status: u16, upload: &Upload) -> Answer {
    let Upload { id, repository, .. } = upload;
    let location = format!("/v2/{repository}/blobs/uploads/{id}");
    let range = format!("0-{}", upload.length().saturating_sub(1));
    empty(status, &[("location", &location), ("range", &range), ("docker-upload-uuid", id)])
}

#[cfg(test)]
mod tests {
    use super::piece;

    #[test]
    fn pieces_say_where_they_belong() {
        assert_eq!(piece("0-9"), Some((0, 9)));
        assert_eq!(piece("bytes 10-19/200"), Some((10, 19)));
        for wrong in ["", "-", "9-0", "0-", "-9", "+1-2", "a-b", "0-99999999999999999999999", "0"] {
            assert_eq!(piece(wrong), None, "{wrong:?}");
        }
    }
}
