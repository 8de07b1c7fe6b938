//! The `kind` program: what it is given, and running it.

mod environment;
mod render;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;
use tokio_util::sync::CancellationToken;

pub(crate) use render::ClusterSpec;

use super::{
    KindError,
    engine::{Engine, config_folder},
    folder::KindFolder,
    membership::{self, Whose},
    owner::Owner,
    process::{CONFIG, Group, lead_group},
};
use crate::LabError;

/// How much of the program's output goes into an error.
const TAIL: usize = 20;

/// The `kind` program: as named, else from PATH.
pub(crate) fn find_program(named: Option<&Path>) -> Result<PathBuf, KindError> {
    if let Some(named) = named {
        return std::fs::metadata(named).map(|_| named.to_owned()).map_err(KindError::file("find", named));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = if cfg!(windows) { "kind.exe" } else { "kind" };
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .ok_or(KindError::NoKind)
}

/// Refuses a name that another cluster on this machine has.
pub(crate) async fn check_name(engine: &Engine, owner: &Owner) -> Result<(), KindError> {
    match membership::cluster(engine, owner).await? {
        Whose::Nobodys => Ok(()),
        _ => Err(KindError::NotOurs { what: format!("a kind cluster named {}", owner.name) }),
    }
}

/// Makes the cluster on the lab's network; returns when its nodes are ready, or the wait is over.
///
/// What the program prints goes into the folder's log. When `stop` is cancelled, or this future dropped, the program
/// is killed with all that it has started; what it had made by then is for the sweep.
pub(crate) async fn create(
    program: &Path,
    engine: &Engine,
    owner: &Owner,
    spec: &ClusterSpec,
    folder: &KindFolder,
    wait: Duration,
    stop: &CancellationToken,
) -> Result<(), LabError> {
    check_name(engine, owner).await?;
    crate::folder::write::public(&folder.cluster(), &spec.render(&owner.name)?)?;
    let mut command = Command::new(program);
    command
        .args(["create", "cluster", "--name", &owner.name, "--wait", &format!("{}s", wait.as_secs())])
        .arg(CONFIG)
        .arg(folder.cluster())
        .arg("--kubeconfig")
        .arg(folder.kubeconfig());
    let settings = config_folder(&|name| std::env::var(name).ok());
    environment::set(&mut command, settings.as_deref(), engine.host(), owner, folder)?;
    Ok(run(command, folder, stop).await?)
}

async fn run(mut command: Command, folder: &KindFolder, stop: &CancellationToken) -> Result<(), KindError> {
    let path = folder.log();
    let log = std::fs::File::create(&path).map_err(KindError::file("write", &path))?;
    let copy = log.try_clone().map_err(KindError::file("write", &path))?;
    command.stdin(Stdio::null()).stdout(log).stderr(copy);
    lead_group(&mut command);
    let name = command.as_std().get_program().to_owned();
    let mut child = command.spawn().map_err(KindError::file("run", &name))?;
    let group = Group::of(&child);
    let status = tokio::select! {
        status = child.wait() => status.map_err(KindError::file("wait for", &name))?,
        () = stop.cancelled() => {
            drop(group);
            let _killed = child.wait().await;
            return Err(KindError::Stopped);
        }
    };
    group.ended();
    if status.success() {
        return Ok(());
    }
    let command = format!("{} create cluster", Path::new(&name).display());
    Err(KindError::Kind { command, status: status.to_string(), tail: tail(&path), log: path })
}

fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
