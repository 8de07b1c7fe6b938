//! What can be asked of a running lab, where a few words are not enough.

use pulldrill_registry::FaultRule;
use serde::{Deserialize, Serialize};

/// A new egress rule of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressRequest {
    /// The node; all nodes when absent.
    #[serde(default)]
    pub node: Option<String>,
    /// An address, a range (`10.0.0.0/8`) or the name of a host that the nodes know.
    pub destination: String,
    /// A port; all when absent.
    #[serde(default)]
    pub port: Option<u16>,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// A copy of an image from one registry of the lab to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopyRequest {
    /// Where it is: `host/repository:tag` or `host/repository@digest`.
    pub source: String,
    /// Where it goes: `host/repository:tag`.
    pub destination: String,
    /// As whom it is pushed.
    #[serde(default)]
    pub username: Option<String>,
    /// With which password.
    #[serde(default)]
    pub password: Option<String>,
}

/// A fault to switch on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRequest {
    /// The registry; all of them when absent.
    #[serde(default)]
    pub host: Option<String>,
    /// Which fault, for whom and when.
    pub rule: FaultRule,
}

/// Which requests of the pull log are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PullQuery {
    /// After this number.
    pub since: u64,
    /// Only this registry.
    pub host: Option<String>,
    /// Only this repository.
    pub repository: Option<String>,
    /// Only this node.
    pub node: Option<String>,
    /// Only the registries of this drill.
    pub drill: Option<String>,
    /// Only the latest so many.
    pub limit: Option<usize>,
    /// So many seconds are waited for something new, if there is nothing yet.
    pub wait: Option<u64>,
}
