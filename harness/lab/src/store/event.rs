//! What can happen to a drill. These values are what is stored: add variants and optional fields, but
//! never change the meaning of one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JournalEntry {
    /// The drill's id.
    pub drill: String,
    /// Lab time.
    pub at: Timestamp,
    /// What happened.
    pub event: DrillEvent,
}

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckResult {
    /// The check's id.
    pub id: String,
    /// Whether it holds.
    pub passed: bool,
    /// What is missing, or what was seen.
    pub message: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum DrillEvent {
    /// A new attempt at the drill begins; what was before counts no longer.
    Injecting {
        /// The scenario.
        scenario: String,
        /// The variant's seed.
        seed: u64,
    },
    /// Everything is made; the symptom is waited for.
    Injected,
    /// The symptom was seen.
    SymptomSeen {
        /// What was seen.
        seen: String,
    },
    /// The lab failed the trainee.
    LabFailed {
        /// How.
        message: String,
    },
    /// The outcome of these checks is now another one.
    Checked {
        /// Only those that changed.
        results: Vec<CheckResult>,
    },
    /// Every required check passes.
    Held,
    /// During the hold, one does no longer.
    Broken,
    /// The hold is over.
    Solved,
    /// The trainee asked for the answer.
    GivenUp,
    /// A hint was bought.
    HintBought {
        /// Its number, from 1.
        n: usize,
        /// Its price.
        price: i64,
        /// The words, which depend on the situation in which it was bought.
        text: String,
    },
    /// A diagnosis was given.
    Diagnosed {
        /// The choice.
        choice: String,
        /// Its label.
        label: String,
        /// Whether it is right.
        correct: bool,
    },
    /// The lab noticed something worth explaining.
    Noticed {
        /// What kind of thing, for example `pod-deleted`.
        kind: String,
        /// The explanation.
        message: String,
    },
}
