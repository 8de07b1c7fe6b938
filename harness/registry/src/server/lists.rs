//! Lists: tags, repositories, referrers.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    Outcome,
    auth::Who,
    exchange::{Exchange, add_headers, with_status},
};
use crate::{failure::Kind, image::OCI_INDEX, repository::Manifest};

const JSON: &str = "application/json";
/// How long a page of referrers may be.
const LARGEST_PAGE: usize = (4 << 20) - 1024;

/// One page of sorted names: after `last`, at most `n`.
fn page(
    exchange: &Exchange<'_>,
    names: impl Iterator<Item = String>,
) -> Result<(Vec<String>, Option<String>), Kind> {
    let last = exchange.parameter("last").unwrap_or_default();
    let mut names: Vec<String> = names.filter(|name| name.as_str() > last).collect();
    let Some(n) = exchange.parameter("n") else { return Ok((names, None)) };
    let n: usize = n.parse().map_err(|_| Kind::PageInvalid)?;
    let more = names.len() > n && n > 0;
    names.truncate(n);
    let next = names.last().filter(|_| more).map(|last| {
        let mut link = format!("<{}?last=", exchange.path);
        let _always_fits = write!(link, "{}&n={n}>; rel=\"next\"", last.replace('/', "%2F"));
        link
    });
    Ok((names, next))
}

fn answer(body: &Value, next: Option<String>) -> super::Answer {
    let mut answer = with_status(200, body.to_string(), JSON);
    if let Some(next) = next {
        add_headers(&mut answer, &[("link", &next)]);
    }
    answer
}

/// The tags of a repository.
pub(crate) fn tags(exchange: &Exchange<'_>, repository: &str) -> Outcome {
    let repositories = exchange.host.repositories.read();
    let place = repositories.get(repository).ok_or(Kind::RepositoryUnknown)?;
    // Where repositories come with what is pushed, one is not there before its first manifest is.
    if !exchange.host.personality.knows_repositories && place.manifests.is_empty() && place.tags.is_empty() {
        return Err(Kind::RepositoryUnknown.into());
    }
    let (tags, next) = page(exchange, place.tags.keys().cloned())?;
    Ok(answer(&json!({ "name": repository, "tags": tags }), next))
}

/// The repositories that the client may see.
pub(crate) fn catalog(exchange: &Exchange<'_>, who: &Who) -> Outcome {
    let names: Vec<String> = exchange.host.repositories.read().keys().cloned().collect();
    let seen = names.into_iter().filter(|name| match who {
        Who::Bearer { user, .. } => exchange.host.may(user.as_deref(), "pull", name),
        other => other.may(exchange.host, "pull", name),
    });
    let (repositories, next) = page(exchange, seen)?;
    Ok(answer(&json!({ "repositories": repositories }), next))
}

/// The manifests whose subject is that digest.
pub(crate) fn referrers(exchange: &Exchange<'_>, repository: &str, digest: &str) -> Outcome {
    let wanted = exchange.parameter("artifactType");
    let last = exchange.parameter("last").unwrap_or_default();
    let repository = exchange.host.repositories.read().get(repository).map(|place| place.repository.clone());
    let manifests = repository.iter().flat_map(|repository| &repository.manifests);
    let of_subject = manifests.filter(|(referrer, manifest)| {
        manifest.subject.as_deref() == Some(digest)
            && wanted.is_none_or(|wanted| manifest.artifact_type.as_deref() == Some(wanted))
            && referrer.as_str() > last
    });
    let (mut entries, mut length, mut next) = (Vec::new(), 0, None);
    for (digest, manifest) in of_subject {
        let entry = descriptor(digest, manifest);
        length += entry.to_string().len();
        // An index may be as large as any manifest, and no larger.
        if length > LARGEST_PAGE && !entries.is_empty() {
            next = entries.last().and_then(|last: &Value| last["digest"].as_str()).map(str::to_owned);
            break;
        }
        entries.push(entry);
    }
    let body = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
    let mut answer = with_status(200, body.to_string(), OCI_INDEX);
    if let Some(next) = next {
        let filter = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("last", &next)
            .extend_pairs(wanted.map(|wanted| ("artifactType", wanted)))
            .finish();
        add_headers(&mut answer, &[("link", &format!("<{}?{filter}>; rel=\"next\"", exchange.path))]);
    }
    if wanted.is_some() {
        add_headers(&mut answer, &[("oci-filters-applied", "artifactType")]);
    }
    Ok(answer)
}

/// A manifest as an index lists it.
fn descriptor(digest: &str, manifest: &Manifest) -> Value {
    let mut entry = json!({ "mediaType": manifest.media, "digest": digest, "size": manifest.length });
    if let Some(artifact_type) = &manifest.artifact_type {
        entry["artifactType"] = artifact_type.as_str().into();
    }
    if manifest.annotations.is_object() {
        entry["annotations"] = manifest.annotations.clone();
    }
    entry
}
