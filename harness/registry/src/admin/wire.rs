//! What the admin API sends and takes, as plain data. What it shares with [`crate::Control`] is defined there.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use pulldrill_clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Entry, ImagePlace, ImageSpec};

/// Where every path begins.
pub(crate) const ROOT: &str = "/admin/v1";
/// In every answer: the number of the newest entry of the pull log when it was given.
pub(crate) const LAST_PULL: &str = "pulldrill-last-pull";

/// In a `CONNECT` to a host: that its separate token host is meant. Several hosts may share that one's name.
pub(crate) const TOKEN_HOST: &str = "pulldrill-token-host";

/// `GET info`: what runs there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// The version of the program.
    pub version: String,
    /// The certificate of the authority that signs the hosts' certificates, PEM.
    pub authority: String,
    /// What images are made for when nothing is said, `os/architecture`.
    pub platform: String,
}

/// `PUT hosts/{name}/local`: where the owner reaches a host, so that answers can lead there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct LocalAddresses {
    pub(crate) address: SocketAddr,
    #[serde(default)]
    pub(crate) token_address: Option<SocketAddr>,
}

/// `POST hosts/{name}/images`: an image to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PushOrder {
    pub(crate) repository: String,
    #[serde(default)]
    pub(crate) tag: Option<String>,
    #[serde(default)]
    pub(crate) image: ImageSpec,
}

/// `POST copies`: an image to copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CopyOrder {
    pub(crate) from: ImagePlace,
    pub(crate) to: ImagePlace,
    pub(crate) user: String,
}

/// `POST hosts/{name}/tokens`: a token to issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TokenOrder {
    pub(crate) at: Timestamp,
}

/// `POST hosts/{name}/exhausted`: whose quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Exhaustion {
    pub(crate) client: IpAddr,
}

/// `POST garbage`: what nobody needs is to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct GarbageOrder {
    /// How long a blob may lie about without a manifest that needs it.
    pub(crate) grace_seconds: u32,
}

/// `GET pulls?since=N&wait=SECONDS`: a part of the pull log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pulls {
    /// The number of the newest entry there is.
    pub last: u64,
    /// The entries after the one that was named, oldest first; not always all of them.
    pub entries: Vec<Entry>,
}

/// `PUT clients`: who is who, in place of what was said before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct KnownClients {
    /// The nodes' names by their source addresses.
    pub nodes: BTreeMap<IpAddr, String>,
    /// The address that all nodes seem to come from; without one, each is seen by its own.
    pub nat: Option<IpAddr>,
    /// Ways to networks behind other machines, so that answers find them; only where the registry owns an
    /// interface.
    pub routes: Vec<Route>,
}

/// A way to a network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Route {
    /// The network, `ADDRESS/LENGTH`.
    pub network: String,
    /// The machine that it is behind.
    pub via: Ipv4Addr,
}

/// `PUT names/{name}`: what a name resolves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct NameAddress {
    pub(crate) address: Ipv4Addr,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefusalBody {
    pub(crate) error: String,
}
