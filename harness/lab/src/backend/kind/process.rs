//! Ending a program with everything that it has started.

use std::path::Path;

use tokio::process::{Child, Command};

/// Has a command lead a process group of its own.
pub(super) fn lead_group(command: &mut Command) {
    #[cfg(unix)]
    command.process_group(0);
    command.kill_on_drop(true);
}

/// A running program that is ended, with what it has started, when this is dropped.
pub(super) struct Group {
    id: Option<u32>,
}

impl Group {
    /// Of a child that leads its group.
    pub(super) fn of(child: &Child) -> Self {
        Self { id: child.id() }
    }

    /// Its process, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.id
    }

    /// It has ended by itself.
    pub(super) fn ended(mut self) {
        self.id = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            kill_group(id);
        }
    }
}

/// Ends a program that outlived the lab that had started it, if the process of that number still is that program:
/// the one that was given this file.
pub(super) fn end_left_over(id: u32, file: &Path) {
    if command_line(id).is_some_and(|line| line.contains(&file.display().to_string())) {
        tracing::info!(id, "ending the kind program of a lab that is gone");
        kill_group(id);
    }
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

#[cfg(target_os = "linux")]
fn command_line(id: u32) -> Option<String> {
    let line = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&line).into_owned())
}

#[cfg(not(target_os = "linux"))]
fn command_line(id: u32) -> Option<String> {
    let output =
        std::process::Command::new("ps").args(["-ww", "-o", "command=", "-p", &id.to_string()]).output();
    Some(String::from_utf8_lossy(&output.ok()?.stdout).into_owned())
}
