//! Images made from a line of text: the same text gives the same digests, another gives others. No clock,
//! no chance and no file of this machine gets into them.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use pulldrill_clock::seed;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{digest::digest, program};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What images run where there is no program of ours; it needs a shell.
const NO_PROGRAM: &[u8] = b"#!/bin/sh\nexec sleep 2147483647\n";

/// What an image is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ImageSpec {
    /// What its content is made from (`payments-api 2.0.9`).
    pub build: String,
    /// How many layers it has.
    pub layers: u32,
    /// About how large it is, in bytes, all layers together, compressed.
    pub size: u64,
    /// Labels of its configuration.
    pub labels: BTreeMap<String, String>,
    /// Environment, `NAME=value`.
    pub env: Vec<String>,
    /// What it runs.
    pub entrypoint: Vec<String>,
    /// `os/architecture`; several make an index, none means what the registry usually makes images for.
    pub platforms: Vec<String>,
    /// Docker's older media types in place of OCI's.
    pub docker: bool,
}

impl Default for ImageSpec {
    fn default() -> Self {
        Self {
            build: "image".into(),
            layers: 2,
            size: 16 * 1024,
            labels: BTreeMap::new(),
            env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()],
            entrypoint: vec!["/app/run".into()],
            platforms: Vec::new(),
            docker: false,
        }
    }
}

/// An image in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRef {
    /// What the tag points at: a manifest, or an index.
    pub manifest_digest: String,
    /// The configuration (of an index: of its first image).
    pub config_digest: String,
    /// The layers, unpacked.
    pub diff_ids: Vec<String>,
    /// Compressed bytes of all layers and the configuration.
    pub size: u64,
}

/// What an image contains, whatever its manifest looks like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The configuration.
    pub config_digest: String,
    /// The layers, unpacked.
    pub diff_ids: Vec<String>,
}

/// An image ready to be stored.
pub(crate) struct Built {
    pub(crate) image: ImageRef,
    /// Manifests with their media types, the one that a tag points at last.
    pub(crate) manifests: Vec<(&'static str, Bytes)>,
    pub(crate) blobs: Vec<Bytes>,
}

/// Makes an image, for the usual platform if none is asked for.
pub(crate) fn build(spec: &ImageSpec, usual: &str) -> io::Result<Built> {
    let platforms: Vec<&str> = match spec.platforms.as_slice() {
        [] => vec![usual],
        some => some.iter().map(String::as_str).collect(),
    };
    let mut built = single(spec, platforms[0])?;
    if platforms.len() == 1 {
        return Ok(built);
    }
    let mut entries = vec![entry(&built, platforms[0])];
    for platform in &platforms[1..] {
        let other = single(spec, platform)?;
        entries.push(entry(&other, platform));
        built.manifests.extend(other.manifests);
        built.blobs.extend(other.blobs);
    }
    let media = if spec.docker { DOCKER_LIST } else { OCI_INDEX };
    let index = json!({ "schemaVersion": 2, "mediaType": media, "manifests": entries }).to_string();
    built.image.manifest_digest = digest(index.as_bytes());
    built.manifests.push((media, index.into()));
    Ok(built)
}

fn entry(built: &Built, platform: &str) -> Value {
    let (os, architecture) = platform.split_once('/').unwrap_or(("linux", platform));
    let (media, size) =
        built.manifests.last().map_or((OCI_MANIFEST, 0), |(media, body)| (*media, body.len()));
    json!({
        "mediaType": media, "digest": built.image.manifest_digest, "size": size,
        "platform": { "architecture": architecture, "os": os },
    })
}

fn single(spec: &ImageSpec, platform: &str) -> io::Result<Built> {
    let (os, architecture) = platform.split_once('/').unwrap_or(("linux", platform));
    let (manifest_media, config_media, layer_media) = if spec.docker {
        (
            DOCKER_MANIFEST,
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        )
    } else {
        (
            OCI_MANIFEST,
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.oci.image.layer.v1.tar+gzip",
        )
    };
    let layers = spec.layers.clamp(1, 127);
    let mut blobs = Vec::new();
    let mut descriptors = Vec::new();
    let mut diff_ids = Vec::new();
    let mut history = Vec::new();
    for n in 0..layers {
        let tar = layer(&spec.build, platform, n, spec.size / u64::from(layers))?;
        diff_ids.push(digest(&tar));
        let packed = gzip(&tar)?;
        descriptors
            .push(json!({ "mediaType": layer_media, "digest": digest(&packed), "size": packed.len() }));
        history.push(json!({ "created": created(&spec.build), "created_by": format!("COPY layer {n}") }));
        blobs.push(Bytes::from(packed));
    }
    let config = json!({
        "architecture": architecture, "os": os, "created": created(&spec.build),
        "config": {
            "Env": spec.env, "Entrypoint": spec.entrypoint, "WorkingDir": "/app",
            "Labels": labels(spec),
        },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": history,
    })
    .to_string();
    let config_digest = digest(config.as_bytes());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": manifest_media,
        "config": { "mediaType": config_media, "digest": config_digest, "size": config.len() },
        "layers": descriptors,
    })
    .to_string();
    blobs.push(config.into());
    let size = blobs.iter().map(|blob| blob.len() as u64).sum();
    let manifest_digest = digest(manifest.as_bytes());
    let image = ImageRef { manifest_digest, config_digest, diff_ids, size };
    Ok(Built { image, manifests: vec![(manifest_media, manifest.into())], blobs })
}

fn labels(spec: &ImageSpec) -> BTreeMap<&str, &str> {
    let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
    if let Some((title, version)) = spec.build.split_once(' ') {
        labels.insert("org.opencontainers.image.title", title);
        labels.insert("org.opencontainers.image.version", version);
    }
    labels.extend(spec.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    labels
}

/// A date of the past that belongs to the text.
fn created(build: &str) -> String {
    let hours = u64::from_le_bytes(first_eight(build)) % 8_000;
    let at = 1_704_067_200 + i64::try_from(hours * 3_600).unwrap_or(0);
    jiff::Timestamp::from_second(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// Eight bytes that stand for the text.
fn first_eight(text: &str) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(digest(text.as_bytes()).bytes().skip(7)).for_each(|(to, from)| *to = from);
    bytes
}

/// One layer: a text that says what it is, and as much noise as the size wants (noise does not compress).
fn layer(build: &str, platform: &str, n: u32, size: u64) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.mode(tar::HeaderMode::Deterministic);
    let text = format!("{build}\n{platform}\nlayer {n}\n");
    append(&mut archive, &format!("app/layer-{n}.txt"), text.as_bytes(), 0o644)?;
    if n == 0 {
        let architecture = platform.split_once('/').map_or(platform, |(_, architecture)| architecture);
        let program = program::waiting(architecture).unwrap_or_else(|| NO_PROGRAM.to_vec());
        append(&mut archive, "app/run", &program, 0o755)?;
    }
    let length = usize::try_from(size.saturating_sub(400)).unwrap_or(0).min(64 << 20);
    if length > 0 {
        let mut noise = vec![0; length];
        seed::rng(u64::from(n), &format!("{build}/{platform}")).fill_bytes(&mut noise);
        append(&mut archive, &format!("app/data-{n}.bin"), &noise, 0o644)?;
    }
    archive.into_inner()
}

fn append(archive: &mut tar::Builder<Vec<u8>>, path: &str, data: &[u8], mode: u32) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(data.len() as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    archive.append_data(&mut header, path, data)
}

fn gzip(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast());
    encoder.write_all(data)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(build_text: &str) -> ImageSpec {
        ImageSpec { build: build_text.into(), ..ImageSpec::default() }
    }

    fn made(spec: &ImageSpec) -> Built {
        build(spec, "linux/amd64").unwrap()
    }

    #[test]
    fn the_usual_platform_is_taken_where_none_is_asked_for() {
        let platforms = vec!["linux/arm64".to_owned()];
        let asked = made(&ImageSpec { platforms, ..of("a 1") });
        assert_eq!(build(&of("a 1"), "linux/arm64").unwrap().image, asked.image);
        assert_ne!(made(&of("a 1")).image, asked.image);
    }

    #[test]
    fn the_text_decides_everything() {
        let (a, again, b) = (made(&of("a 1")), made(&of("a 1")), made(&of("a 2")));
        assert_eq!(a.image, again.image);
        assert_ne!(a.image.manifest_digest, b.image.manifest_digest);
        assert_ne!(a.image.config_digest, b.image.config_digest);
        assert!(a.image.diff_ids.iter().all(|id| !b.image.diff_ids.contains(id)));
        assert_ne!(a.image.diff_ids[0], a.image.diff_ids[1]);
    }

    #[test]
    fn sizes_formats_and_platforms_are_as_asked() {
        let spec = ImageSpec { size: 300_000, layers: 3, docker: true, ..of("x 1") };
        let image = made(&spec);
        assert_eq!(image.manifests[0].0, DOCKER_MANIFEST);
        assert!((280_000..320_000).contains(&image.image.size), "{}", image.image.size);
        let two = ImageSpec { platforms: vec!["linux/amd64".into(), "linux/arm64".into()], ..of("x 1") };
        let index = made(&two);
        assert_eq!(index.manifests.len(), 3);
        let body: Value = serde_json::from_slice(&index.manifests[2].1).unwrap();
        assert_eq!(body["manifests"][1]["platform"]["architecture"], "arm64");
        assert_eq!(body["manifests"][0]["digest"], digest(&index.manifests[0].1));
    }
}
