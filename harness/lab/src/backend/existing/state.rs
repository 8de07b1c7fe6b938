//! What a lab writes down before it makes anything on somebody's cluster, so that another process can remove it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{LabError, folder::Folder};

/// The file in the lab's folder.
pub(crate) const FILE: &str = "existing.json";

/// Where a lab's objects are, and how they are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// The context that leads to the cluster.
    pub(crate) context: String,
    /// The kubeconfig files that it is in.
    pub(crate) kubeconfig: Vec<PathBuf>,
    /// The prefix of all names, which is the value of the lab's label.
    pub(crate) prefix: String,
    /// The mark of the run.
    pub(crate) run: String,
}

impl State {
    /// Writes it down.
    pub(crate) fn write(&self, folder: &Folder) -> Result<(), LabError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| LabError::part(FILE, error))?;
        folder.write_private(FILE, &format!("{text}\n"))
    }

    /// What a lab has written down in a folder.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, LabError> {
        let path = dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LabError::File { action: "read", path, source }),
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            LabError::Invalid(format!("{} is not what a lab writes: {error}", path.display()))
        })
    }

    /// Forgets it: there is nothing left.
    pub(crate) fn forget(dir: &Path) -> Result<(), LabError> {
        let path = dir.join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(LabError::File { action: "remove", path, source: error })
            }
            _ => Ok(()),
        }
    }
}
