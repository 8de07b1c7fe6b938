//! One repository on disk: an OCI image layout that other programs can read as it is.
//!
//! Its `index.json` lists every manifest, once for each of its tags and once where it has none. What a registry has to
//! know beyond that is in annotations. The bytes of manifests and blobs are hard links into the pool of
//! [`super::disk`].

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use pulldrill_clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::files;
use crate::{
    digest::Algorithm,
    image::OCI_INDEX,
    repository::{Blobs, Held, Manifest, Repository},
    spec::Access,
};

/// Says that a folder is a layout, and of which version.
const MARK: &str = "oci-layout";
const INDEX: &str = "index.json";
/// The tag of a manifest, by the image specification.
const TAG: &str = "org.opencontainers.image.ref.name";
/// When a manifest was pushed, in lab time.
const PUSHED: &str = "dev.pulldrill.pushed";
/// What is known of the repository itself.
const ABOUT: &str = "dev.pulldrill.repository";

/// What is known of a repository beside its content.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct About {
    pull: Access,
    push: Access,
    #[serde(default)]
    immutable: bool,
    created_at: Timestamp,
}

/// A layout.
pub(super) struct Layout(PathBuf);

impl Layout {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The file of a digest; nothing for what is no digest.
    pub(super) fn file(&self, digest: &str) -> Option<PathBuf> {
        file(&self.0, digest)
    }

    /// Makes the folders and the mark, where they are missing.
    pub(super) fn make(&self) -> io::Result<()> {
        if self.0.join(MARK).exists() {
            return Ok(());
        }
        for algorithm in Algorithm::ALL {
            files::make_folder(&self.0.join("blobs").join(algorithm.name()))?;
        }
        if !self.0.join(INDEX).exists() {
            let nothing = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
            files::replace(&self.0.join(INDEX), nothing.to_string().as_bytes())?;
        }
        files::replace(&self.0.join(MARK), json!({ "imageLayoutVersion": "1.0.0" }).to_string().as_bytes())
    }

    /// Takes a file in under its digest, and makes that last.
    pub(super) fn hold(&self, from: &Path, digest: &str) -> io::Result<()> {
        let to = self.file(digest).ok_or(io::ErrorKind::InvalidInput)?;
        files::link(from, &to)?;
        to.parent().map_or(Ok(()), files::sync_folder)
    }

    /// Gives a file up, for good.
    pub(super) fn let_go(&self, digest: &str) -> io::Result<()> {
        let Some(file) = self.file(digest) else { return Ok(()) };
        files::remove(&file)?;
        file.parent().filter(|folder| folder.is_dir()).map_or(Ok(()), files::sync_folder)
    }

    /// Writes what lasts of a repository.
    pub(super) fn write(&self, repository: &Repository) -> io::Result<()> {
        let mut tags: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (tag, digest) in &repository.tags {
            tags.entry(digest).or_default().push(tag);
        }
        let mut entries = Vec::with_capacity(repository.manifests.len());
        for (digest, manifest) in &repository.manifests {
            let names = tags.get(digest.as_str()).map_or(&[][..], Vec::as_slice);
            let entry = |tag: Option<&&str>| {
                let mut annotations = json!({ PUSHED: manifest.pushed_at });
                if let Some(tag) = tag {
                    annotations[TAG] = (**tag).into();
                }
                json!({
                    "mediaType": manifest.media, "digest": digest, "size": manifest.length,
                    "annotations": annotations,
                })
            };
            match names {
                [] => entries.push(entry(None)),
                names => entries.extend(names.iter().map(|tag| entry(Some(tag)))),
            }
        }
        let Repository { pull, push, immutable, created_at, .. } = repository;
        let (immutable, created_at) = (*immutable, *created_at);
        let about = About { pull: pull.clone(), push: push.clone(), immutable, created_at };
        let index = json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries,
            "annotations": { ABOUT: serde_json::to_string(&about)? },
        });
        files::replace(&self.0.join(INDEX), index.to_string().as_bytes())
    }

    /// Reads what [`Layout::write`] has written; nothing when it never has. A manifest that is not what its digest says
    /// is left out.
    pub(super) fn read(&self) -> io::Result<Option<Repository>> {
        let index: Value = match fs::read(self.0.join(INDEX)) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(about) = index["annotations"][ABOUT].as_str() else { return Ok(None) };
        let About { pull, push, immutable, created_at } = serde_json::from_str(about)?;
        let (tags, manifests) = (BTreeMap::new(), BTreeMap::new());
        let mut repository = Repository { pull, push, immutable, created_at, tags, manifests };
        for entry in index["manifests"].as_array().into_iter().flatten() {
            let Some(digest) = entry["digest"].as_str() else { continue };
            if !repository.manifests.contains_key(digest) {
                let Some(manifest) = self.manifest(digest, entry)? else {
                    let path = self.0.display();
                    tracing::warn!(%path, digest, "a manifest is not what its digest says: it is left out");
                    continue;
                };
                repository.manifests.insert(digest.to_owned(), Arc::new(manifest));
            }
            if let Some(tag) = entry["annotations"][TAG].as_str() {
                repository.tags.insert(tag.to_owned(), digest.to_owned());
            }
        }
        Ok(Some(repository))
    }

    fn manifest(&self, digest: &str, entry: &Value) -> io::Result<Option<Manifest>> {
        let (Some(algorithm), Some(file)) = (Algorithm::of(digest), self.file(digest)) else {
            return Ok(None);
        };
        let body = match fs::read(file) {
            Ok(body) => body,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if algorithm.digest(&body) != digest {
            return Ok(None);
        }
        let Ok(json) = serde_json::from_slice(&body) else { return Ok(None) };
        let media = entry["mediaType"].as_str().unwrap_or_default().to_owned();
        let pushed_at = entry["annotations"][PUSHED].as_str().and_then(|at| at.parse().ok());
        Ok(Manifest::read(media, &json, body.len(), pushed_at.unwrap_or(Timestamp::UNIX_EPOCH)))
    }

    /// The files that it has. What a killed process was writing is removed.
    pub(super) fn files(&self, now: Timestamp) -> io::Result<Blobs> {
        let mut blobs = Blobs::new();
        for algorithm in Algorithm::ALL {
            for (name, path) in entries(&self.0.join("blobs").join(algorithm.name()))? {
                let digest = format!("{}:{name}", algorithm.name());
                if Algorithm::of(&digest).is_some() {
                    blobs.insert(digest, Held::new(fs::metadata(path)?.len(), now));
                }
            }
        }
        entries(&self.0)?;
        Ok(blobs)
    }
}

/// The file of a digest under a folder that has a `blobs`.
pub(super) fn file(folder: &Path, digest: &str) -> Option<PathBuf> {
    let algorithm = Algorithm::of(digest)?;
    let (_, hex) = digest.split_once(':')?;
    Some(folder.join("blobs").join(algorithm.name()).join(hex))
}

/// What is in a folder, without what somebody did not finish writing there, which is removed.
fn entries(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut entries = Vec::new();
    for name in files::names(folder)? {
        let path = folder.join(&name);
        if name.starts_with('.') {
            files::remove(&path)?;
        } else {
            entries.push((name, path));
        }
    }
    Ok(entries)
}
