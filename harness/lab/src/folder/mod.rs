//! The lab's folder: who owns it, and the files that people and scripts read.
//!
//! Ownership is a lock that the system drops with the process, however that ends; so a folder of a
//! crashed lab can be taken over at once, and one of a running lab never.

mod env;
mod lock;
pub(crate) mod write;

use std::path::{Path, PathBuf};

pub(crate) use env::{ACCESS_KEY, Environment};
use lock::Lock;
use serde::Serialize;
pub use write::private as write_private;
use write::{private, public};

use crate::LabError;

/// The folder of a running lab.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: Lock,
}

impl Folder {
    /// Takes the folder, making it if needed. What a crashed lab has left behind is removed; files of
    /// somebody else are not written over.
    ///
    /// # Errors
    /// When another process has it, when it holds files of somebody else, and when it can't be written to.
    pub fn take(path: &Path) -> Result<Self, LabError> {
        let foreign = ["kubeconfig", "env.sh", "ca.pem", "certs", "auth.json"].map(|name| path.join(name));
        if let Some(file) = foreign.iter().find(|file| file.exists())
            && !path.join(lock::NAME).exists()
        {
            return Err(LabError::Invalid(format!(
                "{} was not made by a lab and would be written over; use another --dir",
                file.display()
            )));
        }
        write::make_folder(path)?;
        let path = path.canonicalize().map_err(write::failed("find", path))?;
        let lock = Lock::take(&path)?;
        let folder = Self { path, lock };
        folder.forget()?;
        Ok(folder)
    }

    /// The database of drill events.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("lab.sqlite")
    }

    /// The trainee's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that everybody may read, in a folder in it if the name has one.
    ///
    /// # Errors
    /// [`LabError::File`].
    pub fn write_public(&self, name: &str, text: &str) -> Result<(), LabError> {
        let path = self.path.join(name);
        path.parent().map_or(Ok(()), write::make_folder)?;
        public(&path, text)
    }

    /// Writes a file that only its owner can read.
    ///
    /// # Errors
    /// [`LabError::File`].
    pub fn write_private(&self, name: &str, text: &str) -> Result<(), LabError> {
        private(&self.path.join(name), text)
    }

    /// Writes what only the instructor may read.
    pub(crate) fn write_secrets(&self, instructor_token: &str) -> Result<(), LabError> {
        private(&self.path.join("instructor-token"), &format!("{instructor_token}\n"))
    }

    /// Writes what the trainee works with.
    pub(crate) fn write(
        &self,
        kubeconfig: &str,
        authority: &str,
        environment: &Environment<'_>,
    ) -> Result<(), LabError> {
        private(&self.kubeconfig(), kubeconfig)?;
        public(&self.path.join("ca.pem"), authority)?;
        write::make_folder(&self.path.join("cache"))?;
        public(&self.path.join("env.sh"), &environment.script(&self.path))
    }

    /// Writes `lab.json`: whoever waits for the lab waits for this file.
    ///
    /// # Errors
    /// [`LabError::File`].
    pub fn write_info(&self, info: &impl Serialize) -> Result<(), LabError> {
        let text = serde_json::to_string_pretty(info).map_err(|error| LabError::part("lab.json", error))?;
        public(&self.path.join("lab.json"), &format!("{text}\n"))
    }

    /// Removes what says that a lab runs here.
    pub(crate) fn forget(&self) -> Result<(), LabError> {
        write::remove(&self.path.join("lab.json"))
    }

    /// Gives the folder up.
    ///
    /// # Errors
    /// [`LabError::File`].
    pub fn release(&self) -> Result<(), LabError> {
        self.forget()?;
        self.lock.release();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_and_that_of_a_crashed_lab_can_be_taken() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a").join("b");
        let first = Folder::take(&path).unwrap();
        let refused = Folder::take(&path).unwrap_err();
        assert!(matches!(refused, LabError::AlreadyRunning { pid, .. } if pid == std::process::id()));
        std::fs::write(path.join("lab.json"), "{}").unwrap();
        drop(first);
        let _second = Folder::take(&path).unwrap();
        assert!(!path.join("lab.json").exists(), "a stale lab.json would send scripts to a dead lab");
    }

    #[test]
    fn somebody_elses_files_are_not_written_over() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("kubeconfig");
        std::fs::write(&path, "mine").unwrap();
        let error = Folder::take(temporary.path()).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert!(!temporary.path().join("lab.lock").exists());
    }

    #[test]
    fn a_path_that_is_no_folder_is_named() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("file");
        std::fs::write(&path, "").unwrap();
        let error = Folder::take(&path).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
