//! What one node has stored: blobs by digest, images by reference.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use serde_json::Value;

use super::Reference;

/// An image on a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    /// The runtime's id of it: the digest of its configuration.
    pub id: String,
    /// The reference it was pulled by, normalised.
    pub reference: String,
    /// Repository and digest of what was pulled: `registry.example/app@sha256:…`.
    pub repo_digest: String,
    /// The size of its content as stored, in bytes.
    pub size: u64,
    /// The labels of its configuration.
    pub labels: BTreeMap<String, String>,
    /// Entry point and arguments of its configuration.
    pub command: Vec<String>,
    /// The entry point alone.
    pub entrypoint: Vec<String>,
    /// The variables of its configuration: `NAME=value`.
    pub environment: Vec<String>,
    /// The directory that its programs start in.
    pub directory: String,
    /// Who its programs run as (`USER`): a name or a number, perhaps with a group.
    pub user: String,
    /// Whether it was put there without a pull, so that nobody's credentials are asked for.
    pub preloaded: bool,
    /// The architecture it was built for.
    pub architecture: String,
}

/// One piece of content. What is only ever counted has no bytes.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub(super) size: u64,
    pub(super) bytes: Option<Bytes>,
}

/// The store.
#[derive(Debug, Default)]
pub(super) struct Content {
    blobs: HashMap<String, Blob>,
    images: HashMap<String, Arc<Image>>,
    /// By image: the content that was fetched for it.
    came_with: HashMap<String, HashSet<String>>,
    /// By reference: what is said instead of whether the image is there.
    damaged: HashMap<String, String>,
}

impl Content {
    pub(super) fn blob(&self, digest: &str) -> Option<&Blob> {
        self.blobs.get(digest)
    }

    /// Keeps a finished pull: all its content at once, as a failed pull leaves nothing behind.
    pub(super) fn keep(&mut self, reference: &Reference, image: Arc<Image>, blobs: HashMap<String, Blob>) {
        self.came_with.entry(image.id.clone()).or_default().extend(blobs.keys().cloned());
        self.blobs.extend(blobs);
        self.images.insert(image.repo_digest.clone(), image.clone());
        self.images.insert(reference.to_string(), image);
    }

    pub(super) fn image(&self, reference: &Reference) -> Option<Arc<Image>> {
        self.images.get(&reference.to_string()).cloned()
    }

    /// What the store says about an image: whether it is there, or what is wrong with it.
    pub(super) fn inspect(&self, reference: &Reference) -> Result<Option<Arc<Image>>, &str> {
        match self.damaged.get(&reference.to_string()) {
            Some(error) => Err(error),
            None => Ok(self.image(reference)),
        }
    }

    /// Damages what is known about an image, or repairs it.
    pub(super) fn damage(&mut self, reference: &Reference, error: Option<String>) {
        match error {
            Some(error) => drop(self.damaged.insert(reference.to_string(), error)),
            None => drop(self.damaged.remove(&reference.to_string())),
        }
    }

    /// Forgets every image of a registry, as it goes by in references.
    pub(super) fn forget(&mut self, host: &str) {
        let is_of_host =
            |reference: &String| reference.strip_prefix(host).is_some_and(|rest| rest.starts_with('/'));
        self.images.retain(|reference, _| !is_of_host(reference));
    }

    /// Removes an image and the content that was fetched for it.
    pub(super) fn remove(&mut self, id: &str) {
        self.images.retain(|_, image| image.id != id);
        for digest in self.came_with.remove(id).unwrap_or_default() {
            self.blobs.remove(&digest);
        }
    }

    /// All images, each once, in the order of their references.
    pub(super) fn images(&self) -> Vec<Arc<Image>> {
        let mut by_reference: BTreeMap<&str, &Arc<Image>> = BTreeMap::new();
        for image in self.images.values() {
            by_reference.insert(&image.reference, image);
        }
        by_reference.into_values().cloned().collect()
    }
}

/// Reads an image's configuration.
pub(super) fn describe(
    reference: &Reference,
    target: &str,
    config_digest: &str,
    size: u64,
    config: &Value,
) -> Image {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let settings = &config["config"];
    let labels = settings["Labels"].as_object().into_iter().flatten();
    let entrypoint = strings(&settings["Entrypoint"]);
    let mut command = entrypoint.clone();
    command.extend(strings(&settings["Cmd"]));
    Image {
        id: config_digest.to_owned(),
        reference: reference.to_string(),
        repo_digest: format!("{}@{target}", reference.name()),
        size,
        labels: labels.map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect(),
        command,
        entrypoint,
        environment: strings(&settings["Env"]),
        user: settings["User"].as_str().unwrap_or_default().to_owned(),
        preloaded: false,
        directory: settings["WorkingDir"].as_str().unwrap_or_default().to_owned(),
        architecture: config["architecture"].as_str().unwrap_or_default().to_owned(),
    }
}
