//! Descriptors: what a registry says a piece of content is, and what kinds of content there are.

use serde_json::Value;

/// A piece of content by media type, digest and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
}

/// What the pull does with a piece of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Index,
    Manifest,
    Config,
    Layer,
    Unknown,
}

impl Kind {
    /// How the runtime names its downloads.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Manifest => "manifest",
            Self::Config => "config",
            Self::Layer => "layer",
            Self::Unknown => "unknown",
        }
    }

    /// The part of the registry's address space in which it lives.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Index | Self::Manifest => "manifests",
            Self::Config | Self::Layer | Self::Unknown => "blobs",
        }
    }
}

impl Descriptor {
    /// Reads one out of a manifest.
    pub(super) fn of(value: &Value) -> Self {
        Self {
            media_type: value["mediaType"].as_str().unwrap_or_default().to_owned(),
            digest: value["digest"].as_str().unwrap_or_default().to_owned(),
            size: value["size"].as_u64().unwrap_or_default(),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.media_type.as_str() {
            "application/vnd.docker.distribution.manifest.list.v2+json"
            | "application/vnd.oci.image.index.v1+json" => Kind::Index,
            "application/vnd.docker.distribution.manifest.v2+json"
            | "application/vnd.oci.image.manifest.v1+json" => Kind::Manifest,
            "application/vnd.docker.container.image.v1+json" | "application/vnd.oci.image.config.v1+json" => {
                Kind::Config
            }
            t if t.contains("layer") || t.contains("rootfs.diff") => Kind::Layer,
            _ => Kind::Unknown,
        }
    }
}

/// The manifest of an index that fits a Linux node of `architecture`; one that names no platform fits.
pub(super) fn matching(index: &Value, architecture: &str) -> Option<Descriptor> {
    let entries = index["manifests"].as_array()?;
    let fits = |entry: &&Value| {
        let platform = &entry["platform"];
        platform["os"] == "linux" && platform["architecture"] == architecture
    };
    let any = |entry: &&Value| entry["platform"].is_null();
    entries.iter().find(fits).or_else(|| entries.iter().find(any)).map(Descriptor::of)
}
