//! The user's kubectl: finding it, and asking it about the lab's cluster.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::up::on_path;
use crate::exit::Failure;

/// The kubectl that was asked for, or the one on the PATH.
pub(super) fn find(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    let found = match asked {
        Some(path) => path.is_file().then(|| path.to_owned()),
        None => on_path("kubectl"),
    };
    found.ok_or_else(|| {
        let place = asked.map_or_else(|| "on the PATH".into(), |path| format!("at {}", path.display()));
        Failure::usage(format!("there is no kubectl {place}"))
            .help("give one with --kubectl; any version from 1.20 on will do")
    })
}

/// A kubectl that knows one lab and no other cluster.
pub(super) struct Kubectl {
    pub(super) program: PathBuf,
    pub(super) kubeconfig: PathBuf,
    pub(super) cache: PathBuf,
}

impl Kubectl {
    /// What it prints; an error when it ends with one.
    pub(super) async fn ask(&self, arguments: &[&str]) -> Result<String, Failure> {
        let what = || format!("{} {}", self.program.display(), arguments.join(" "));
        let output = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(arguments)
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| Failure::infrastructure(format!("cannot run {}: {error}", what())))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::infrastructure(format!("{} ended with {}: {}", what(), output.status, said.trim())))
    }
}
