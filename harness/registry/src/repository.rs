//! A repository: its manifests and tags, and which blobs it has. The content itself is `crate::store`'s.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use pulldrill_clock::Timestamp;
use serde_json::Value;

use crate::{
    desk::Desk,
    digest::{is_digest, may_be_digest},
    image::{DOCKER_LIST, OCI_INDEX},
    spec::{Access, RepositorySpec},
};

/// A manifest in a repository.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) media: String,
    /// The manifest itself.
    pub(crate) length: u64,
    /// The manifest itself and what it refers to.
    pub(crate) size: u64,
    /// Lab time.
    pub(crate) pushed_at: Timestamp,
    pub(crate) subject: Option<String>,
    pub(crate) artifact_type: Option<String>,
    pub(crate) annotations: Value,
    /// The configuration of an image.
    pub(crate) config: Option<String>,
    /// What it is made of: of a list its manifests, of an image its configuration and layers.
    pub(crate) parts: Vec<String>,
}

impl Manifest {
    /// Reads what a registry needs to know of a manifest; nothing for one that makes no sense.
    pub(crate) fn read(media: String, body: &Value, length: usize, pushed_at: Timestamp) -> Option<Self> {
        // What says nothing of its version is taken as it is.
        if !matches!(body["schemaVersion"].as_u64(), Some(2) | None) {
            return None;
        }
        let layers = body["layers"].as_array().into_iter().flatten();
        let weights = layers.chain([&body["config"]]).filter_map(|part| part["size"].as_u64());
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let subject = match body.get("subject") {
            None | Some(Value::Null) => None,
            Some(subject) => Some(text(&subject["digest"]).filter(|digest| may_be_digest(digest))?),
        };
        Some(Self {
            config: text(&body["config"]["digest"]),
            parts: parts(body, is_list(&media))?,
            media,
            length: length as u64,
            size: weights.fold(length as u64, u64::saturating_add),
            pushed_at,
            subject,
            artifact_type: text(&body["artifactType"]).or_else(|| text(&body["config"]["mediaType"])),
            annotations: body["annotations"].clone(),
        })
    }

    /// Whether it lists other manifests.
    pub(crate) fn is_list(&self) -> bool {
        is_list(&self.media)
    }
}

/// Whether manifests of a type list others.
pub(crate) fn is_list(media: &str) -> bool {
    matches!(media, OCI_INDEX | DOCKER_LIST)
}

/// The digests that a manifest refers to; nothing when it is not what its type says.
fn parts(body: &Value, list: bool) -> Option<Vec<String>> {
    let config = if list { None } else { Some(body.get("config").filter(|config| config.is_object())?) };
    let entries = body[if list { "manifests" } else { "layers" }].as_array()?;
    let mut parts = Vec::with_capacity(entries.len() + 1);
    for entry in config.into_iter().chain(entries) {
        let digest = entry["digest"].as_str().filter(|digest| is_digest(digest))?;
        // Layers that live elsewhere by design are not this registry's to have.
        if !entry["urls"].is_array() {
            parts.push(digest.to_owned());
        }
    }
    Some(parts)
}

/// What of a repository lasts: who may use it, its manifests and its tags.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) pull: Access,
    pub(crate) push: Access,
    /// Whether a tag that is there stays what it is.
    pub(crate) immutable: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) manifests: BTreeMap<String, Arc<Manifest>>,
}

impl Repository {
    pub(crate) fn new(spec: &RepositorySpec, created_at: Timestamp) -> Self {
        Self {
            pull: spec.pull.clone(),
            push: spec.push.clone(),
            immutable: false,
            created_at,
            tags: BTreeMap::new(),
            manifests: BTreeMap::new(),
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

    /// Who may do this: pull, or push and delete.
    pub(crate) fn access(&self, action: &str) -> &Access {
        if action == "pull" { &self.pull } else { &self.push }
    }

    /// The parts of a manifest that are not here.
    pub(crate) fn missing(&self, blobs: &Blobs, manifest: &Manifest) -> Vec<String> {
        let here = |part: &String| {
            blobs.contains_key(part) || (manifest.is_list() && self.manifests.contains_key(part))
        };
        manifest.parts.iter().filter(|part| !here(part)).cloned().collect()
    }
}

/// The blobs of a repository, by digest.
pub(crate) type Blobs = BTreeMap<String, Held>;

/// A blob in a repository.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) length: u64,
    /// When somebody last put it there or asked for it, in seconds of lab time.
    since: AtomicI64,
}

impl Held {
    pub(crate) fn new(length: u64, now: Timestamp) -> Self {
        Self { length, since: AtomicI64::new(now.as_second()) }
    }

    /// Somebody counts on it.
    pub(crate) fn touch(&self, now: Timestamp) {
        self.since.fetch_max(now.as_second(), Ordering::Relaxed);
    }

    /// For how long nobody has.
    pub(crate) fn idle_seconds(&self, now: Timestamp) -> i64 {
        now.as_second().saturating_sub(self.since.load(Ordering::Relaxed))
    }
}

/// A repository in its host.
pub(crate) struct Place {
    pub(crate) repository: Arc<Repository>,
    pub(crate) blobs: Blobs,
    /// Where changes of what lasts are made, one after the other.
    pub(crate) desk: Arc<Desk>,
    /// Whether it has ever been made to last.
    pub(crate) recorded: bool,
}

impl Place {
    /// One that is new.
    pub(crate) fn new(spec: &RepositorySpec, now: Timestamp) -> Self {
        let repository = Arc::new(Repository::new(spec, now));
        Self { repository, blobs: Blobs::new(), desk: Arc::default(), recorded: false }
    }

    /// One that was there before.
    pub(crate) fn found(repository: Repository, blobs: Blobs) -> Self {
        Self { repository: Arc::new(repository), blobs, desk: Arc::default(), recorded: true }
    }
}

impl Deref for Place {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repository
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        digest::digest,
        image::{DOCKER_MANIFEST, OCI_MANIFEST},
    };

    fn read(media: &str, body: &Value) -> Option<Manifest> {
        Manifest::read(media.into(), body, 10, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_manifest_is_read_by_its_type_and_nonsense_is_not_read_at_all() {
        let (config, layer) = (digest(b"config"), digest(b"layer"));
        let descriptor = |digest: &str| json!({"mediaType": "x", "digest": digest, "size": 5});
        let mut body =
            json!({"schemaVersion": 2, "config": descriptor(&config), "layers": [descriptor(&layer)]});
        let manifest = read(OCI_MANIFEST, &body).unwrap();
        assert_eq!((manifest.parts, manifest.size), (vec![config.clone(), layer.clone()], 20));
        assert_eq!(manifest.artifact_type.as_deref(), Some("x"), "the configuration's type stands in");
        body["layers"][0]["urls"] = json!(["https://elsewhere.example/layer"]);
        assert_eq!(read(DOCKER_MANIFEST, &body).unwrap().parts, [config]);
        assert!(read(OCI_INDEX, &body).is_none(), "no list");
        let list = read(OCI_INDEX, &json!({"manifests": [descriptor(&layer)], "artifactType": ""})).unwrap();
        assert_eq!((list.parts, list.artifact_type), (vec![layer], None));
        for (path, wrong) in [
            ("/schemaVersion", json!(1)),
            ("/config", json!(null)),
            ("/config/digest", json!("sha256:abc")),
            ("/layers", json!({})),
            ("/layers/0/digest", json!(7)),
        ] {
            let mut bad = body.clone();
            *bad.pointer_mut(path).unwrap() = wrong;
            assert!(read(OCI_MANIFEST, &bad).is_none(), "{path}");
        }
        for subject in [json!("x"), json!({}), json!({"digest": "sha256:abc"})] {
            body["subject"] = subject;
            assert!(read(OCI_MANIFEST, &body).is_none(), "{}", body["subject"]);
        }
        body["subject"] = descriptor("blake3:00");
        assert_eq!(read(OCI_MANIFEST, &body).unwrap().subject.as_deref(), Some("blake3:00"));
    }
}
