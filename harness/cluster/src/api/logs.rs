//! Where the output of containers comes from.

use pulldrill_clock::Timestamp;

/// One line that a container wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When, as clients are shown it.
    pub at: Timestamp,
    /// What, without the end of the line.
    pub text: String,
}

/// A part of what one run of a container has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPart {
    /// Which run it is: each restart is one more.
    pub run: u64,
    /// The number of the line that comes next. Lines are numbered through all runs.
    pub next: usize,
    /// The lines.
    pub lines: Vec<LogLine>,
}

/// Knows what containers wrote.
pub trait LogSource: Send + Sync {
    /// The lines that a container (or, with `previous`, its run before) has written, from a number on. `None` when there is no
    /// such container.
    fn lines(&self, pod_uid: &str, container: &str, previous: bool, from: usize) -> Option<LogPart>;
}
