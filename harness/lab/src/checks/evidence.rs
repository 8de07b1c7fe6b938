//! What the registries and the nodes' network know, as far as checks ask for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use pulldrill_clock::Timestamp;

/// What an image is, whatever its manifest looks like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Content {
    /// The digest of its configuration.
    pub config_digest: String,
    /// The digests of its layers, unpacked.
    pub diff_ids: Vec<String>,
}

/// One manifest that was served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// When; lab time.
    pub at: Timestamp,
    /// The registry, by the name that image references use.
    pub host: String,
    /// The repository.
    pub repository: String,
    /// The tag or digest that it was asked for by.
    pub reference: String,
    /// The manifest's digest.
    pub digest: String,
    /// The node that asked.
    pub node: String,
    /// As whom; nobody when anonymous.
    pub identity: Option<String>,
}

/// One egress rule of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Its id.
    pub id: String,
    /// Whether it lets pass.
    pub allows: bool,
    /// First address.
    pub network: IpAddr,
    /// How many bits of the address are given.
    pub prefix: u8,
    /// The port; any when absent.
    pub port: Option<u16>,
}

/// What credentials are good for at a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Nothing.
    Refused,
    /// Everything that the account may do, until this time if they end.
    Accepted(Option<Timestamp>),
}

/// What is known outside the cluster's objects.
pub(crate) trait Evidence: Send + Sync {
    /// What a manifest is, if a registry of the lab ever held it.
    fn content(&self, digest: &str) -> Option<Content>;
    /// What counts as right.
    fn accepted(&self) -> &BTreeSet<Content>;
    /// Every manifest that was served to a node from the registries of the drill.
    fn served(&self) -> &[Served];
    /// What credentials are good for now at the registry that image references call `host`.
    fn credentials(&self, host: &str, username: &str, password: &str) -> Credentials;
    /// Every node's egress rules.
    fn egress(&self) -> BTreeMap<String, Vec<Rule>>;
}
