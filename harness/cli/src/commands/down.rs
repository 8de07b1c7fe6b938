//! `down`: ends the lab of a folder, also one that does not answer, and removes what `up` made.

use std::time::Duration;

use pulldrill_clock::real;
use serde_json::{Value, json};

use super::Ground;
use crate::{
    exit::{Exit, Failure, Outcome},
    folder::{Folder, Owner},
};

/// How long a lab may take to end after it has been asked to: in this process alone, and with a cluster of
/// its own elsewhere.
const PATIENCE: Duration = Duration::from_secs(10);
const LONG_PATIENCE: Duration = Duration::from_secs(90);
const PERIOD: Duration = Duration::from_millis(25);

pub(super) async fn down(ground: &Ground<'_>) -> Outcome {
    let folder = &ground.folder;
    let dir = folder.path().display();
    let ran = folder.owner() != Owner::Nobody;
    if ran && !asked(ground).await {
        // It does not answer. The lock proves that its process is the one of this folder.
        for hard in [false, true] {
            let Owner::Process(pid) = folder.owner() else { break };
            signal(pid, hard)?;
            if gone(folder).await {
                break;
            }
        }
    }
    if let Owner::Process(pid) = folder.owner() {
        return Err(Failure::infrastructure(format!("the lab in {dir} (process {pid}) does not end"))
            .help("end that process yourself, then run `pulldrill down` again"));
    }
    let removed = pulldrill_lab::sweep(folder.path()).await?;
    let found = folder.clear()? || !removed.is_empty();
    ground.out.data(&json!({"stopped": ran, "cleared": ran || found, "removed": removed}), |_| {
        match (ran, found) {
            (true, _) => format!("the lab in {dir} has ended and its files are gone"),
            (false, true) => format!("no lab was running in {dir}; what one had left is gone"),
            (false, false) => format!("there is no lab in {dir}"),
        }
    });
    Ok(Exit::Yes)
}

/// Asks the lab to end. False when it does not.
async fn asked(ground: &Ground<'_>) -> bool {
    let Ok(lab) = ground.instructors_lab() else { return false };
    let answer = real::timeout(PATIENCE, lab.post::<Value>("shutdown", &json!({}))).await;
    matches!(answer, Some(Ok(_))) && gone(&ground.folder).await
}

fn patience(folder: &Folder) -> Duration {
    if pulldrill_lab::reaches_beyond(folder.path()) { LONG_PATIENCE } else { PATIENCE }
}

async fn gone(folder: &Folder) -> bool {
    let watch = real::stopwatch();
    while folder.owner() != Owner::Nobody {
        if watch.elapsed() > patience(folder) {
            return false;
        }
        real::sleep(PERIOD).await;
    }
    true
}

#[cfg(unix)]
fn signal(pid: u32, hard: bool) -> Result<(), Failure> {
    use rustix::process::{Pid, Signal, kill_process};
    let unknown = || Failure::infrastructure("the lab has not written down its process yet; try again");
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(unknown)?;
    let signal = if hard { Signal::KILL } else { Signal::TERM };
    match kill_process(process, signal) {
        // It has ended meanwhile.
        Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
        Err(error) => Err(Failure::infrastructure(format!("cannot end process {pid}: {error}"))),
    }
}

#[cfg(not(unix))]
fn signal(pid: u32, _hard: bool) -> Result<(), Failure> {
    Err(Failure::infrastructure(format!("the lab (process {pid}) does not answer"))
        .help("end that process yourself, then run `pulldrill down` again"))
}
