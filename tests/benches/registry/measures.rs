//! What is measured of one registry.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::future::try_join_all;
use http::{Method, StatusCode, header};
use pulldrill_clock::real;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    servers::Server,
    support::{
        client::Client,
        figures::{Figure, Unit, figure, memory, per_second},
    },
};

/// The size of the large blob, in bytes.
pub(crate) const LARGE: usize = 256 << 20;
/// The size of a small one, in bytes.
const SMALL: usize = 4096;
/// How many connections are busy at a time, where it is not one.
const CONNECTIONS: usize = 8;
/// How many images are pushed, each of a layer, a configuration and a manifest.
const IMAGES: usize = 800;
/// How many repositories they are in.
const REPOSITORIES: usize = 16;
/// How many requests one figure of reading is made of.
const REQUESTS: usize = 8_000;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const OCTETS: &str = "application/octet-stream";

/// All figures of a registry; each is told of as it comes.
pub(crate) async fn all(server: &Server, tell: impl Fn(&Figure)) -> Result<Vec<Figure>> {
    let mut figures = Figures { all: Vec::new(), tell };
    let pushes = each(server, CONNECTIONS, IMAGES, async |client, n| push(client, n).await);
    let what = format!("push an image, {CONNECTIONS} connections");
    figures.push(figure(&server.processes, what, pushes, per_second(IMAGES)).await?);
    for connections in [1, CONNECTIONS] {
        let gets = each(server, connections, REQUESTS, async |client, n| {
            let n = n * 7919 % IMAGES;
            ensure!(client.get(&format!("/v2/{}/manifests/v{n}", repository(n))).await? > 100);
            Ok(())
        });
        let what = format!("get a manifest, {connections} connection(s)");
        figures.push(figure(&server.processes, what, gets, per_second(REQUESTS)).await?);
    }
    let digests: Vec<String> = (0..IMAGES).map(|n| digest(&layer(n))).collect();
    let gets = each(server, CONNECTIONS, REQUESTS, async |client, n| {
        let n = n * 7919 % IMAGES;
        ensure!(client.get(&format!("/v2/{}/blobs/{}", repository(n), digests[n])).await? == SMALL);
        Ok(())
    });
    let what = format!("get a blob of {SMALL} bytes, {CONNECTIONS} connections");
    figures.push(figure(&server.processes, what, gets, per_second(REQUESTS)).await?);

    let large = noise(LARGE, 1);
    let large_digest = digest(&large);
    let path = format!("/v2/{}/blobs/{large_digest}", repository(0));
    let pushed =
        one(server, async |client| upload(client, &repository(0), large.clone(), &large_digest).await);
    let size = large_blob();
    figures
        .push(figure(&server.processes, format!("push a blob of {} MiB", LARGE >> 20), pushed, size).await?);
    let pulled = one(server, async |client| {
        ensure!(client.get(&path).await? == LARGE);
        Ok(())
    });
    figures
        .push(figure(&server.processes, format!("get a blob of {} MiB", LARGE >> 20), pulled, size).await?);
    figures.push(memory(&server.processes, "memory")?);
    Ok(figures.all)
}

struct Figures<T> {
    all: Vec<Figure>,
    tell: T,
}

impl<T: Fn(&Figure)> Figures<T> {
    fn push(&mut self, figure: Figure) {
        (self.tell)(&figure);
        self.all.push(figure);
    }
}

fn large_blob() -> impl Fn(Duration) -> (f64, Unit) + Copy {
    |time| (LARGE as f64 / f64::from(1 << 20) / time.as_secs_f64(), Unit::MebibytesPerSecond)
}

/// Does something `count` times over some connections; how long that takes.
async fn each(
    server: &Server,
    connections: usize,
    count: usize,
    what: impl AsyncFn(&mut Client, usize) -> Result<()>,
) -> Result<Duration> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Client::connect(&server.place).await?);
    }
    let (what, watch) = (&what, real::stopwatch());
    try_join_all(clients.into_iter().enumerate().map(|(first, mut client)| async move {
        for n in (first..count).step_by(connections) {
            what(&mut client, n).await.with_context(|| format!("number {n}"))?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(watch.elapsed())
}

async fn one(server: &Server, what: impl AsyncFn(&mut Client) -> Result<()>) -> Result<Duration> {
    each(server, 1, 1, async |client, _| what(client).await).await
}

fn repository(n: usize) -> String {
    format!("bench/app-{}", n % REPOSITORIES)
}

fn layer(n: usize) -> Bytes {
    noise(SMALL, n as u64 + 2)
}

/// Bytes that can't be guessed, and are the same each time.
fn noise(size: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

fn digest(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Pushes an image as clients do: its blobs, then its manifest under a tag.
async fn push(client: &mut Client, n: usize) -> Result<()> {
    let repository = repository(n);
    let layer = layer(n);
    let config = Bytes::from(
        json!({"architecture": "amd64", "os": "linux", "config": {"Labels": {"number": n.to_string()}},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]}})
        .to_string(),
    );
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": digest(&config), "size": config.len()},
        "layers": [{"mediaType": LAYER, "digest": digest(&layer), "size": layer.len()}]});
    for blob in [layer, config] {
        let digest = digest(&blob);
        upload(client, &repository, blob, &digest).await?;
    }
    let path = format!("/v2/{repository}/manifests/v{n}");
    client.call(Method::PUT, &path, MANIFEST, manifest.to_string().into()).await?;
    Ok(())
}

async fn upload(client: &mut Client, repository: &str, content: Bytes, digest: &str) -> Result<()> {
    let begun = format!("/v2/{repository}/blobs/uploads/");
    let answer = client.send(Method::POST, &begun, OCTETS, Bytes::new()).await?;
    ensure!(answer.status() == StatusCode::ACCEPTED, "{begun}: {}", answer.status());
    let location = answer.headers().get(header::LOCATION).context("no Location")?.to_str()?.to_owned();
    let place: http::Uri = location.parse()?;
    let place = place.path_and_query().context("no path")?;
    let joint = if place.query().is_some() { '&' } else { '?' };
    let path = format!("{place}{joint}digest={digest}");
    client.call(Method::PUT, &path, OCTETS, content).await?;
    Ok(())
}
