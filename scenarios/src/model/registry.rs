//! Registries of a drill, what is in them and who may do what.

use jiff::SignedDuration;
use pulldrill_faults::FaultRule;
use serde::{Deserialize, Serialize};

/// One registry host. No two drills share one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registry {
    /// The name that other parts of the scenario use for it.
    pub handle: String,
    /// The host as image references write it.
    pub host: String,
    /// The host that clients connect to, where that differs (`registry-1.docker.io` for `docker.io`).
    pub endpoint: Option<String>,
    /// The endpoint's address inside the lab, port 443.
    pub address: String,
    /// Whether its name resolves on the nodes.
    #[serde(default = "yes")]
    pub resolves: bool,
    /// Whether the nodes trust the authority of its certificate.
    #[serde(default = "yes")]
    pub trusted: bool,
    /// How it answers.
    pub personality: Personality,
    /// The separate host that issues tokens, where the personality has one.
    pub token_host: Option<TokenHost>,
    /// The ECR region.
    pub region: Option<String>,
    /// The ECR account number.
    pub account_id: Option<String>,
    /// A profile of limits, by name: one of [`LIMITS`].
    pub limits: Option<String>,
    /// Who can log in.
    #[serde(default)]
    pub accounts: Vec<Account>,
    /// What a Docker Hub takes in place of their passwords.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub personal_tokens: Vec<PersonalToken>,
    /// What it holds when history begins.
    pub repositories: Vec<Repository>,
    /// How it misbehaves from the beginning; see `docs/faults.md`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultRule>,
}

impl Registry {
    /// The host that clients connect to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.endpoint.as_deref().unwrap_or(&self.host)
    }

    /// The parameter that the host is, where it is one parameter and nothing else: `{{ host }}`. Only a
    /// template can answer this, not what has become of it in a variant.
    #[must_use]
    pub fn host_parameter(&self) -> Option<&str> {
        let name = self.host.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (is_name && self.endpoint.is_none() && self.token_host.is_none()).then_some(name)
    }
}

fn yes() -> bool {
    true
}

/// The profiles of limits that registries know.
pub const LIMITS: &[&str] = &[
    "artifact-registry",
    "docker-hub",
    "docker-hub-2020",
    "docker-hub-2020-paid",
    "docker-hub-announced-2025",
    "docker-hub-paid",
    "ecr",
    "harbor",
    "unlimited",
];

/// The way a registry answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Personality {
    /// The plain reference registry with basic authentication.
    Distribution,
    /// Docker Hub.
    DockerHub,
    /// Amazon ECR.
    Ecr,
    /// Harbor.
    Harbor,
    /// Google Artifact Registry.
    ArtifactRegistry,
    /// GitHub's container registry.
    Ghcr,
    /// Quay.
    Quay,
}

impl Personality {
    /// The name used in data and by the registry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Distribution => "distribution",
            Self::DockerHub => "docker-hub",
            Self::Ecr => "ecr",
            Self::Harbor => "harbor",
            Self::ArtifactRegistry => "artifact-registry",
            Self::Ghcr => "ghcr",
            Self::Quay => "quay",
        }
    }
}

/// A host that issues bearer tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenHost {
    /// Its name.
    pub name: String,
    /// Its address inside the lab, port 443.
    pub address: String,
}

/// Someone who can log in at a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Account {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
    /// Whether it belongs to the trainee: `image copy` acts as the first account with this mark.
    #[serde(default)]
    pub trainee: bool,
}

/// A personal access token: used as a password, good for less than one, and perhaps not for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PersonalToken {
    /// Whose it is: one of the accounts.
    pub username: String,
    /// What is used as the password (`dckr_pat_…`).
    pub token: String,
    /// What it is good for.
    #[serde(default)]
    pub scope: TokenScope,
    /// When it ends, counted from now as the history is: `-2h`, or `30m` for one that will. For ever without.
    pub expires: Option<SignedDuration>,
}

/// What a personal access token is good for, if its owner may do it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenScope {
    /// Everything.
    #[default]
    #[serde(rename = "repo:admin")]
    Admin,
    /// Pulling and pushing.
    #[serde(rename = "repo:write")]
    Write,
    /// Pulling.
    #[serde(rename = "repo:read")]
    Read,
    /// Pulling what everybody may pull.
    #[serde(rename = "repo:public_read")]
    PublicRead,
}

/// A repository and its content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repository {
    /// The path inside the host.
    pub name: String,
    /// Who may pull.
    pub pull: Access,
    /// Who may push.
    pub push: Access,
    /// The images it holds.
    pub images: Vec<Image>,
}

/// Who may do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Everybody, without a log-in.
    Anonymous,
    /// Everybody who has logged in.
    Authenticated,
    /// These users.
    Users(Vec<String>),
    /// Nobody.
    Nobody,
}

/// An image under a tag, or without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// The tag; without one it can only be had by digest.
    pub tag: Option<String>,
    /// The id of the build that it is.
    pub build: String,
}

/// The content of an image. Two images of one build have the same configuration and layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Build {
    /// The name that images and `accepted` use for it.
    pub id: String,
    /// What its content is made from (`payments-api 2.0.9`).
    pub content: String,
    /// How many layers it has.
    #[serde(default = "default_layers")]
    pub layers: u32,
    /// Its size in bytes, all layers together, compressed.
    #[serde(default = "default_size")]
    pub size: u64,
}

fn default_layers() -> u32 {
    3
}

fn default_size() -> u64 {
    64 * 1024
}
