//! The steps of one pull, in the order in which the runtime makes its requests.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use http::{Method, Response, StatusCode, header};
use hyper::body::Incoming;
use parking_lot::Mutex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Credential, Image, Reference,
    authorizer::{Authorizer, Retry},
    content::{Blob, Content, describe},
    descriptor::{Descriptor, Kind, matching},
    error::{Code, PullError},
    session::{Call, Session, status_line},
    words,
};
use crate::dialect::{Dialect, Text};

/// What a resolver accepts, as the runtime writes it.
pub(super) const ACCEPT: &str = "application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*";
/// How often one request is made at most.
const ATTEMPTS: usize = 6;
/// How often the rest of a body is asked for without getting any.
const RESUMES: usize = 3;
/// What every node is.
pub(super) const ARCHITECTURE: &str = "amd64";

/// One pull.
pub(super) struct Pull<'a> {
    pub(super) session: Session<'a>,
    authorizer: Authorizer,
    reference: &'a Reference,
    content: &'a Mutex<Content>,
    dialect: Arc<Dialect>,
    staged: HashMap<String, Blob>,
}

impl<'a> Pull<'a> {
    pub(super) fn new(
        session: Session<'a>,
        reference: &'a Reference,
        credential: Option<Credential>,
        content: &'a Mutex<Content>,
    ) -> Self {
        let dialect = session.client.dialect.clone();
        let authorizer = Authorizer::new(credential, &reference.repository);
        Self { session, authorizer, reference, content, dialect, staged: HashMap::new() }
    }

    /// Resolves, fetches, and keeps the image.
    pub(super) async fn run(&mut self) -> Result<Arc<Image>, PullError> {
        let target = self.resolve().await.map_err(|e| self.worded(Text::ResolveFailed, e))?;
        let manifest = match target.kind() {
            Kind::Index => {
                let index = self.json(&target).await?;
                let platform =
                    matching(&index, ARCHITECTURE).ok_or_else(|| self.no_platform(&target.digest))?;
                self.json(&platform).await?
            }
            _ => self.json(&target).await?,
        };
        let config = Descriptor::of(&manifest["config"]);
        let configuration = self.json(&config).await?;
        for layer in manifest["layers"].as_array().into_iter().flatten() {
            self.fetch(&Descriptor::of(layer)).await?;
        }
        let size = self.staged.values().map(|blob| blob.size).sum();
        let image = describe(self.reference, &target.digest, &config.digest, size, &configuration);
        let image = Arc::new(image);
        self.content.lock().keep(self.reference, image.clone(), std::mem::take(&mut self.staged));
        Ok(image)
    }

    fn worded(&self, text: Text, error: PullError) -> PullError {
        let reference = self.reference.to_string();
        error.reworded(|m| self.dialect.text(text, &[("reference", &reference), ("error", m)]))
    }

    /// Nothing in an index is for a node like this.
    fn no_platform(&self, index: &str) -> PullError {
        let reference = self.reference.to_string();
        let values = [("reference", reference.as_str()), ("digest", index)];
        PullError::new(Code::NotFound, self.dialect.text(Text::NoPlatform, &values))
    }

    /// Finds out what the reference stands for.
    async fn resolve(&mut self) -> Result<Descriptor, PullError> {
        let object = self.reference.object().to_owned();
        let folders: &[&str] =
            if self.reference.digest.is_some() { &["manifests", "blobs"] } else { &["manifests"] };
        for folder in folders {
            let url = self.url(folder, &object);
            let call = Call::new(Method::HEAD, &url).with(header::ACCEPT, ACCEPT);
            let (method, response) = self.request(call).await.map_err(|error| match error.refused {
                true => error.reworded(|m| {
                    format!("pull access denied, repository does not exist or may require authorization: {m}")
                }),
                false => error,
            })?;
            match response.status() {
                StatusCode::NOT_FOUND => {}
                status if status.as_u16() > 299 => {
                    let line = status_line(&response);
                    return Err(PullError::unknown(format!(
                        "unexpected status from {method} request to {url}: {line}"
                    )));
                }
                _ => return self.described(&url, response).await,
            }
        }
        Err(PullError::new(Code::NotFound, format!("{}: not found", self.reference)))
    }

    /// The descriptor in an answer's headers; without them, that of the content itself.
    async fn described(&mut self, url: &str, response: Response<Incoming>) -> Result<Descriptor, PullError> {
        let text = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let media_type = text("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_owned();
        let digest = text("docker-content-digest").or_else(|| self.reference.digest.clone());
        let size = text("content-length").and_then(|n| n.parse().ok());
        if let (Some(digest), Some(size)) = (digest, size) {
            return Ok(Descriptor { media_type, digest, size });
        }
        let call = Call::new(Method::GET, url).with(header::ACCEPT, ACCEPT);
        let (_, response) = self.request(call).await?;
        let (bytes, _) = self.session.read(response.into_body()).await;
        let size = bytes.len() as u64;
        let digest = sha256(&bytes);
        self.stage(&digest, Kind::Manifest, bytes);
        Ok(Descriptor { media_type, digest, size })
    }

    /// Makes a request, again where that may help. The method may have become GET on the way.
    async fn request(&mut self, mut call: Call) -> Result<(Method, Response<Incoming>), PullError> {
        let host = self.reference.host().to_owned();
        let mut repeated_for_server = false;
        let mut same = false;
        for attempt in 1.. {
            if let Some(value) = self.authorizer.header(&host, &mut self.session).await? {
                call = call.with(header::AUTHORIZATION, &value);
            }
            let response = self.session.send(&call).await;
            let response = response.map_err(|e| e.reworded(|m| format!("failed to do request: {m}")))?;
            if attempt >= ATTEMPTS {
                return Ok((call.method, response));
            }
            match response.status().as_u16() {
                401 => match self.authorizer.challenged(&host, &response, same)? {
                    Retry::Again => same = true,
                    Retry::Pointless => return Ok((call.method, response)),
                },
                405 if call.method == Method::HEAD && call.url.contains("/manifests/") => {
                    call.method = Method::GET;
                    same = false;
                }
                408 | 429 => same = true,
                500 | 503 | 504 if self.dialect.runtime.repeats_server_errors && !repeated_for_server => {
                    repeated_for_server = true;
                    same = true;
                }
                _ => return Ok((call.method, response)),
            }
            let _unused = self.session.read(response.into_body()).await;
        }
        Err(PullError::unknown("too many requests"))
    }

    fn url(&self, folder: &str, object: &str) -> String {
        format!("https://{}/v2/{}/{folder}/{object}", self.reference.host(), self.reference.repository)
    }

    /// Content that is read as JSON.
    async fn json(&mut self, descriptor: &Descriptor) -> Result<Value, PullError> {
        let bytes = self.fetch(descriptor).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let cause = words::json_error(&bytes, &error);
            self.worded(Text::UnpackFailed, PullError::unknown(cause))
        })
    }

    /// Content by descriptor: from the store, from what this pull has already, or from the registry.
    async fn fetch(&mut self, descriptor: &Descriptor) -> Result<Bytes, PullError> {
        if let Some(blob) = self.staged.get(&descriptor.digest) {
            return Ok(blob.bytes.clone().unwrap_or_default());
        }
        let stored = self.content.lock().blob(&descriptor.digest).cloned();
        if let Some(blob) = stored {
            let bytes = blob.bytes.clone().unwrap_or_default();
            self.staged.insert(descriptor.digest.clone(), blob);
            return Ok(bytes);
        }
        let bytes = self.download(descriptor).await?;
        self.verify(descriptor, &bytes).map_err(|e| self.worded(Text::UnpackFailed, e))?;
        Ok(self.stage(&descriptor.digest, descriptor.kind(), bytes))
    }

    fn stage(&mut self, digest: &str, kind: Kind, bytes: Vec<u8>) -> Bytes {
        let bytes = Bytes::from(bytes);
        let kept = (kind != Kind::Layer).then(|| bytes.clone());
        self.staged.insert(digest.to_owned(), Blob { size: bytes.len() as u64, bytes: kept });
        bytes
    }

    fn verify(&self, descriptor: &Descriptor, bytes: &[u8]) -> Result<(), PullError> {
        let (kind, want) = (descriptor.kind().prefix(), &descriptor.digest);
        let got = sha256(bytes);
        let size = bytes.len() as u64;
        let cause = if size > descriptor.size {
            format!("unexpected commit size {size}, expected {}", descriptor.size)
        } else if got != *want {
            format!("unexpected commit digest {got}, expected {want}")
        } else {
            return Ok(());
        };
        let message = format!("failed commit on ref \"{kind}-{want}\": {cause}: failed precondition");
        Err(PullError::new(Code::FailedPrecondition, message))
    }

    /// Downloads, going on where a body ended before its announced length. One that is announced too short is taken for
    /// what it says that it is.
    async fn download(&mut self, descriptor: &Descriptor) -> Result<Vec<u8>, PullError> {
        let mut bytes = Vec::new();
        let mut fruitless = 0;
        loop {
            let offset = bytes.len() as u64;
            let response = self.open(descriptor, offset).await;
            let response = response.map_err(|e| self.worded(Text::FetchFailed, e))?;
            let partial = response.status() == StatusCode::PARTIAL_CONTENT;
            let (part, broken) = self.session.read(response.into_body()).await;
            let skip = if partial { 0 } else { bytes.len().min(part.len()) };
            bytes.extend_from_slice(&part[skip..]);
            let now = bytes.len() as u64;
            if now >= descriptor.size {
                return Ok(bytes);
            }
            fruitless = if now > offset { 0 } else { fruitless + 1 };
            if !broken || fruitless >= RESUMES {
                let (expected, got) = ((descriptor.size - offset).to_string(), (now - offset).to_string());
                let text = self.dialect.text(Text::ShortRead, &[("expected", &expected), ("got", &got)]);
                return Err(self.worded(Text::UnpackFailed, PullError::unknown(text)));
            }
        }
    }

    /// Opens content for reading from `offset` on.
    async fn open(&mut self, descriptor: &Descriptor, offset: u64) -> Result<Response<Incoming>, PullError> {
        let folder = descriptor.kind().folder();
        let url = self.url(folder, &descriptor.digest);
        let accept = format!("{}, */*", descriptor.media_type);
        let mut call = Call::new(Method::GET, &url).with(header::ACCEPT, &accept);
        if self.dialect.runtime.accepts_compressed {
            call = call.with(header::ACCEPT_ENCODING, "zstd;q=1.0, gzip;q=0.8, deflate;q=0.5");
        }
        if offset > 0 {
            call = call.with(header::RANGE, &format!("bytes={offset}-"));
        }
        let (_, response) = self.request(call).await?;
        match response.status() {
            StatusCode::NOT_FOUND if folder == "manifests" => {
                Err(PullError::new(Code::NotFound, format!("content at {url} not found: not found")))
            }
            StatusCode::NOT_FOUND => {
                let Descriptor { digest, media_type, .. } = descriptor;
                let text = format!(
                    "could not fetch content descriptor {digest} ({media_type}) from remote: not found"
                );
                Err(PullError::new(Code::NotFound, text))
            }
            status if status.as_u16() > 299 => Err(self.refusal(&url, response).await),
            _ => Ok(response),
        }
    }

    /// A GET's error status with what the registry says about it.
    async fn refusal(&mut self, url: &str, response: Response<Incoming>) -> PullError {
        let status = status_line(&response);
        let (bytes, _) = self.session.read(response.into_body()).await;
        let text = match words::registry_errors(&bytes) {
            Some(body) => {
                self.dialect.text(Text::GetStatusBody, &[("url", url), ("status", &status), ("body", &body)])
            }
            None => self.dialect.text(Text::GetStatus, &[("url", url), ("status", &status)]),
        };
        PullError::unknown(text)
    }
}

/// The digest of bytes.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in hash {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
