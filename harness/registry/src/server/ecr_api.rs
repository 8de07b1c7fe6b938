//! The JSON API beside an ECR-like registry, as far as the `aws` command and the usual scripts use it.
//!
//! Requests have to be signed, by a key of the host where it has any; at what time does not matter.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Method, header};
use hyper::body::Incoming;
use pulldrill_clock::Timestamp;
use serde_json::{Value, json};

use super::{
    Answer, Outcome, Role,
    exchange::{Exchange, add_headers, read_body, with_status},
    sigv4::{ALGORITHM, Authorization, Request},
    sts,
};
use crate::{
    host::{Host, ISSUED_USER},
    name::is_repository,
    personality::Scheme,
    repository::{Manifest, Place, Repository},
    spec::{Access, RepositorySpec},
};

const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.";
const JSON: &str = "application/x-amz-json-1.1";
/// For which service requests are signed.
const SERVICE: &str = "ecr";
/// What is said of a key that nobody has.
const UNKNOWN_KEY: &str = "The security token included in the request is invalid.";
const MUTABLE: &str = "MUTABLE";
const IMMUTABLE: &str = "IMMUTABLE";
const WRONG_SCOPE: &str = "Credential should be scoped to a valid region. ";
const WRONG_SIGNATURE: &str = "The request signature we calculated does not match the signature you provided. \
    Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
/// The largest request.
const LARGEST: usize = 1 << 20;

/// An error of the API: its type and message.
pub(super) type Refusal = (&'static str, String);

/// Whether a request is for this API.
pub(crate) fn is_for(exchange: &Exchange<'_>) -> bool {
    exchange.host.personality.scheme == Scheme::IssuedPassword
        && (exchange.role == Role::Tokens
            || (exchange.path == "/" && exchange.headers.contains_key("x-amz-target")))
}

/// Answers a call.
pub(crate) async fn answer(exchange: &mut Exchange<'_>, body: &mut Incoming) -> Outcome {
    let body = read_body(body, LARGEST).await?;
    if sts::is_for(exchange) {
        return Ok(sts::answer(exchange, &body));
    }
    Ok(match call(exchange, &body) {
        Ok(value) => {
            // What has been changed is made to last before it is told.
            let host = exchange.host.clone();
            if let Some(created) = value["repository"]["repositoryName"].as_str() {
                let name = created.to_owned();
                exchange.shared.store.offload(move || Ok(host.record(&name))).await??;
            } else if let (Some(name), Some(mutability)) =
                (value["repositoryName"].as_str(), value["imageTagMutability"].as_str())
            {
                let (name, immutable) = (name.to_owned(), mutability == IMMUTABLE);
                let change = move || {
                    Ok(host.change(&name, move |repository, _| {
                        repository.immutable = immutable;
                        Ok(())
                    }))
                };
                exchange.shared.store.offload(change).await??;
            }
            with_status(200, value.to_string(), JSON)
        }
        Err((kind, message)) => refusal(kind, &message),
    })
}

fn refusal(kind: &'static str, message: &str) -> Answer {
    let mut answer = with_status(400, json!({ "__type": kind, "message": message }).to_string(), JSON);
    add_headers(&mut answer, &[("x-amzn-errortype", kind)]);
    answer
}

fn call(exchange: &Exchange<'_>, body: &[u8]) -> Result<Value, Refusal> {
    let target = exchange.header("x-amz-target").and_then(|target| target.strip_prefix(TARGET));
    let Some(operation) = target.filter(|_| exchange.method == Method::POST) else {
        return Err(("UnknownOperationException", String::new()));
    };
    signed(exchange, body, SERVICE)?;
    let body = if body.is_empty() { b"{}" } else { body };
    let request: Value = serde_json::from_slice(body)
        .map_err(|_| ("SerializationException", "Not a JSON object".to_owned()))?;
    match operation {
        "GetAuthorizationToken" => authorization(exchange),
        "DescribeImages" => describe_images(exchange, &request),
        "ListImages" => list_images(exchange, &request),
        "BatchGetImage" => batch_get_image(exchange, &request),
        "DescribeRepositories" => describe_repositories(exchange, &request),
        "CreateRepository" => create_repository(exchange, &request),
        "PutImageTagMutability" => put_image_tag_mutability(exchange, &request),
        _ => Err(("UnknownOperationException", String::new())),
    }
}

/// Refuses what is not signed by one of the host's keys; a host without keys takes every signature.
pub(super) fn signed(exchange: &Exchange<'_>, body: &[u8], service: &str) -> Result<(), Refusal> {
    let header = exchange.header(header::AUTHORIZATION);
    let header =
        header.ok_or(("MissingAuthenticationTokenException", "Missing Authentication Token".to_owned()))?;
    let incomplete = || ("IncompleteSignatureException", format!("'{header}' is no signature of version 4"));
    if exchange.host.access_keys.is_empty() && header.starts_with(ALGORITHM) {
        return Ok(());
    }
    let read = Authorization::read(header).ok_or_else(incomplete)?;
    let key = exchange.host.access_keys.iter().find(|key| key.id == read.access_key);
    let key = key.ok_or(("UnrecognizedClientException", UNKNOWN_KEY.to_owned()))?;
    if read.region != exchange.host.region || read.service != service {
        return Err(("InvalidSignatureException", WRONG_SCOPE.to_owned()));
    }
    let request = Request {
        method: exchange.method.as_str(),
        path: &exchange.path,
        query: &exchange.query,
        headers: &exchange.headers,
        body,
    };
    let fine = read.is_of(&key.secret, &request);
    fine.then_some(()).ok_or(("InvalidSignatureException", WRONG_SIGNATURE.to_owned()))
}

fn authorization(exchange: &Exchange<'_>) -> Result<Value, Refusal> {
    let broken = |error: crate::RegistryError| ("ServerException", error.to_string());
    let token = exchange.host.issue(exchange.now).map_err(broken)?;
    let encoded = STANDARD.encode(format!("{ISSUED_USER}:{}", token.password));
    Ok(json!({ "authorizationData": [{
        "authorizationToken": encoded,
        "expiresAt": seconds(exchange, token.expires_at),
        "proxyEndpoint": exchange.own_url(),
    }] }))
}

/// A lab time as this API writes it.
fn seconds(exchange: &Exchange<'_>, at: Timestamp) -> f64 {
    exchange.shared.clock.shown(at).as_duration().as_secs_f64()
}

/// Runs `then` on the repository that a request names.
fn in_repository<T>(
    host: &Host,
    request: &Value,
    then: impl FnOnce(&str, &Repository) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let Some(name) = request["repositoryName"].as_str() else {
        return Err(("InvalidParameterException", "repositoryName is required".to_owned()));
    };
    let repositories = host.repositories.read();
    repositories.get(name).map_or_else(|| Err(no_repository(host, name)), |place| then(name, place))
}

fn no_repository(host: &Host, name: &str) -> Refusal {
    let message = format!(
        "The repository with name '{name}' does not exist in the registry with id '{}'",
        host.account
    );
    ("RepositoryNotFoundException", message)
}

/// The digest that an image id of a request stands for.
fn image_id<'a>(place: &'a Repository, id: &Value) -> Option<(&'a str, &'a Manifest)> {
    let reference = id["imageDigest"].as_str().or(id["imageTag"].as_str())?;
    let digest = place.resolve(reference)?;
    place.manifests.get_key_value(digest).map(|(digest, manifest)| (digest.as_str(), &**manifest))
}

fn describe_images(exchange: &Exchange<'_>, request: &Value) -> Result<Value, Refusal> {
    let host = exchange.host;
    in_repository(host, request, |name, place| {
        let mut wanted: Vec<(&str, &Manifest)> = Vec::new();
        match request["imageIds"].as_array() {
            Some(ids) => {
                for id in ids {
                    wanted.push(image_id(place, id).ok_or_else(|| no_image(host, name, id))?);
                }
            }
            None => {
                wanted
                    .extend(place.manifests.iter().map(|(digest, manifest)| (digest.as_str(), &**manifest)));
            }
        }
        let details = wanted.into_iter().map(|(digest, manifest)| {
            let mut detail = json!({
                "registryId": host.account, "repositoryName": name, "imageDigest": digest,
                "imageSizeInBytes": manifest.size, "imageManifestMediaType": manifest.media,
                "imagePushedAt": seconds(exchange, manifest.pushed_at),
                "artifactMediaType": manifest.artifact_type,
            });
            let tags = place.tags_of(digest);
            if !tags.is_empty() {
                detail["imageTags"] = json!(tags);
            }
            detail
        });
        Ok(json!({ "imageDetails": details.collect::<Vec<_>>() }))
    })
}

fn no_image(host: &Host, name: &str, id: &Value) -> Refusal {
    let text = |field: &str| id[field].as_str().unwrap_or("null").to_owned();
    let message = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with \
         name '{name}' in the registry with id '{}'",
        text("imageDigest"),
        text("imageTag"),
        host.account
    );
    ("ImageNotFoundException", message)
}

fn list_images(exchange: &Exchange<'_>, request: &Value) -> Result<Value, Refusal> {
    in_repository(exchange.host, request, |_, place| {
        let status = request["filter"]["tagStatus"].as_str().unwrap_or("ANY");
        let mut ids: Vec<Value> = Vec::new();
        for digest in place.manifests.keys() {
            let tags = place.tags_of(digest);
            if tags.is_empty() && status != "TAGGED" {
                ids.push(json!({ "imageDigest": digest }));
            }
            if status != "UNTAGGED" {
                ids.extend(tags.iter().map(|tag| json!({ "imageDigest": digest, "imageTag": tag })));
            }
        }
        Ok(json!({ "imageIds": ids }))
    })
}

fn batch_get_image(exchange: &Exchange<'_>, request: &Value) -> Result<Value, Refusal> {
    let host = exchange.host;
    in_repository(host, request, |name, place| {
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in request["imageIds"].as_array().into_iter().flatten() {
            let found = image_id(place, id);
            let Some((digest, manifest)) = found else {
                failures.push(json!({
                    "imageId": id, "failureCode": "ImageNotFound",
                    "failureReason": "Requested image not found",
                }));
                continue;
            };
            let body = exchange.shared.store.read(digest).ok().flatten().unwrap_or_default();
            let mut image_id = id.clone();
            image_id["imageDigest"] = digest.into();
            images.push(json!({
                "registryId": host.account, "repositoryName": name, "imageId": image_id,
                "imageManifest": String::from_utf8_lossy(&body), "imageManifestMediaType": manifest.media,
            }));
        }
        Ok(json!({ "images": images, "failures": failures }))
    })
}

fn describe(exchange: &Exchange<'_>, name: &str, place: &Repository) -> Value {
    let host = exchange.host;
    json!({
        "repositoryArn": format!("arn:aws:ecr:{}:{}:repository/{name}", host.region, host.account),
        "registryId": host.account, "repositoryName": name,
        "repositoryUri": format!("{}/{name}", host.name),
        "createdAt": seconds(exchange, place.created_at),
        "imageTagMutability": if place.immutable { IMMUTABLE } else { MUTABLE },
        "imageScanningConfiguration": { "scanOnPush": false },
        "encryptionConfiguration": { "encryptionType": "AES256" },
    })
}

fn describe_repositories(exchange: &Exchange<'_>, request: &Value) -> Result<Value, Refusal> {
    let repositories = exchange.host.repositories.read();
    let all: Vec<Value> = match request["repositoryNames"].as_array() {
        None => repositories.iter().map(|(name, place)| describe(exchange, name, place)).collect(),
        Some(names) => {
            let named = names.iter().filter_map(Value::as_str).map(|name| {
                let place = repositories.get(name).ok_or_else(|| no_repository(exchange.host, name))?;
                Ok(describe(exchange, name, place))
            });
            named.collect::<Result<_, Refusal>>()?
        }
    };
    Ok(json!({ "repositories": all }))
}

fn create_repository(exchange: &Exchange<'_>, request: &Value) -> Result<Value, Refusal> {
    let host = exchange.host;
    let name = request["repositoryName"].as_str().unwrap_or_default();
    if !is_repository(name) || name.len() < 2 {
        let message = format!("Invalid parameter at 'repositoryName' failed to satisfy constraint: '{name}'");
        return Err(("InvalidParameterException", message));
    }
    let immutable = match &request["imageTagMutability"] {
        Value::Null => false,
        given => immutable(given)?,
    };
    let mut repositories = host.repositories.write();
    if repositories.contains_key(name) {
        let message = format!(
            "The repository with name '{name}' already exists in the registry with id '{}'",
            host.account
        );
        return Err(("RepositoryAlreadyExistsException", message));
    }
    let spec =
        RepositorySpec { name: name.to_owned(), pull: Access::Authenticated, push: Access::Authenticated };
    let place = repositories.entry(name.to_owned()).or_insert_with(|| Place::new(&spec, exchange.now));
    Arc::make_mut(&mut place.repository).immutable = immutable;
    Ok(json!({ "repository": describe(exchange, name, place) }))
}

/// Whether tags are to stay what they are. Amazon also takes exclusions, which are not made here.
fn immutable(given: &Value) -> Result<bool, Refusal> {
    match given.as_str() {
        Some(MUTABLE) => Ok(false),
        Some(IMMUTABLE) => Ok(true),
        _ => {
            let message = format!(
                "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy \
                 enum value set: [{MUTABLE}, {IMMUTABLE}]'"
            );
            Err(("InvalidParameterException", message))
        }
    }
}

/// What will be, and is then made so.
fn put_image_tag_mutability(exchange: &Exchange<'_>, request: &Value) -> Result<Value, Refusal> {
    let immutable = immutable(&request["imageTagMutability"])?;
    in_repository(exchange.host, request, |name, _| {
        Ok(json!({
            "registryId": exchange.host.account, "repositoryName": name,
            "imageTagMutability": if immutable { IMMUTABLE } else { MUTABLE },
        }))
    })
}
