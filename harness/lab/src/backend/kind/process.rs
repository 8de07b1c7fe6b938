//! Ending a program with everything that it has started.

use std::path::Path;

use tokio::process::{Child, Command};

/// The option by which the `kind` program is given its file, and recognised.
pub(super) const CONFIG: &str = "--config";

/// Has a command lead a process group of its own.
pub(super) fn lead_group(command: &mut Command) {
    #[cfg(unix)]
    command.process_group(0);
    command.kill_on_drop(true);
}

/// A running program that is ended, with what it has started, when this is dropped.
pub(super) struct Group(Option<u32>);

impl Group {
    /// Of a child that leads its group.
    pub(super) fn of(child: &Child) -> Self {
        Self(child.id())
    }

    /// It has ended by itself.
    pub(super) fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            kill_group(id);
        }
    }
}

/// Ends the programs that outlived the lab that had started them: those that were given this file as `--config`.
/// Says whether there was any.
///
/// They are found by what they were given, not by a number that the lab wrote down: it may have been killed before it
/// could.
pub(super) fn end_left_over(file: &Path) -> bool {
    let given = format!("{CONFIG} {}", file.display());
    let mut any = false;
    for (id, _) in command_lines().into_iter().filter(|(_, line)| line.contains(&given)) {
        tracing::info!(id, "ending the kind program of a lab that is gone");
        kill_group(id);
        any = true;
    }
    any
}

#[cfg(unix)]
fn kill_group(id: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    if let Some(Err(error)) = pid.map(|pid| kill_process_group(pid, Signal::KILL)) {
        tracing::debug!(id, %error, "no such process group");
    }
}

#[cfg(not(unix))]
fn kill_group(_id: u32) {}

/// The processes of this machine, as far as they may be seen, each with its arguments, a space between two.
#[cfg(target_os = "linux")]
fn command_lines() -> Vec<(u32, String)> {
    let found = std::fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
        let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
        Some((id, String::from_utf8_lossy(&line).replace('\0', " ")))
    });
    found.collect()
}

#[cfg(not(target_os = "linux"))]
fn command_lines() -> Vec<(u32, String)> {
    let output = std::process::Command::new("ps").args(["-axww", "-o", "pid=,command="]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let found = text.lines().filter_map(|line| {
        let (id, line) = line.trim_start().split_once(' ')?;
        Some((id.parse().ok()?, line.to_owned()))
    });
    found.collect()
}
