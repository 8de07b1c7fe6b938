//! Manifests: what a pull is counted by, and what a push ends with.

use http::{Method, header};
use hyper::body::Incoming;
use serde_json::Value;

use super::{
    Outcome,
    exchange::{Exchange, add_headers, empty, read_body, with_status},
};
use crate::{
    content::{Blobs, Manifest},
    failure::{Failure, Kind},
    image::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST},
    name::{digest, is_digest, is_tag},
};

/// The largest manifest.
const LARGEST: usize = 4 << 20;

/// Answers a request for a manifest.
pub(crate) async fn answer(
    exchange: &mut Exchange<'_>,
    repository: &str,
    reference: &str,
    body: Incoming,
) -> Outcome {
    match exchange.method {
        Method::GET | Method::HEAD => get(exchange, repository, reference),
        Method::PUT => {
            let body = read_body(body, LARGEST).await?;
            put(exchange, repository, reference, body)
        }
        Method::DELETE => delete(exchange, repository, reference),
        _ => Err(Kind::Unsupported.into()),
    }
}

fn unknown(reference: &str) -> Kind {
    if is_digest(reference) { Kind::RevisionUnknown } else { Kind::ManifestUnknown }
}

fn get(exchange: &mut Exchange<'_>, repository: &str, reference: &str) -> Outcome {
    let (digest, media) = {
        let repositories = exchange.host.repositories.read();
        let place = match repositories.get(repository) {
            Some(place) => place,
            None if exchange.host.personality.knows_repositories => {
                return Err(Kind::RepositoryUnknown.into());
            }
            None => return Err(unknown(reference).into()),
        };
        let digest = place.resolve(reference).ok_or_else(|| unknown(reference))?;
        let media = place.manifests.get(digest).map(|manifest| manifest.media.clone());
        (digest.to_owned(), media.unwrap_or_default())
    };
    if exchange.host.personality.negotiates {
        acceptable(exchange, &media)?;
    }
    let etag = format!("\"{digest}\"");
    if exchange.header(header::IF_NONE_MATCH).is_some_and(|known| known == etag || known == digest) {
        return Ok(empty(304, &[]));
    }
    let body = exchange.shared.blobs.get(&digest).ok_or_else(|| unknown(reference))?;
    if exchange.method == Method::GET {
        count(exchange, &media)?;
    }
    let mut answer = with_status(200, body, &media);
    add_headers(&mut answer, &[("docker-content-digest", &digest), ("etag", &etag)]);
    exchange.digest = Some(digest);
    Ok(answer)
}

/// Charges a pull to the client's quota. An index is only the way to a manifest and costs nothing, but is
/// not given to whom nothing is left.
fn count(exchange: &Exchange<'_>, media: &str) -> Result<(), Failure> {
    let payer = exchange.payer();
    let mut usage = exchange.host.usage.lock();
    let Some(standing) = usage.standing(&exchange.host.limits, &payer, exchange.now) else { return Ok(()) };
    if standing.remaining == 0 {
        let kind = if exchange.user.is_some() { Kind::TooManyOfUser } else { Kind::TooMany };
        return Err(kind.into());
    }
    if !matches!(media, OCI_INDEX | DOCKER_LIST) {
        usage.count(payer, exchange.now);
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

fn put(exchange: &mut Exchange<'_>, repository: &str, reference: &str, body: bytes::Bytes) -> Outcome {
    let by_digest = is_digest(reference);
    if !by_digest && !is_tag(reference) {
        return Err(Kind::TagInvalid.into());
    }
    let digest = digest(&body);
    if by_digest && digest != reference {
        return Err(Kind::DigestInvalid.into());
    }
    let json: Value = serde_json::from_slice(&body).map_err(|_| Kind::ManifestInvalid)?;
    let said = exchange.header(header::CONTENT_TYPE).or(json["mediaType"].as_str()).unwrap_or(OCI_MANIFEST);
    let media = said.split(';').next().unwrap_or(said).trim().to_owned();
    let known = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].contains(&media.as_str());
    if !known || json["mediaType"].as_str().is_some_and(|inside| inside != media) {
        return Err(Kind::ManifestInvalid.into());
    }
    let list = matches!(media.as_str(), OCI_INDEX | DOCKER_LIST);
    if !(if list {
        json["manifests"].is_array()
    } else {
        json["config"].is_object() && json["layers"].is_array()
    }) {
        return Err(Kind::ManifestInvalid.into());
    }
    if !exchange.host.ensure_repository(repository, exchange.user.as_deref(), exchange.now) {
        return Err(Kind::RepositoryUnknown.into());
    }
    let manifest = Manifest::read(media, &json, body.len(), exchange.now);
    let subject = manifest.subject.clone();
    {
        let mut repositories = exchange.host.repositories.write();
        let place = repositories.get_mut(repository).ok_or(Kind::RepositoryUnknown)?;
        let here =
            |part: &str| if list { place.manifests.contains_key(part) } else { place.blobs.contains(part) };
        let field = if list { "manifests" } else { "layers" };
        let missing: Vec<String> = parts(&json, field).into_iter().filter(|part| !here(part)).collect();
        if !missing.is_empty() {
            return Err(Failure { kind: Kind::ManifestBlobUnknown, digests: missing });
        }
        exchange.shared.blobs.put(body).map_err(|_| Kind::TooLarge)?;
        place.manifests.insert(digest.clone(), manifest);
        if !by_digest {
            place.tags.insert(reference.to_owned(), digest.clone());
        }
    }
    let location = format!("/v2/{repository}/manifests/{digest}");
    let mut answer = empty(201, &[("location", &location), ("docker-content-digest", &digest)]);
    if let Some(subject) = subject {
        add_headers(&mut answer, &[("oci-subject", &subject)]);
    }
    exchange.digest = Some(digest);
    Ok(answer)
}

fn delete(exchange: &mut Exchange<'_>, repository: &str, reference: &str) -> Outcome {
    let mut repositories = exchange.host.repositories.write();
    let place = repositories.get_mut(repository).ok_or_else(|| unknown(reference))?;
    let removed = if is_digest(reference) {
        place.tags.retain(|_, digest| digest != reference);
        place.manifests.remove(reference).is_some()
    } else {
        place.tags.remove(reference).is_some()
    };
    let gone = if is_digest(reference) { Kind::RevisionGone } else { Kind::ManifestUnknown };
    if removed { Ok(empty(202, &[])) } else { Err(gone.into()) }
}

/// The digests that a manifest refers to: of a list its manifests, of an image its configuration and layers.
fn parts(json: &Value, field: &str) -> Vec<String> {
    let config = json.get("config").filter(|_| field == "layers");
    let entries = config.into_iter().chain(json[field].as_array().into_iter().flatten());
    // Layers that live elsewhere by design are not this registry's to have.
    let own = entries.filter(|entry| !entry["urls"].is_array());
    own.filter_map(|entry| entry["digest"].as_str()).map(str::to_owned).collect()
}

/// The same for a stored manifest.
pub(crate) fn references(blobs: &Blobs, digest: &str, field: &str) -> Vec<String> {
    let json = blobs.get(digest).and_then(|body| serde_json::from_slice::<Value>(&body).ok());
    json.map(|json| parts(&json, field)).unwrap_or_default()
}
