//! The list of causes that a diagnosis is chosen from, the same for every drill, so that the choice itself gives nothing away.

use serde::{Deserialize, Serialize};

use crate::ScenarioError;

/// One root cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cause {
    /// `family/name`.
    pub id: String,
    /// What a trainee reads in the list.
    pub label: String,
}

impl Cause {
    /// The family it belongs to.
    #[must_use]
    pub fn family(&self) -> &str {
        self.id.split('/').next().unwrap_or(&self.id)
    }
}

/// All causes, in the order they are offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Causes {
    /// The list.
    pub causes: Vec<Cause>,
}

impl Causes {
    /// Reads a `causes.yaml`.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        crate::tree::parse(file, text)
    }

    /// The cause of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Cause> {
        self.causes.iter().find(|cause| cause.id == id)
    }
}
