//! The steps of one pull as CRI-O's library makes them: it asks `/v2/` first, remembers what that challenges it
//! to, and then gets the manifest, the configuration and the layers.
//!
//! Its words are those of the library's 5.32, which CRI-O 1.31 has; [`refusal`] puts a registry's answer into
//! them.

mod refusal;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use http::{Method, Response, StatusCode, header};
use hyper::body::Incoming;
use parking_lot::Mutex;
use pulldrill_clock::SignedDuration;
use serde_json::Value;
use url::{Url, form_urlencoded};

use self::refusal::Refusal;
use super::{
    Credential, Image, Reference,
    challenge::{Challenge, challenges},
    content::{Blob, Content, describe},
    descriptor::{Descriptor, Kind, matching},
    error::{Code, PullError},
    session::{Call, Session},
    steps::{ACCEPT, ARCHITECTURE, sha256},
    words,
};

/// How often a request is made that is answered with 429.
const ATTEMPTS: u32 = 5;
/// How long to wait after the first of them; twice as long after each further one, to the longest.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(2);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// How often the rest of a body is asked for without getting any.
const RESUMES: usize = 3;

/// One pull.
pub(in crate::puller) struct Pull<'a> {
    pub(in crate::puller) session: Session<'a>,
    credential: Credential,
    reference: &'a Reference,
    content: &'a Mutex<Content>,
    challenges: Vec<Challenge>,
    token: Option<String>,
    staged: HashMap<String, Blob>,
}

impl<'a> Pull<'a> {
    pub(in crate::puller) fn new(
        session: Session<'a>,
        reference: &'a Reference,
        credential: Option<Credential>,
        content: &'a Mutex<Content>,
    ) -> Self {
        let nobody = || Credential { username: String::new(), password: String::new() };
        Self {
            session,
            credential: credential.unwrap_or_else(nobody),
            reference,
            content,
            challenges: Vec::new(),
            token: None,
            staged: HashMap::new(),
        }
    }

    /// Pulls. CRI-O gives no failure a class, but has a word of its own for some.
    pub(in crate::puller) async fn run(&mut self) -> Result<Arc<Image>, PullError> {
        let pulled = self.image().await.map_err(|error| match error.unreachable {
            true => error.reworded(|words| format!("RegistryUnavailable: {words}")),
            false => error,
        });
        pulled.map_err(|error| PullError { code: Code::Unknown, ..error })
    }

    async fn image(&mut self) -> Result<Arc<Image>, PullError> {
        self.ping().await?;
        let object = self.reference.object().to_owned();
        let (target, mut manifest) = self.manifest(&object).await?;
        let mut of_a_list = "";
        if manifest["manifests"].is_array() {
            of_a_list = "copying system image from manifest list: ";
            let platform = matching(&manifest, ARCHITECTURE).ok_or_else(|| no_platform(&manifest))?;
            (_, manifest) = self.manifest(&platform.digest).await?;
        }
        let config = Descriptor::of(&manifest["config"]);
        let in_config =
            |error: PullError| error.reworded(|words| format!("parsing image configuration: {words}"));
        let (configuration, _) = self.blob(&config).await.map_err(in_config)?;
        if sha256(&configuration) != config.digest {
            let got = sha256(&configuration);
            let text = format!("Download config.json digest {got} does not match expected {}", config.digest);
            return Err(in_config(PullError::unknown(text)));
        }
        let configuration: Value = serde_json::from_slice(&configuration)
            .map_err(|error| in_config(PullError::unknown(words::json_error(&configuration, &error))))?;
        if !self.session.client.network.takes_unsigned(self.reference.host()) {
            return Err(PullError::unknown(format!(
                "SignatureValidationFailed: {of_a_list}Source image rejected: A signature was required, but no \
                 signature exists"
            )));
        }
        for layer in manifest["layers"].as_array().into_iter().flatten() {
            let in_list = |error: PullError| error.reworded(|words| format!("{of_a_list}{words}"));
            self.layer(&Descriptor::of(layer)).await.map_err(in_list)?;
        }
        let size = self.staged.values().map(|blob| blob.size).sum();
        let image = Arc::new(describe(self.reference, &target, &config.digest, size, &configuration));
        self.content.lock().keep(self.reference, image.clone(), std::mem::take(&mut self.staged));
        Ok(image)
    }

    /// Asks the registry how it wants to be asked.
    async fn ping(&mut self) -> Result<(), PullError> {
        let host = self.reference.host().to_owned();
        let in_ping =
            |error: PullError| error.reworded(|words| format!("pinging container registry {host}: {words}"));
        let call = Call::new(Method::GET, format!("https://{host}/v2/"));
        let response = self.patiently(call).await.map_err(in_ping)?;
        if ![StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&response.status()) {
            let refusal = Refusal::read(&mut self.session, response).await;
            return Err(in_ping(PullError::unknown(refusal.text())));
        }
        self.challenges = challenges(response.headers());
        let _unused = self.session.read(response.into_body()).await;
        Ok(())
    }

    /// A manifest by tag or digest, and its digest.
    async fn manifest(&mut self, object: &str) -> Result<(String, Value), PullError> {
        let call = self.call("manifests", object).await?.with(header::ACCEPT, ACCEPT);
        let response = self.patiently(call).await?;
        let name = self.reference.name();
        let in_manifest =
            |text: String| PullError::unknown(format!("reading manifest {object} in {name}: {text}"));
        if response.status() != StatusCode::OK {
            return Err(in_manifest(Refusal::read(&mut self.session, response).await.text()));
        }
        let (bytes, _) = self.session.read(response.into_body()).await;
        let digest = sha256(&bytes);
        if object.starts_with("sha256:") && object != digest {
            return Err(in_manifest(format!("manifest does not match provided manifest digest {object}")));
        }
        let manifest = serde_json::from_slice(&bytes)
            .map_err(|error| PullError::unknown(words::json_error(&bytes, &error)))?;
        self.stage(&digest, Kind::Manifest, &bytes);
        Ok((digest, manifest))
    }

    async fn layer(&mut self, layer: &Descriptor) -> Result<(), PullError> {
        let stored = self.content.lock().blob(&layer.digest).cloned();
        if let Some(blob) = stored {
            self.staged.insert(layer.digest.clone(), blob);
            return Ok(());
        }
        let blob = self.blob(layer).await;
        let (bytes, broken) =
            blob.map_err(|error| error.reworded(|words| format!("reading blob {}: {words}", layer.digest)))?;
        let got = sha256(&bytes);
        if got == layer.digest {
            self.stage(&layer.digest, Kind::Layer, &bytes);
            return Ok(());
        }
        let cause = match broken {
            true => "unexpected EOF".to_owned(),
            false => format!("Digest did not match, expected {}, got {got}", layer.digest),
        };
        let number: String = got.bytes().filter(u8::is_ascii_digit).take(9).map(char::from).collect();
        Err(PullError::unknown(format!(
            "writing blob: storing blob to file \"/var/tmp/container_images_storage{number}/1\": happened during \
             read: {cause}"
        )))
    }

    /// The bytes of a blob, as far as they come, and whether they ended before their announced length.
    async fn blob(&mut self, blob: &Descriptor) -> Result<(Vec<u8>, bool), PullError> {
        let mut bytes = Vec::new();
        let mut fruitless = 0;
        loop {
            let offset = bytes.len();
            let mut call = self.call("blobs", &blob.digest).await?;
            if offset > 0 {
                call = call.with(header::RANGE, &format!("bytes={offset}-"));
            }
            let response = self.patiently(call).await?;
            if !response.status().is_success() {
                let refusal = Refusal::read(&mut self.session, response).await;
                return Err(PullError::unknown(format!("fetching blob: {}", refusal.text())));
            }
            let partial = response.status() == StatusCode::PARTIAL_CONTENT;
            let (part, broken) = self.session.read(response.into_body()).await;
            let skip = if partial { 0 } else { offset.min(part.len()) };
            bytes.extend_from_slice(&part[skip..]);
            fruitless = if bytes.len() > offset { 0 } else { fruitless + 1 };
            if !broken || bytes.len() as u64 >= blob.size || fruitless >= RESUMES {
                return Ok((bytes, broken));
            }
        }
    }

    /// A request for content, with whatever the registry has challenged us to.
    async fn call(&mut self, folder: &str, object: &str) -> Result<Call, PullError> {
        let Reference { repository, .. } = self.reference;
        let call = Call::new(
            Method::GET,
            format!("https://{}/v2/{repository}/{folder}/{object}", self.reference.host()),
        );
        for challenge in self.challenges.clone() {
            match challenge.scheme.as_str() {
                // The library sends even an empty pair; registries take that like none.
                "basic" if self.credential.username.is_empty() => return Ok(call),
                "basic" => return Ok(call.with(header::AUTHORIZATION, &self.credential.basic())),
                "bearer" => {
                    let token = match &self.token {
                        Some(token) => token.clone(),
                        None => self.fetch_token(&challenge).await?,
                    };
                    self.token = Some(token.clone());
                    return Ok(call.with(header::AUTHORIZATION, &format!("Bearer {token}")));
                }
                _ => {}
            }
        }
        Ok(call)
    }

    /// A token from the service that a challenge names.
    async fn fetch_token(&mut self, challenge: &Challenge) -> Result<String, PullError> {
        let parameter = |name: &str| challenge.parameters.get(name).filter(|value| !value.is_empty());
        let realm =
            parameter("realm").ok_or_else(|| PullError::unknown("missing realm in bearer auth challenge"))?;
        let mut pairs = Vec::new();
        if !self.credential.username.is_empty() {
            pairs.push(("account", self.credential.username.clone()));
        }
        pairs.push(("scope", format!("repository:{}:pull", self.reference.repository)));
        pairs.extend(parameter("service").map(|service| ("service", service.clone())));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut url = Url::parse(realm).map_err(|error| PullError::unknown(error.to_string()))?;
        url.set_query(Some(&query));
        let mut call = Call::new(Method::GET, url.to_string());
        if !self.credential.username.is_empty() && !self.credential.password.is_empty() {
            call = call.with(header::AUTHORIZATION, &self.credential.basic());
        }
        let response = self.session.send(&call).await?;
        if response.status() != StatusCode::OK {
            let refusal = Refusal::read(&mut self.session, response).await;
            return Err(PullError::unknown(refusal.token_text()));
        }
        let (bytes, _) = self.session.read(response.into_body()).await;
        let reply: Value = serde_json::from_slice(&bytes)
            .map_err(|error| PullError::unknown(words::json_error(&bytes, &error)))?;
        let token = ["token", "access_token"].into_iter().find_map(|field| reply[field].as_str());
        Ok(token.unwrap_or_default().to_owned())
    }

    /// Makes a request, again after a while where there were too many.
    async fn patiently(&mut self, call: Call) -> Result<Response<Incoming>, PullError> {
        let mut wait = FIRST_WAIT;
        for _ in 1..ATTEMPTS {
            let response = self.session.send(&call).await?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok(response);
            }
            let asked =
                response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
            let _unused = self.session.read(response.into_body()).await;
            self.session
                .pause(
                    asked.map_or(wait, SignedDuration::from_secs).clamp(SignedDuration::ZERO, LONGEST_WAIT),
                )
                .await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        self.session.send(&call).await
    }

    fn stage(&mut self, digest: &str, kind: Kind, bytes: &[u8]) {
        let kept = (kind != Kind::Layer).then(|| bytes.to_vec().into());
        self.staged.insert(digest.to_owned(), Blob { size: bytes.len() as u64, bytes: kept });
    }
}

fn no_platform(index: &Value) -> PullError {
    let list = match index["mediaType"].as_str() {
        Some(media_type) if media_type.contains("docker") => "manifest list",
        _ => "image index",
    };
    PullError::unknown(format!(
        "choosing image instance: no image found in {list} for architecture \"{ARCHITECTURE}\", variant \"\", OS \
         \"linux\""
    ))
}
