//! Views of the lab around the drills: clock, network, registries, catalogue.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use jiff::Timestamp;
use pulldrill_registry::FaultRule;
use serde::{Deserialize, Serialize};

use super::DrillView;

/// The whole lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// See [`super::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The dialect of the kubelets.
    pub dialect: String,
    /// Whether recordings prove that dialect.
    pub verified: bool,
    /// The lab clock.
    pub clock: ClockView,
    /// The drills, in the order in which they were started.
    pub drills: Vec<DrillView>,
}

/// The lab clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockView {
    /// The time that objects are stamped with.
    pub shown: Timestamp,
    /// How far the clock has been advanced since the lab was opened.
    pub advanced_seconds: i64,
}

/// What `lab.json` says: everything that a script needs to find its way, and no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabInfo {
    /// See [`super::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web: Option<String>,
    /// The trainee's kubeconfig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// Registry host name → URL on this machine.
    pub registries: BTreeMap<String, String>,
    /// The process.
    pub pid: u32,
    /// The ids of the drills.
    pub drills: Vec<String>,
    /// The seed, to start the same lab again.
    pub seed: u64,
}

/// One egress rule of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressView {
    /// The node.
    pub node: String,
    /// The rule's id.
    pub id: String,
    /// `allow`, `drop` or `reject`.
    pub action: String,
    /// An address range.
    pub destination: String,
    /// A port; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Why it is there.
    pub comment: String,
}

/// One request that a registry answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullView {
    /// Its number.
    pub seq: u64,
    /// When; shown time.
    pub at: Timestamp,
    /// The registry's name.
    pub host: String,
    /// The node that asked, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The address that the registry saw.
    pub address: IpAddr,
    /// As whom; absent for an anonymous request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Tag or digest asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The digest served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// Body bytes sent.
    pub bytes: u64,
    /// The client's own words about itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// One fault of a registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultView {
    /// Its number.
    pub id: u64,
    /// The registry.
    pub host: String,
    /// Which fault, for whom and when.
    pub rule: FaultRule,
    /// How often it has struck.
    pub struck: u64,
    /// When it ends; shown time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// One thing that happened to a drill, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalView {
    /// When; shown time.
    pub at: Timestamp,
    /// The drill.
    pub drill: String,
    /// What, as it is stored.
    pub event: serde_json::Value,
}

/// The result of copying an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyView {
    /// From.
    pub source: String,
    /// To.
    pub destination: String,
    /// The manifest's digest at the destination.
    pub digest: String,
}

/// One scenario of the catalogue; instructor knowledge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioView {
    /// Its id, the folder's name.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The family of causes.
    pub family: String,
    /// The cause.
    pub cause: String,
    /// How hard it is.
    pub difficulty: String,
    /// Names of the accepted repairs.
    pub remedies: Vec<String>,
    /// Names of the known wrong repairs.
    pub cheats: Vec<String>,
}
