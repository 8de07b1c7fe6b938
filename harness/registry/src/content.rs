//! What is stored: blobs and manifests by digest, shared by all hosts, and per repository which of them it
//! has, under which tags. In memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read as _,
};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parking_lot::RwLock;
use pulldrill_clock::Timestamp;
use serde_json::Value;

use crate::{
    image::Content,
    name::{digest, digest_of},
    spec::{Access, RepositorySpec},
};

/// How much is stored at most, so that a client cannot use up the machine.
const MOST: usize = 2 << 30;

/// How much a layer may come to when unpacked, to be looked at.
const LARGEST_LAYER: u64 = 1 << 30;

/// Everything ever stored, by digest. Nothing is forgotten: what a tag pointed at once stays evidence.
#[derive(Default)]
pub(crate) struct Blobs {
    stored: RwLock<Stored>,
    /// What manifests whose parts are all here have been found to contain.
    contents: RwLock<HashMap<String, Option<Content>>>,
}

#[derive(Default)]
struct Stored {
    by_digest: HashMap<String, Bytes>,
    total: usize,
}

/// There is no room for more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Full;

impl Blobs {
    /// Stores some bytes and gives their digest.
    pub(crate) fn put(&self, bytes: Bytes) -> Result<String, Full> {
        let digest = digest(&bytes);
        let mut stored = self.stored.write();
        if !stored.by_digest.contains_key(&digest) {
            if stored.total + bytes.len() > MOST {
                return Err(Full);
            }
            stored.total += bytes.len();
            stored.by_digest.insert(digest.clone(), bytes);
        }
        Ok(digest)
    }

    /// The bytes of a digest.
    pub(crate) fn get(&self, digest: &str) -> Option<Bytes> {
        self.stored.read().by_digest.get(digest).cloned()
    }

    fn json(&self, digest: &str) -> Option<Value> {
        serde_json::from_slice(&self.get(digest)?).ok()
    }

    /// What an image contains; of an index, what a node takes from it: its image for the usual platform, else one
    /// that names no platform. Nothing, when its layers are not what its configuration says: anybody can
    /// write a manifest.
    pub(crate) fn content_of(&self, digest: &str, usual: &str) -> Option<Content> {
        let manifest = self.json(digest)?;
        let Some(entries) = manifest["manifests"].as_array() else { return self.proven(digest, &manifest) };
        let (os, architecture) = usual.split_once('/').unwrap_or(("linux", usual));
        let usual = |e: &&Value| e["platform"]["os"] == os && e["platform"]["architecture"] == architecture;
        let plain = |e: &&Value| e["platform"].is_null();
        let entry = entries.iter().find(usual).or_else(|| entries.iter().find(plain));
        let digest = entry.or_else(|| entries.first())?["digest"].as_str()?;
        self.proven(digest, &self.json(digest)?)
    }

    /// The content of an image's manifest, looked into once.
    fn proven(&self, digest: &str, manifest: &Value) -> Option<Content> {
        if let Some(known) = self.contents.read().get(digest) {
            return known.clone();
        }
        let config_digest = manifest["config"]["digest"].as_str()?.to_owned();
        let config = self.json(&config_digest)?;
        let layers: Option<Vec<Bytes>> =
            manifest["layers"].as_array()?.iter().map(|layer| self.get(layer["digest"].as_str()?)).collect();
        let layers = layers?;
        let diff_ids = config["rootfs"]["diff_ids"].as_array()?;
        let diff_ids: Vec<String> = diff_ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let fit = layers.len() == diff_ids.len()
            && layers.iter().zip(&diff_ids).all(|(layer, diff_id)| unpacks_to(layer, diff_id));
        let content = fit.then_some(Content { config_digest, diff_ids });
        self.contents.write().insert(digest.to_owned(), content.clone());
        content
    }
}

/// Whether a layer, as it is or unpacked, has this digest.
fn unpacks_to(layer: &[u8], diff_id: &str) -> bool {
    digest(layer) == diff_id
        || digest_of(MultiGzDecoder::new(layer).take(LARGEST_LAYER)).is_ok_and(|found| found == diff_id)
}

/// A manifest in a repository.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) media: String,
    /// The manifest itself and what it refers to.
    pub(crate) size: u64,
    /// Lab time.
    pub(crate) pushed_at: Timestamp,
    pub(crate) subject: Option<String>,
    pub(crate) artifact_type: Option<String>,
    pub(crate) annotations: Value,
}

impl Manifest {
    /// Reads what a registry needs to know of a manifest.
    pub(crate) fn read(media: String, body: &Value, length: usize, pushed_at: Timestamp) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let layers = body["layers"].as_array().into_iter().flatten();
        let parts = layers.chain([&body["config"]]).filter_map(|part| part["size"].as_u64());
        Self {
            media,
            size: parts.fold(length as u64, u64::saturating_add),
            pushed_at,
            subject: text(&body["subject"]["digest"]),
            artifact_type: text(&body["artifactType"]).or_else(|| text(&body["config"]["mediaType"])),
            annotations: body["annotations"].clone(),
        }
    }
}

/// A repository.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) pull: Access,
    pub(crate) push: Access,
    pub(crate) created_at: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) manifests: BTreeMap<String, Manifest>,
    pub(crate) blobs: BTreeSet<String>,
}

impl Repository {
    pub(crate) fn new(spec: &RepositorySpec, created_at: Timestamp) -> Self {
        Self {
            pull: spec.pull.clone(),
            push: spec.push.clone(),
            created_at,
            tags: BTreeMap::new(),
            manifests: BTreeMap::new(),
            blobs: BTreeSet::new(),
        }
    }

    /// The digest that a tag or digest stands for here.
    pub(crate) fn resolve(&self, reference: &str) -> Option<&str> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.manifests.get_key_value(digest).map(|(digest, _)| digest.as_str())
    }

    /// The tags of a manifest.
    pub(crate) fn tags_of(&self, digest: &str) -> Vec<&str> {
        self.tags.iter().filter(|(_, to)| *to == digest).map(|(tag, _)| tag.as_str()).collect()
    }
}
