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

/// Knows what containers wrote.
pub trait LogSource: Send + Sync {
    /// The lines that a container (or, with `previous`, the one before it) has written, from a number on, and
    /// the number of the next one. `None` when there is no such container.
    fn lines(
        &self,
        pod_uid: &str,
        container: &str,
        previous: bool,
        from: usize,
    ) -> Option<(usize, Vec<LogLine>)>;
}
