//! The lab's folder as others see it: where the lab is, whether it runs, and what it has left.
//!
//! The lab itself writes these files; the end of `up`, and `down`, remove them.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use pulldrill_lab::view::LabInfo;

use crate::exit::Failure;

/// What `up` makes in its folder; these are removed and nothing else.
const MADE: [&str; 15] = [
    "lab.json",
    "kubeconfig",
    "env.sh",
    "ca.pem",
    "certs",
    "auth.json",
    "instructor-token",
    "lab.sqlite",
    "lab.sqlite-wal",
    "lab.sqlite-shm",
    "up.log",
    "cache",
    "clusters",
    "kind",
    "lab.lock",
];

/// A lab's folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// Who owns the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// No running process.
    Nobody,
    /// This process; 0 when it has not written its number yet.
    Process(u32),
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The log of a detached lab.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("up.log")
    }

    /// What the lab says of itself, if it is ready.
    pub(crate) fn info(&self) -> Result<Option<LabInfo>, Failure> {
        let path = self.0.join("lab.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(Failure::usage(format!("{} is not a folder", self.0.display())));
            }
            Err(error) => {
                return Err(Failure::infrastructure(format!("cannot read {}: {error}", path.display())));
            }
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Failure::infrastructure(format!("{} is not what a lab writes: {error}", path.display()))
                .help(format!("`pulldrill down --dir {}` clears the folder", self.0.display()))
        })
    }

    /// The admin API of registries that are served alone, if that is what this folder is of.
    pub(crate) fn admin(&self) -> Result<Option<String>, Failure> {
        #[derive(serde::Deserialize)]
        struct Alone {
            admin: Option<String>,
        }
        let Ok(text) = fs::read_to_string(self.0.join("lab.json")) else { return Ok(None) };
        // What is wrong with it is told by whoever needs the rest.
        Ok(serde_json::from_str::<Alone>(&text).ok().and_then(|alone| alone.admin))
    }

    /// Who owns the folder: the lock falls with its process, however that ends.
    pub(crate) fn owner(&self) -> Owner {
        let path = self.0.join("lab.lock");
        let Ok(file) = File::open(&path) else { return Owner::Nobody };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let text = fs::read_to_string(&path).unwrap_or_default();
                Owner::Process(text.trim().parse().unwrap_or(0))
            }
            _ => Owner::Nobody,
        }
    }

    /// The instructor's token.
    pub(crate) fn token(&self) -> Result<String, Failure> {
        let path = self.0.join("instructor-token");
        let text = fs::read_to_string(&path).map_err(|error| {
            Failure::usage(format!("cannot read the instructor's token from {}: {error}", path.display()))
                .help("whoever ran `pulldrill up` owns that file; give the lab's folder with --dir")
        })?;
        Ok(text.trim().to_owned())
    }

    /// Where the kubeconfig of a virtual cluster is.
    pub(crate) fn kubeconfig_of(&self, cluster: &str) -> PathBuf {
        self.0.join("clusters").join(format!("{cluster}.kubeconfig"))
    }

    /// Removes what `up` made, and the folder if nothing else is in it. True when there was anything.
    pub(crate) fn clear(&self) -> Result<bool, Failure> {
        let mut found = false;
        for name in MADE {
            let path = self.0.join(name);
            let Ok(meta) = path.symlink_metadata() else { continue };
            found = true;
            let removed = if meta.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                // `down` and the lab that it ends both clean up.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let message = format!("cannot remove {}: {error}", path.display());
                    return Err(Failure::infrastructure(message));
                }
                _ => {}
            }
        }
        if found {
            // Fails when somebody else's files are in it, which is right.
            let _kept = fs::remove_dir(&self.0);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn only_what_a_lab_made_is_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("lab");
        fs::create_dir_all(path.join("cache/deep")).unwrap();
        fs::write(path.join("lab.sqlite"), "").unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
        let folder = Folder::new(&path);
        assert!(folder.clear().unwrap());
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
        assert!(!folder.clear().unwrap());
        fs::remove_file(path.join("notes.txt")).unwrap();
        fs::write(path.join("env.sh"), "").unwrap();
        folder.clear().unwrap();
        assert!(!path.exists(), "an empty folder goes too");
    }

    #[test]
    fn a_held_lock_names_its_owner_and_a_dead_one_nobody() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(temporary.path());
        assert_eq!(folder.owner(), Owner::Nobody);
        let path = temporary.path().join("lab.lock");
        fs::write(&path, "4711").unwrap();
        assert_eq!(folder.owner(), Owner::Nobody, "a number without a lock is of a process that is gone");
        let held = File::options().write(true).open(&path).unwrap();
        held.lock().unwrap();
        assert_eq!(folder.owner(), Owner::Process(4711));
    }

    #[test]
    fn an_unreadable_lab_json_is_told_with_what_to_do() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(temporary.path());
        assert!(folder.info().unwrap().is_none());
        fs::write(temporary.path().join("lab.json"), "{\"schemaVersion\":").unwrap();
        let failure = folder.info().unwrap_err();
        assert_eq!(failure.exit, Exit::Infrastructure);
        assert!(failure.message.contains("lab.json") && failure.help.is_some());
    }
}
