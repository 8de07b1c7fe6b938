//! `matrix.yaml`: which clients there are, how each does what it does, and what it can't do.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

/// All of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Matrix {
    pub(crate) personalities: Vec<Personality>,
    pub(crate) clients: Vec<Client>,
}

impl Matrix {
    pub(crate) fn load() -> Result<Self> {
        Ok(serde_saphyr::from_str(include_str!("matrix.yaml"))?)
    }
}

/// A kind of registry, and how clients meet it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Personality {
    pub(crate) name: String,
    /// The host that is served, where people name another.
    served: Option<String>,
    pub(crate) host: String,
    pub(crate) image: String,
    pub(crate) user: String,
    /// What a login is there.
    pub(crate) login: String,
}

impl Personality {
    /// The host that is served.
    pub(crate) fn served(&self) -> &str {
        self.served.as_deref().unwrap_or(&self.host)
    }

    /// What a client's repository is called inside the host.
    pub(crate) fn repository(&self, client: &str) -> String {
        let image = self.image.replace("{client}", client);
        image.split_once('/').map(|(_, name)| name.to_owned()).unwrap_or_default()
    }
}

/// A program that pulls and pushes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    pub(crate) name: String,
    /// The script of ours that uses it, where it is a library and no program.
    pub(crate) script: Option<String>,
    /// What has to run for it.
    pub(crate) engine: Option<Engine>,
    pub(crate) login: Option<String>,
    pub(crate) push: Vec<String>,
    pub(crate) pull: Vec<String>,
    /// By [`TLS`].
    pub(crate) tls: BTreeMap<String, Vec<String>>,
    /// What it says where it refuses, in place of what [`TLS`] says.
    #[serde(default)]
    pub(crate) says: BTreeMap<String, String>,
    /// What it has no way of doing, and why.
    #[serde(default)]
    pub(crate) cannot: BTreeMap<String, String>,
}

impl Client {
    /// What has to come of a way to a registry: nothing, or these words.
    pub(crate) fn refusal(&self, key: &str, usual: Option<&'static str>) -> Option<&str> {
        usual.map(|usual| self.says.get(key).map_or(usual, String::as_str))
    }
}

/// What does a client's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Engine {
    #[serde(rename = "containerd-1.6")]
    Containerd1_6,
    #[serde(rename = "containerd-1.7")]
    Containerd1_7,
    #[serde(rename = "containerd-2.1")]
    Containerd2_1,
    #[serde(rename = "docker")]
    Docker,
}

/// How a registry can be reached, what that is called, and what has to come of it: nothing, or these words.
pub(crate) const TLS: [(&str, &str, Option<&str>); 4] = [
    ("known", "a certificate of an authority that it knows", None),
    ("unknown", "of one that it does not know", Some("certificate signed by unknown authority")),
    ("insecure", "the same, told not to mind", None),
    ("plain", "without TLS, told so", None),
];
