//! The top level of a `scenario.yaml`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Build, CheckKind, Hint, Parameter, Registry, Step, Symptom, Workload};

/// A whole `scenario.yaml`, its strings still templates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    /// The scenario's id, equal to its folder's name. Instructor knowledge.
    pub id: String,
    /// The title a trainee reads; gives nothing away.
    pub title: String,
    /// The family of causes. Instructor knowledge.
    pub family: String,
    /// The root cause, `family/name`. Instructor knowledge.
    pub cause: String,
    /// How hard the drill is.
    pub difficulty: Difficulty,
    /// What one can do after having solved it.
    pub objectives: Vec<String>,
    /// Words that would give the cause away. None occurs in what the scenario lets a trainee read before the
    /// drill is closed; the cluster's and the registry's own words are the symptom and may.
    pub giveaways: Vec<String>,
    /// What differs between variants, drawn in this order; later ones may use earlier ones.
    pub parameters: Vec<Parameter>,
    /// The drill's id as the trainee sees it.
    pub drill: String,
    /// The drill's namespace. The lab creates it before the first step.
    pub namespace: String,
    /// The address that registries see the nodes come from, when the story depends on it.
    pub nat: Option<String>,
    /// The contents that images are built from.
    pub builds: Vec<Build>,
    /// The ids of the builds that count as right.
    pub accepted: Vec<String>,
    /// The registries of the drill, all its own.
    pub registries: Vec<Registry>,
    /// The workload that doesn't come up.
    pub workload: Workload,
    /// Healthy workloads of the namespace that a repair must not harm.
    #[serde(default)]
    pub others: Vec<Workload>,
    /// What happened before the trainee arrived, oldest first.
    pub history: Vec<Step>,
    /// What must be seen through the API before the drill opens.
    pub symptom: Symptom,
    /// The right answers to "what is the cause?".
    pub diagnosis: DiagnosisSpec,
    /// What each line of the score sheet (`rubric.yaml`) means for this drill, by the line's id.
    pub checks: BTreeMap<String, CheckKind>,
    /// Help that can be bought, from vague to nearly the command.
    pub hints: Vec<Hint>,
    /// How long all required checks must pass before the drill is solved.
    #[serde(default = "default_hold")]
    pub hold: SignedDuration,
    /// How long a trainee is expected to need at most.
    pub budget: SignedDuration,
    /// Whether the drill disturbs others, so that it must run alone.
    #[serde(default)]
    pub exclusive: bool,
    /// Where it can run.
    pub backends: Vec<Backend>,
    /// What it needs from a backend.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// Where to read on.
    #[serde(default)]
    pub references: Vec<String>,
}

fn default_hold() -> SignedDuration {
    SignedDuration::from_secs(30)
}

/// The accepted answers; what is offered to choose from is the catalogue's whole list of causes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiagnosisSpec {
    /// Cause ids that count as right.
    pub accepted: Vec<String>,
}

/// How hard a drill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difficulty {
    /// One look at the events is enough.
    Easy,
    /// The events point to it, the repair has a catch.
    Medium,
    /// The events don't name the cause.
    Hard,
}

/// Where a cluster can live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The built-in cluster.
    Embedded,
    /// A kind cluster of the lab's own.
    Kind,
    /// Somebody's cluster.
    Existing,
}

/// What a scenario needs from a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Host names of the lab's registries resolve on the nodes.
    HostMapping,
    /// Requests can be told apart by node.
    NodeIdentity,
    /// The nodes' firewall can be changed.
    NodeNetwork,
    /// The clock can be advanced.
    Clock,
}
