//! Manifests: what a pull is counted by, and what a push ends with.

use bytes::Bytes;
use http::{Method, header};
use hyper::body::Incoming;
use serde_json::Value;

use super::{
    Outcome,
    body::Body,
    exchange::{Exchange, add_headers, carrying, empty, read_body},
};
use crate::{
    digest::{Algorithm, is_digest},
    failure::{Failure, Kind},
    image::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST},
    name::is_tag,
    repository::{Manifest, is_list},
};

/// The largest manifest.
const LARGEST: usize = 4 << 20;

/// Answers a request for a manifest.
pub(crate) async fn answer(
    exchange: &mut Exchange<'_>,
    repository: &str,
    reference: &str,
    body: &mut Incoming,
) -> Outcome {
    match exchange.method {
        Method::GET | Method::HEAD => get(exchange, repository, reference).await,
        Method::PUT => {
            let body = read_body(body, LARGEST).await?;
            put(exchange, repository, reference, body).await
        }
        Method::DELETE => delete(exchange, repository, reference).await,
        _ => Err(Kind::Unsupported.into()),
    }
}

pub(crate) fn unknown(reference: &str) -> Kind {
    if is_digest(reference) { Kind::RevisionUnknown } else { Kind::ManifestUnknown }
}

async fn get(exchange: &mut Exchange<'_>, repository: &str, reference: &str) -> Outcome {
    let (digest, media, length) = {
        let repositories = exchange.host.repositories.read();
        let place = match repositories.get(repository) {
            Some(place) => place,
            None if exchange.host.personality.knows_repositories => {
                return Err(Kind::RepositoryUnknown.into());
            }
            None => return Err(unknown(reference).into()),
        };
        let expired = || exchange.host.has_expired(repository, reference).then_some(Kind::TagExpired);
        let missing = || expired().unwrap_or_else(|| unknown(reference));
        let digest = place.resolve(reference).ok_or_else(missing)?;
        let manifest = place.manifests.get(digest).ok_or_else(|| unknown(reference))?;
        (digest.to_owned(), manifest.media.clone(), manifest.length)
    };
    if exchange.host.personality.negotiates {
        acceptable(exchange, &media)?;
    }
    let etag = format!("\"{digest}\"");
    if exchange.knows_already(&etag) {
        return Ok(empty(304, &[]));
    }
    let body = if exchange.method == Method::GET {
        let body = fetch(exchange, &digest).await?.ok_or_else(|| unknown(reference))?;
        count(exchange, &media)?;
        body.into()
    } else {
        Body::Announced(length)
    };
    let mut answer = carrying(200, body, &media);
    add_headers(&mut answer, &[("docker-content-digest", &digest), ("etag", &etag)]);
    exchange.digest = Some(digest);
    Ok(answer)
}

async fn fetch(exchange: &Exchange<'_>, digest: &str) -> Result<Option<Bytes>, Failure> {
    let store = &exchange.shared.store;
    if let Some(at_hand) = store.at_hand(digest) {
        return Ok(Some(at_hand));
    }
    let (reader, digest) = (store.clone(), digest.to_owned());
    Ok(store.offload(move || reader.read(&digest)).await?)
}

/// Charges a pull to the client's quota. An index is only the way to a manifest and costs nothing, but is
/// not given to whom nothing is left.
pub(crate) fn count(exchange: &Exchange<'_>, media: &str) -> Result<(), Failure> {
    let payer = exchange.payer();
    let mut usage = exchange.host.usage.lock();
    let Some(standing) = usage.standing(&exchange.host.limits, &payer, exchange.now) else { return Ok(()) };
    if standing.remaining == 0 {
        let kind = if exchange.user.is_some() { Kind::TooManyOfUser } else { Kind::TooMany };
        return Err(kind.into());
    }
    if !is_list(media) {
        usage.count(&exchange.host.limits, payer, exchange.now);
    }
    Ok(())
}

/// OCI's media types are kept from clients that do not list them; `*/*` is not enough.
fn acceptable(exchange: &Exchange<'_>, media: &str) -> Result<(), Kind> {
    let refused = match media {
        OCI_MANIFEST => Kind::ManifestNotAcceptable,
        OCI_INDEX => Kind::IndexNotAcceptable,
        _ => return Ok(()),
    };
    let accepted = exchange.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut listed = accepted.flat_map(|value| value.split(',')).filter_map(|one| one.split(';').next());
    if listed.any(|one| one.trim() == media) { Ok(()) } else { Err(refused) }
}

async fn put(exchange: &mut Exchange<'_>, repository: &str, reference: &str, body: Bytes) -> Outcome {
    let algorithm = Algorithm::of(reference);
    if algorithm.is_none() && !is_tag(reference) {
        return Err(Kind::TagInvalid.into());
    }
    let digest = algorithm.unwrap_or(Algorithm::Sha256).digest(&body);
    if algorithm.is_some() && digest != reference {
        return Err(Kind::DigestInvalid.into());
    }
    let manifest = read(exchange, &body).ok_or(Kind::ManifestInvalid)?;
    if !exchange.host.ensure_repository(repository, exchange.user.as_deref(), exchange.now) {
        return Err(Kind::RepositoryUnknown.into());
    }
    let subject = manifest.subject.clone();
    let tag = algorithm.is_none().then(|| reference.to_owned());
    let (host, name, stored) = (exchange.host.clone(), repository.to_owned(), digest.clone());
    let put =
        exchange.shared.store.offload(move || Ok(host.put_manifest(&name, tag, stored, manifest, body)));
    put.await??;
    let location = format!("/v2/{repository}/manifests/{digest}");
    let mut answer = empty(201, &[("location", &location), ("docker-content-digest", &digest)]);
    if let Some(subject) = subject {
        add_headers(&mut answer, &[("oci-subject", &subject)]);
    }
    exchange.digest = Some(digest);
    Ok(answer)
}

/// The manifest that a client sends; nothing for what is none, or not of the type that it says.
fn read(exchange: &Exchange<'_>, body: &[u8]) -> Option<Manifest> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let inside = json["mediaType"].as_str();
    let by_form = if json["manifests"].is_array() { OCI_INDEX } else { OCI_MANIFEST };
    let said = exchange.header(header::CONTENT_TYPE).or(inside).unwrap_or(by_form);
    // Parameters are no part of the type.
    let media = said.split(';').next().unwrap_or(said).trim();
    let known = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].contains(&media);
    if !known || inside.is_some_and(|inside| inside != media) {
        return None;
    }
    Manifest::read(media.to_owned(), &json, body.len(), exchange.now)
}

async fn delete(exchange: &mut Exchange<'_>, repository: &str, reference: &str) -> Outcome {
    let by_digest = is_digest(reference);
    if let Some(tag) = immutable(exchange, repository, reference) {
        return Err(Failure { tag: Some(tag), ..Kind::TagImmutable.into() });
    }
    let (host, name, wanted) = (exchange.host.clone(), repository.to_owned(), reference.to_owned());
    let removed = exchange.shared.store.offload(move || {
        Ok(if by_digest { host.remove_manifest(&name, &wanted) } else { host.remove_tag(&name, &wanted) })
    });
    let gone = if by_digest { Kind::RevisionGone } else { Kind::ManifestUnknown };
    if removed.await?? { Ok(empty(202, &[])) } else { Err(gone.into()) }
}

/// The tag by which something may not be deleted, where a rule says so.
fn immutable(exchange: &Exchange<'_>, repository: &str, reference: &str) -> Option<String> {
    exchange.host.harbor.as_ref()?;
    let tags: Vec<String> = {
        let repositories = exchange.host.repositories.read();
        let place = repositories.get(repository)?;
        let tags = place.tags.iter().filter(|(tag, digest)| *tag == reference || *digest == reference);
        tags.map(|(tag, _)| tag.clone()).collect()
    };
    tags.into_iter().find(|tag| exchange.host.is_immutable(repository, tag))
}
