//! The lab's process is killed at each step of `up`; `down` finds and removes whatever it had made by then.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use pulldrill_clock::real;
use rustix::process::{Pid, Signal, kill_process};

use crate::{lab::Parts, machine::Inventory, support::pulldrill, turn};

/// What the cluster is called.
const NAME: &str = "pulldrill-test-crash";

/// The steps that `up` tells of, and how long after each the end comes: at once, and in the middle of the long one.
const STEPS: [(&str, u64); 7] = [
    ("Making the lab's network", 0),
    ("Creating the cluster", 0),
    ("Creating the cluster", 20),
    ("The registry answers", 0),
    ("Connecting the nodes", 0),
    ("Letting the trainee in", 0),
    ("Waiting for their symptoms", 0),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_killed_lab_had_made_down_removes() -> Result<()> {
    let Some(parts) = Parts::named() else { return Ok(()) };
    let _turn = turn::turn()?;
    let before = Inventory::take()?;
    for (step, later) in STEPS {
        let folder = tempfile::tempdir()?;
        let mut lab = begin(&parts, folder.path(), step)?;
        real::sleep(Duration::from_secs(later)).await;
        lab.kill()?;
        lab.wait()?;
        let down = pulldrill(folder.path()).arg("down").output()?;
        ensure!(down.status.success(), "{step}: {}", String::from_utf8_lossy(&down.stderr));
        before.is_still_so().with_context(|| format!("killed {later} s after: {step}"))?;
        let files = std::fs::read_dir(folder.path())?.count();
        ensure!(files == 0, "{step}: {files} files are left");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_in_the_middle_leaves_nothing() -> Result<()> {
    let Some(parts) = Parts::named() else { return Ok(()) };
    let _turn = turn::turn()?;
    let before = Inventory::take()?;
    let folder = tempfile::tempdir()?;
    let mut lab = begin(&parts, folder.path(), "The registry answers")?;
    let process = i32::try_from(lab.id()).ok().and_then(Pid::from_raw).context("no process")?;
    kill_process(process, Signal::INT)?;
    ensure!(lab.wait()?.success(), "an interrupted lab ends well");
    before.is_still_so()?;
    ensure!(std::fs::read_dir(folder.path())?.count() == 0, "files are left");
    Ok(())
}

/// Starts a lab; returns when it has come to a step.
fn begin(parts: &Parts, folder: &std::path::Path, step: &str) -> Result<Child> {
    let mut command = pulldrill(folder);
    command.arg("up").args(["--listen", "127.0.0.1:0"]).args(parts.arguments(NAME)?);
    let mut lab = command.stdout(Stdio::null()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let stderr = lab.stderr.take().context("no stderr")?;
    let mut told = String::new();
    for line in BufReader::new(stderr).lines() {
        let line = line?;
        if line.contains(step) {
            return Ok(lab);
        }
        told.push_str(&line);
        told.push('\n');
    }
    let _already_over = lab.wait();
    bail!("the lab never came to {step:?}:\n{told}")
}
