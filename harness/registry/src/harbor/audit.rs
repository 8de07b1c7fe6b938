//! Who did what by the API, and what the machinery did on its own: the evidence when something is gone.

use std::collections::VecDeque;

use pulldrill_clock::Timestamp;
use serde::{Deserialize, Serialize};

/// As whom a Harbor's own jobs delete artifacts.
pub(crate) const JOBS: &str = "harbor-jobservice";
/// How many entries are kept.
const CAPACITY: usize = 10_000;

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) user: String,
    /// `team/app:1`, `team/app@sha256:…`, `team`.
    pub(crate) resource: String,
    /// `artifact`, `tag`, `repository`, `project`, `robot`.
    pub(crate) kind: String,
    /// `create`, `delete`, `pull`.
    pub(crate) operation: String,
}

/// The log, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Audit(VecDeque<Entry>);

impl Audit {
    pub(crate) fn note(&mut self, at: Timestamp, user: &str, operation: &str, kind: &str, resource: String) {
        if self.0.len() >= CAPACITY {
            self.0.pop_front();
        }
        let (user, kind, operation) = (user.to_owned(), kind.to_owned(), operation.to_owned());
        self.0.push_back(Entry { at, user, resource, kind, operation });
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_an_end() {
        let mut audit = Audit::default();
        for number in 0..CAPACITY + 5 {
            audit.note(Timestamp::UNIX_EPOCH, "dev", "delete", "artifact", number.to_string());
        }
        assert_eq!(audit.entries().count(), CAPACITY);
        assert_eq!(audit.entries().next().unwrap().resource, "5");
    }
}
