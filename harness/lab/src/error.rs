//! What can go wrong in a lab, in words that say what to do.

use std::path::PathBuf;

use thiserror::Error;

/// Whose turn it is after an error; the command's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The caller asked for something that is not there or not possible now.
    Use,
    /// The lab or the machine is at fault.
    Infrastructure,
}

/// A failure of the lab.
#[derive(Debug, Error)]
pub enum LabError {
    /// No such drill.
    #[error("there is no drill named {id:?}; the drills are: {known}")]
    UnknownDrill {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
    /// No such scenario.
    #[error("there is no scenario named {id:?}; the scenarios are: {known}")]
    UnknownScenario {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
    /// No such diagnosis.
    #[error("{choice:?} is not one of the diagnoses; choose one of: {known}")]
    UnknownChoice {
        /// What was answered.
        choice: String,
        /// What could be.
        known: String,
    },
    /// No such node.
    #[error("there is no node named {node:?}; the nodes are: {known}")]
    UnknownNode {
        /// What was asked for.
        node: String,
        /// What there is.
        known: String,
    },
    /// No such rule.
    #[error("{node} has no egress rule {id:?}; list the rules to see their ids")]
    UnknownRule {
        /// The node.
        node: String,
        /// What was asked for.
        id: String,
    },
    /// No such fault.
    #[error("no registry has a fault {id}; list the faults to see their numbers")]
    UnknownFault {
        /// What was asked for.
        id: u64,
    },
    /// Not in this state of the drill.
    #[error("{action} is not possible: drill {id} is {state}; {advice}")]
    WrongState {
        /// The drill.
        id: String,
        /// What was asked for.
        action: &'static str,
        /// Where the drill is.
        state: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// An argument makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A scenario file is broken.
    #[error("{0}")]
    Scenario(String),
    /// Another lab owns the folder.
    #[error(
        "a lab is running in {} (process {pid}); stop it with `pulldrill down --dir {}` or use another --dir",
        dir.display(), dir.display()
    )]
    AlreadyRunning {
        /// The folder.
        dir: PathBuf,
        /// Its process.
        pid: u32,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A socket could not be opened.
    #[error("cannot listen on {address}: {source}; is something else using that port?")]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The journal of drill events failed.
    #[error("the lab's journal failed: {0}")]
    Store(String),
    /// A part of the lab failed.
    #[error("{part}: {message}")]
    Part {
        /// Which: `cluster`, `registry`, `certificates`, …
        part: &'static str,
        /// What it said.
        message: String,
    },
    /// Symptoms did not appear.
    #[error("the lab could not bring about the symptom of {0}")]
    Symptom(String),
}

impl LabError {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::UnknownDrill { .. }
            | Self::UnknownScenario { .. }
            | Self::UnknownChoice { .. }
            | Self::UnknownNode { .. }
            | Self::UnknownRule { .. }
            | Self::UnknownFault { .. }
            | Self::WrongState { .. }
            | Self::Invalid(_)
            | Self::Scenario(_)
            | Self::AlreadyRunning { .. } => ErrorClass::Use,
            Self::File { .. }
            | Self::Listen { .. }
            | Self::Store(_)
            | Self::Part { .. }
            | Self::Symptom(_) => ErrorClass::Infrastructure,
        }
    }

    /// A failure of a part, in its own words.
    pub(crate) fn part(part: &'static str, error: impl std::fmt::Display) -> Self {
        Self::Part { part, message: error.to_string() }
    }
}
