//! The part of a lab's folder that belongs to its real cluster: what was rendered, logs, and whose it is.
//!
//! `lab.json` is written before anything is made, so that a crash at any moment leaves enough to clean up by.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{KindError, owner::Owner};
use crate::{LabError, folder::write};

/// What is known of a lab before its cluster exists, and after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Whose everything is.
    #[serde(flatten)]
    pub(crate) owner: Owner,
    /// The id of the lab's network, once it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<String>,
}

/// `DIR/kind`.
#[derive(Clone, Debug)]
pub(crate) struct KindFolder(PathBuf);

impl KindFolder {
    /// The folder in a lab's folder, whether it exists or not.
    pub(crate) fn of(lab: &Path) -> Self {
        // The path is how a left-over program is recognised, so it is one whatever the folder is called by.
        Self(lab.canonicalize().unwrap_or_else(|_| lab.to_owned()).join("kind"))
    }

    /// Makes the folder, readable by its owner only.
    pub(crate) fn make(lab: &Path) -> Result<Self, LabError> {
        write::make_folder(&lab.join("kind"))?;
        Ok(Self::of(lab))
    }

    /// Writes down whose everything is.
    pub(crate) fn write_record(&self, record: &Record) -> Result<(), LabError> {
        let text = serde_json::to_string_pretty(record).map_err(|error| LabError::part("kind", error))?;
        write::private(&self.record(), &text)
    }

    /// Whose everything is; `None` when nothing was ever begun here.
    pub(crate) fn read_record(&self) -> Result<Option<Record>, KindError> {
        let path = self.record();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(KindError::file("read", path)(error)),
        };
        let wrong = |error| KindError::Invalid(format!("{} is damaged: {error}", path.display()));
        serde_json::from_slice(&text).map(Some).map_err(wrong)
    }

    /// Removes the folder with all that is in it.
    pub(crate) fn remove(&self) -> Result<(), KindError> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(KindError::file("remove", &self.0)(error))
            }
            _ => Ok(()),
        }
    }

    fn record(&self) -> PathBuf {
        self.0.join("lab.json")
    }

    /// What the cluster is made from.
    pub(crate) fn cluster(&self) -> PathBuf {
        self.0.join("cluster.yaml")
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.0.join("admin.kubeconfig")
    }

    /// What the `kind` program printed.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("kind.log")
    }

    /// Settings for the `docker` program, in place of the user's.
    pub(crate) fn docker_config(&self) -> PathBuf {
        self.0.join("docker-config")
    }
}
