//! A registry with its data on disk, killed in the middle of pushes, a hundred times: whatever it had acknowledged is
//! there, whole, and nothing is there that is not what its digest says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::registry_alone::Served;
use crate::support::until;

const ROUNDS: usize = 100;
/// How many push at a time; the first two to the same repository.
const WRITERS: usize = 4;
const LIMIT: Duration = Duration::from_secs(60);
const HOST: &str = "registry.lab.test";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn digest(data: &[u8]) -> String {
    let hex: String = Sha256::digest(data).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// What one writer was told.
#[derive(Default)]
struct Told {
    repository: String,
    /// Digests of blobs, with their lengths, and of manifests.
    blobs: BTreeMap<String, usize>,
    manifests: BTreeSet<String>,
    tag: String,
    /// What the tag points at, and what it may point at instead: that push was cut off.
    points_at: Option<String>,
    may_point_at: Option<String>,
}

/// A client of one repository.
#[derive(Clone)]
struct Registry {
    client: Client,
    base: String,
    login: String,
}

impl Registry {
    fn of(served: &Served) -> Result<Self> {
        pulldrill_tls::install_provider();
        let authority = reqwest::Certificate::from_pem(&served.authority()?)?;
        let client = Client::builder().no_proxy().tls_certs_only([authority]).build()?;
        let login = format!("Basic {}", served.login(HOST)?);
        Ok(Self { client, base: served.url(HOST)?, login })
    }

    async fn send(&self, method: &str, path: &str, media: &str, body: Vec<u8>) -> Result<Response> {
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let request = self.client.request(method, format!("{}{path}", self.base)).body(body);
        let request = request.header("content-type", media).header("accept", MANIFEST);
        Ok(request.header("authorization", &self.login).send().await?)
    }

    async fn expect(&self, status: u16, method: &str, path: &str, body: &[u8]) -> Result<Response> {
        let response = self.send(method, path, "application/octet-stream", body.to_vec()).await?;
        ensure!(response.status() == status, "{method} {path}: {}", response.status());
        Ok(response)
    }

    /// Pushes a blob in one of the ways that there are.
    async fn blob(&self, way: usize, repository: &str, body: &[u8]) -> Result<()> {
        let (digest, uploads) = (digest(body), format!("/v2/{repository}/blobs/uploads/"));
        if way == 0 {
            return self.expect(201, "POST", &format!("{uploads}?digest={digest}"), body).await.map(drop);
        }
        let begun = self.expect(202, "POST", &uploads, b"").await?;
        let place = begun.headers()["location"].to_str()?.to_owned();
        let (first, rest) = body.split_at(if way == 1 { 0 } else { body.len() / 2 });
        if way == 2 {
            self.expect(202, "PATCH", &place, first).await?;
        }
        self.expect(201, "PUT", &format!("{place}?digest={digest}"), rest).await.map(drop)
    }
}

/// Content that is nowhere else, of sizes from one byte to some hundred thousand.
fn content(round: usize, writer: usize, n: usize) -> Vec<u8> {
    let mut content = format!("{round} {writer} {n} ").into_bytes();
    content.resize([16, 3_000, 70_000, 300_000][n % 4], b'0' + (n % 10) as u8);
    content
}

/// Pushes until the registry is gone.
async fn push(registry: Registry, round: usize, writer: usize, acknowledged: Arc<AtomicUsize>) -> Told {
    let mut told = Told {
        repository: if writer < 2 { "team/app".to_owned() } else { format!("team/app-{writer}") },
        tag: format!("w{writer}"),
        ..Told::default()
    };
    for n in 0.. {
        let (blob, repository) = (content(round, writer, n), told.repository.clone());
        if registry.blob(n % 3, &repository, &blob).await.is_err() {
            return told;
        }
        told.blobs.insert(digest(&blob), blob.len());
        let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&blob),
            "size": blob.len()});
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []});
        let manifest = manifest.to_string();
        told.may_point_at = Some(digest(manifest.as_bytes()));
        let path = format!("/v2/{repository}/manifests/{}", told.tag);
        let put = registry.send("PUT", &path, MANIFEST, manifest.clone().into_bytes()).await;
        if !put.is_ok_and(|response| response.status() == StatusCode::CREATED) {
            return told;
        }
        told.points_at = told.may_point_at.take();
        told.manifests.insert(digest(manifest.as_bytes()));
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    told
}

/// Asks a registry for everything that was acknowledged.
async fn ask_for(registry: &Registry, told: &Told) -> Result<()> {
    let repository = &told.repository;
    for (blob, length) in &told.blobs {
        let body = registry.expect(200, "GET", &format!("/v2/{repository}/blobs/{blob}"), b"").await?;
        let body = body.bytes().await?;
        ensure!(body.len() == *length && digest(&body) == *blob, "{blob} is not what it was");
    }
    for manifest in &told.manifests {
        let path = format!("/v2/{repository}/manifests/{manifest}");
        let body = registry.expect(200, "GET", &path, b"").await?.bytes().await?;
        ensure!(digest(&body) == *manifest, "{manifest} is not what it was");
    }
    let Some(before) = &told.points_at else { return Ok(()) };
    let path = format!("/v2/{repository}/manifests/{}", told.tag);
    let head = registry.expect(200, "HEAD", &path, b"").await?;
    let now = head.headers()["docker-content-digest"].to_str()?;
    let fits = now == before || told.may_point_at.as_deref() == Some(now);
    ensure!(fits, "{repository}:{} is {now}, not {before} or {:?}", told.tag, told.may_point_at);
    Ok(())
}

/// Looks at the data itself: every file is what its name says, and every manifest that is listed is there.
fn look_at(data: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut found = BTreeMap::new();
    for layout in fs::read_dir(data.join("hosts").join(HOST))? {
        let layout = layout?.path();
        let mut digests = BTreeSet::new();
        for file in fs::read_dir(layout.join("blobs/sha256"))? {
            let file = file?.path();
            let name = file.file_name().context("a name")?.to_str().context("a name")?.to_owned();
            ensure!(digest(&fs::read(&file)?) == format!("sha256:{name}"), "{} is spoilt", file.display());
            digests.insert(format!("sha256:{name}"));
        }
        let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
        for manifest in index["manifests"].as_array().context("no list")? {
            let manifest = manifest["digest"].as_str().context("no digest")?;
            ensure!(digests.contains(manifest), "{} lacks {manifest}", layout.display());
        }
        let name = layout.file_name().context("a name")?.to_str().context("a name")?.replace('+', "/");
        found.insert(name, digests);
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_acknowledged_is_lost_or_spoilt_by_a_hundred_kills() -> Result<()> {
    let root = TempDir::new()?;
    let data = root.path().join("data");
    let args = ["--personality", "distribution", "--data", data.to_str().context("a path")?];
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut last: Vec<Told> = Vec::new();
    let mut pushes = 0;
    for round in 0..ROUNDS {
        let mut served = Served::start(root.path(), &args).await?;
        let registry = Registry::of(&served)?;
        for told in &last {
            ask_for(&registry, told).await.with_context(|| format!("after {round} kills"))?;
        }
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(push(registry.clone(), round, writer, acknowledged.clone())))
            .collect();
        // At another moment every time: the writers are never at the same place.
        let wanted = 2 + round % 11;
        until(LIMIT, "pushes", async || Ok((acknowledged.load(Ordering::Relaxed) >= wanted).then_some(())))
            .await?;
        served.kill()?;
        last.clear();
        for writer in writers {
            let told = writer.await?;
            let digests = told.blobs.keys().chain(&told.manifests).cloned();
            all.entry(told.repository.clone()).or_default().extend(digests);
            last.push(told);
        }
        pushes += acknowledged.load(Ordering::Relaxed);
        if round % 10 == 9 {
            let found = look_at(&data)?;
            for (repository, digests) in &all {
                let found = found.get(repository).with_context(|| format!("{repository} is gone"))?;
                let lost: Vec<_> = digests.difference(found).collect();
                ensure!(lost.is_empty(), "after {round} kills {repository} has lost {lost:?}");
            }
        }
    }
    let served = Served::start(root.path(), &args).await?;
    let registry = Registry::of(&served)?;
    for told in &last {
        ask_for(&registry, told).await?;
    }
    for (repository, digests) in &all {
        let list = registry.expect(200, "GET", &format!("/v2/{repository}/tags/list"), b"").await?;
        ensure!(list.json::<Value>().await?["tags"].as_array().is_some_and(|tags| !tags.is_empty()));
        ensure!(digests.len() > ROUNDS / 4, "too little was pushed to {repository}: {}", digests.len());
    }
    ensure!(pushes >= ROUNDS * 2, "too little was pushed: {pushes}");
    Ok(())
}
