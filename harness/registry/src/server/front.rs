//! In front of a real registry: what a client may ask for is asked there, and what comes is passed on as it comes, in both
//! directions. Who the client is, what it may do, its quota and the faults are this host's own; so are the words in which
//! something is refused that the upstream does not have or does not give.

use std::io;

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Method, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use reqwest::{Response, Url};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    Answer, Outcome,
    auth::Who,
    body::Body,
    exchange::{Exchange, add_headers, carrying, empty, next_piece, read_body, with_status},
    manifests,
    route::Route,
};
use crate::{
    digest::is_digest,
    failure::Kind,
    name::is_repository,
    upstream::{Call, Lost, Payload, Upstream, add_query},
};

/// The largest manifest.
const LARGEST: usize = 4 << 20;
/// How much of a refusal is read.
const LONGEST_REFUSAL: usize = 64 << 10;
/// What of a request is passed on.
const ASKED: [&str; 6] = ["accept", "range", "if-none-match", "if-range", "content-type", "content-range"];
/// What of an answer is passed on.
const ANSWERED: [&str; 10] = [
    "accept-ranges",
    "cache-control",
    "content-range",
    "content-type",
    "docker-content-digest",
    "etag",
    "last-modified",
    "oci-filters-applied",
    "oci-subject",
    "range",
];

/// Whether a request is for the upstream: what every host has itself is not.
pub(crate) fn is_for(exchange: &Exchange<'_>, route: &Route) -> bool {
    let own = exchange.host.personality.always_has.is_some_and(|own| route.repository() == Some(own));
    exchange.host.upstream.is_some() && *route != Route::Base && !own
}

/// Asks the upstream and tells its answer.
pub(crate) async fn answer(
    exchange: &mut Exchange<'_>,
    upstream: &Upstream,
    who: &Who,
    route: &Route,
    body: &mut Incoming,
) -> Outcome {
    let url = match route {
        Route::Upload { repository, id } => {
            let mut url = upstream.memory.upload(repository, id).ok_or(Kind::UploadUnknown)?;
            add_query(&mut url, &exchange.query);
            url
        }
        _ => upstream.url(&exchange.path, &query(exchange, who)),
    };
    let mut headers = HeaderMap::new();
    for name in ASKED {
        for value in exchange.headers.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    let scopes = scopes(exchange, route);
    let mut call = Call {
        method: exchange.method.clone(),
        url: url.clone(),
        headers,
        scopes,
        payload: Payload::Nothing,
    };
    let carries = matches!(exchange.method, Method::POST | Method::PUT | Method::PATCH);
    let length = body.size_hint().exact();
    let asked = if matches!(route, Route::Manifest { .. }) && carries {
        call.payload = Payload::Whole(read_body(body, LARGEST).await?);
        upstream.send(call).await
    } else if carries && length != Some(0) {
        if let Some(length) = length {
            call.headers.insert(header::CONTENT_LENGTH, length.into());
        }
        passing(upstream, call, body).await?
    } else {
        if carries {
            call.payload = Payload::Whole(Bytes::new());
        }
        upstream.send(call).await
    };
    match asked {
        Ok(response) => tell(exchange, upstream, route, &url, response).await,
        Err(Lost { why }) => Ok(lost(exchange, upstream, &why)),
    }
}

/// What the client adds to the path. A blob is mounted only from where the client may read it.
fn query(exchange: &Exchange<'_>, who: &Who) -> Vec<(String, String)> {
    let from = exchange.parameter("from");
    let may = from.is_none_or(|from| is_repository(from) && who.may(exchange.host, "pull", from));
    let pairs = exchange.query.iter().filter(|(name, _)| may || !matches!(name.as_str(), "from" | "mount"));
    pairs.cloned().collect()
}

/// What the upstream has to grant.
fn scopes(exchange: &Exchange<'_>, route: &Route) -> Vec<String> {
    let Some(repository) = route.repository() else { return vec!["registry:catalog:*".to_owned()] };
    let actions = match exchange.action() {
        "push" => "pull,push",
        // An upload is the business of whoever pushes, whatever is done with it.
        _ if matches!(route, Route::Upload { .. }) => "pull,push",
        other => other,
    };
    let from = exchange.parameter("from").filter(|from| actions == "pull,push" && is_repository(from));
    let from = from.map(|from| format!("repository:{from}:pull"));
    [format!("repository:{repository}:{actions}")].into_iter().chain(from).collect()
}

/// Sends what comes from the client while it comes, until there is an answer.
async fn passing(
    upstream: &Upstream,
    mut call: Call,
    body: &mut Incoming,
) -> Result<Result<Response, Lost>, Kind> {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(2);
    let pieces = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    call.payload = Payload::Passing(reqwest::Body::wrap_stream(pieces));
    let sending = async {
        loop {
            match next_piece(body).await {
                Ok(Some(piece)) => {
                    if sender.send(Ok(piece)).await.is_err() {
                        break;
                    }
                }
                Ok(None) => break,
                Err(kind) => {
                    // Without this, half of it would look like all of it.
                    let _gone_already = sender.send(Err(io::ErrorKind::ConnectionAborted.into())).await;
                    return Err(kind);
                }
            }
        }
        drop(sender);
        Ok(())
    };
    let asked = upstream.send(call);
    tokio::pin!(asked);
    tokio::select! {
        response = &mut asked => Ok(response),
        sent = sending => {
            sent?;
            Ok(asked.await)
        }
    }
}

/// Tells what the upstream says.
async fn tell(
    exchange: &mut Exchange<'_>,
    upstream: &Upstream,
    route: &Route,
    asked: &Url,
    response: Response,
) -> Outcome {
    let status = response.status();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let name = upstream.name();
            tracing::warn!(upstream = name, %status, path = exchange.path, "the upstream refuses its log-in");
            return Err(Kind::NotAllowed.into());
        }
        StatusCode::NOT_FOUND => return Err(missing(exchange, route, response).await.into()),
        StatusCode::TOO_MANY_REQUESTS => {
            let kind = if exchange.user.is_some() { Kind::TooManyOfUser } else { Kind::TooMany };
            let mut answer = exchange.refuse(Some(route), &kind.into());
            if let Some(after) = response.headers().get(header::RETRY_AFTER) {
                answer.headers_mut().insert(header::RETRY_AFTER, after.clone());
            }
            return Ok(answer);
        }
        other if other.is_server_error() => {
            return Ok(lost(exchange, upstream, &format!("it answers {other}")));
        }
        _ => {}
    }
    let head = response.headers().clone();
    let base = response.url().clone();
    let digest = head.get("docker-content-digest").and_then(|value| value.to_str().ok()).map(str::to_owned);
    if status.is_success() {
        exchange.digest = digest.or_else(|| of_request(exchange, route));
    }
    let manifest = matches!(route, Route::Manifest { .. }) && exchange.method == Method::GET;
    let body = if exchange.method == Method::HEAD {
        let length = head.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Body::Announced(length.unwrap_or(0))
    } else if manifest && status.is_success() {
        let response = http::Response::<reqwest::Body>::from(response);
        match Limited::new(response.into_body(), LARGEST).collect().await {
            Ok(body) => {
                let body = body.to_bytes();
                upstream.memory.see(&body);
                body.into()
            }
            Err(error) => return Ok(lost(exchange, upstream, &format!("its manifest breaks off: {error}"))),
        }
    } else {
        Body::passing(http::Response::<reqwest::Body>::from(response).into_body())
    };
    let media = head.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if manifest && status == StatusCode::OK {
        manifests::count(exchange, media)?;
    }
    let mut answer = carrying(status.as_u16(), body, media);
    if media.is_empty() {
        answer.headers_mut().remove(header::CONTENT_TYPE);
    }
    for name in ANSWERED {
        if let Some(value) = head.get(name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    let location = head.get(header::LOCATION).and_then(|value| base.join(value.to_str().ok()?).ok());
    lead(exchange, upstream, route, &mut answer, location.unwrap_or_else(|| asked.clone()));
    if let Some(link) = head.get(header::LINK).and_then(|value| here(value.to_str().ok()?, &base)) {
        add_headers(&mut answer, &[("link", &link)]);
    }
    Ok(answer)
}

/// Where the client goes on: here, wherever the upstream has it.
fn lead(exchange: &Exchange<'_>, upstream: &Upstream, route: &Route, answer: &mut Answer, location: Url) {
    let status = answer.status();
    let ended = status == StatusCode::CREATED;
    let digest = exchange.digest.as_deref().unwrap_or_default();
    let place = match (route, ended) {
        (Route::Manifest { repository, .. }, true) => format!("/v2/{repository}/manifests/{digest}"),
        (Route::Uploads { repository } | Route::Upload { repository, .. }, true) => {
            format!("/v2/{repository}/blobs/{digest}")
        }
        (Route::Uploads { repository }, false) if status.is_success() => {
            let id = upstream.memory.begin(repository, location);
            add_headers(answer, &[("docker-upload-uuid", &id)]);
            format!("/v2/{repository}/blobs/uploads/{id}")
        }
        (Route::Upload { repository, id }, false) if exchange.method != Method::DELETE => {
            if status.is_success() {
                upstream.memory.moved(id, bare(location));
            }
            add_headers(answer, &[("docker-upload-uuid", id)]);
            format!("/v2/{repository}/blobs/uploads/{id}")
        }
        _ => String::new(),
    };
    if let (Route::Upload { id, .. }, true) =
        (route, ended || exchange.method == Method::DELETE && status.is_success())
    {
        upstream.memory.end(id);
    }
    if !place.is_empty() {
        add_headers(answer, &[("location", &place)]);
    }
}

/// An address without what a client has added for once.
fn bare(mut url: Url) -> Url {
    let kept: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(name, _)| name != "digest").collect();
    url.set_query(None);
    add_query(&mut url, &kept);
    url
}

/// A link to a further page, without the host that it is at.
fn here(link: &str, base: &Url) -> Option<String> {
    let (target, rest) = link.strip_prefix('<')?.split_once('>')?;
    let target = base.join(target).ok()?;
    let query = target.query().map_or_else(String::new, |query| format!("?{query}"));
    Some(format!("<{}{query}>{rest}", target.path()))
}

/// The digest that a request is about.
fn of_request(exchange: &Exchange<'_>, route: &Route) -> Option<String> {
    let asked = match route {
        Route::Upload { .. } | Route::Uploads { .. } => {
            exchange.parameter("digest").or(exchange.parameter("mount"))
        }
        Route::Manifest { .. } | Route::Blob { .. } => route.reference(),
        _ => None,
    };
    asked.filter(|digest| is_digest(digest)).map(str::to_owned)
}

/// What is not there, so that it can be said in this host's words.
async fn missing(exchange: &Exchange<'_>, route: &Route, response: Response) -> Kind {
    let response = http::Response::<reqwest::Body>::from(response);
    let said = Limited::new(response.into_body(), LONGEST_REFUSAL).collect().await;
    let said = said.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let said: Value = serde_json::from_slice(&said).unwrap_or_default();
    let no_repository = said["errors"][0]["code"] == "NAME_UNKNOWN";
    match route {
        Route::Manifest { .. } if no_repository && exchange.host.personality.knows_repositories => {
            Kind::RepositoryUnknown
        }
        Route::Manifest { reference, .. } if exchange.method == Method::DELETE && is_digest(reference) => {
            Kind::RevisionGone
        }
        Route::Manifest { reference, .. } => manifests::unknown(reference),
        Route::Blob { .. } if exchange.method == Method::DELETE => Kind::BlobGone,
        Route::Blob { .. } => Kind::BlobUnknown,
        Route::Upload { .. } => Kind::UploadUnknown,
        Route::Tags { .. } | Route::Uploads { .. } => Kind::RepositoryUnknown,
        Route::Base | Route::Catalog | Route::Referrers { .. } => Kind::NoSuchPage,
    }
}

/// The upstream does not answer as a registry does; the client is told so, and so is the log.
fn lost(exchange: &Exchange<'_>, upstream: &Upstream, why: &str) -> Answer {
    let name = upstream.name();
    tracing::warn!(upstream = name, why, path = exchange.path, "the upstream registry fails");
    let message = format!("the upstream registry {name} cannot be used: {why}");
    let errors = json!({ "errors": [{ "code": "UNAVAILABLE", "message": message }] });
    if exchange.method == Method::HEAD {
        return empty(502, &[]);
    }
    with_status(502, errors.to_string(), "application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_pages_are_here() {
        let base = Url::parse("https://u.example:5000/v2/a/tags/list?n=1").unwrap();
        for link in [
            "</v2/a/tags/list?last=x&n=1>; rel=\"next\"",
            "<https://u.example:5000/v2/a/tags/list?last=x&n=1>; rel=\"next\"",
        ] {
            assert_eq!(here(link, &base).unwrap(), "</v2/a/tags/list?last=x&n=1>; rel=\"next\"");
        }
        assert_eq!(here("nonsense", &base), None);
    }

    #[test]
    fn an_address_of_an_upload_keeps_its_state_and_loses_the_digest() {
        let url = Url::parse("https://u.example/up?_state=a%2Fb&digest=sha256%3A1").unwrap();
        assert_eq!(bare(url).as_str(), "https://u.example/up?_state=a%2Fb");
        assert_eq!(bare(Url::parse("https://u.example/up").unwrap()).as_str(), "https://u.example/up");
    }
}
