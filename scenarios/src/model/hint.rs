//! Hints: priced help that may look at what the trainee has done so far.

use serde::{Deserialize, Serialize};

/// One hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hint {
    /// What it costs, in points, when the drill is solved in the end.
    pub price: u32,
    /// The text.
    pub text: String,
    /// Other texts for other situations; the first whose condition holds replaces `text`.
    #[serde(default)]
    pub alternatives: Vec<Alternative>,
}

/// Another text for a situation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alternative {
    /// The situation.
    pub when: Condition,
    /// The text.
    pub text: String,
}

/// A situation, looked at when the hint is bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Condition {
    /// A check passes at the moment.
    CheckPassed(String),
    /// A check fails at the moment.
    CheckFailed(String),
    /// A failing pod of the workload was deleted since the drill opened, and its replacement fails too.
    PodDeleted,
    /// The workload's template was changed since the drill opened.
    TemplateChanged,
}
