//! The workloads of a drill and the symptom that opens it.

use serde::{Deserialize, Serialize};

/// A workload, as the lab finds it when the drill opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workload {
    /// What kind of object it is.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
    /// The container that matters.
    pub container: String,
    /// How many replicas it wants when the drill opens: the baseline of the checks.
    pub replicas: u32,
}

/// The kinds of workload a drill can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

impl WorkloadKind {
    /// The resource as the API names it, with its group.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployments.apps",
            Self::StatefulSet => "statefulsets.apps",
            Self::DaemonSet => "daemonsets.apps",
        }
    }
}

/// What must be seen through the API before the drill opens.
///
/// At least `failing` pods of the workload have the container waiting for one of `reasons`, and
/// each text of `error` occurs in that container's waiting message or in the message of a `Failed`
/// event of the same pod; at least `running` pods of the workload are ready meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Symptom {
    /// How many pods fail.
    pub failing: u32,
    /// How many pods of the workload go on running.
    #[serde(default)]
    pub running: u32,
    /// What the failing container waits for: one of these.
    pub reasons: Vec<WaitingReason>,
    /// Texts that all occur in the error; ` | ` stands between the ways in which runtimes say the same.
    pub error: Vec<String>,
}

/// A waiting reason of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitingReason {
    /// The first attempt, and each further one, for a moment.
    ErrImagePull,
    /// Between two attempts.
    ImagePullBackOff,
}

impl WaitingReason {
    /// The text in the container's status.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::ErrImagePull => "ErrImagePull",
            Self::ImagePullBackOff => "ImagePullBackOff",
        }
    }
}
