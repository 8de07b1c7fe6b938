//! The view of what was seen of a drill.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DrillState;

/// What was seen in a drill's namespace since it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingView {
    /// See [`super::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The drill.
    pub drill: String,
    /// Its namespace.
    pub namespace: String,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub state: DrillState,
    /// What its nodes say of themselves.
    pub nodes: Vec<NodeView>,
    /// The scenario; not for a trainee before the drill is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// What was applied, YAML; not for a trainee before the drill is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
    /// How many changes, the oldest, are no longer kept.
    pub dropped: u64,
    /// The changes, the oldest first.
    pub changes: Vec<ChangeView>,
}

/// The versions of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// `v1.20.2`
    pub kubelet: String,
    /// `containerd://1.7.24`
    pub runtime: String,
}

/// One version of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeView {
    /// When it was seen: seconds since 1970, as clients are shown the time.
    pub t: f64,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    #[serde(rename = "type")]
    pub change: String,
    /// `Pod`, `Event`, …
    pub kind: String,
    /// The object, without its `managedFields`.
    pub object: Value,
}
