//! The lab's process is killed at each step of `up`; `down` finds and removes whatever it had made by then.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use pulldrill_clock::real;
use rustix::process::{Pid, Signal, kill_process};

use crate::{lab::Parts, machine::Inventory, support::pulldrill, turn};

/// What the cluster is called.
const NAME: &str = "pulldrill-test-crash";

/// When the end comes after a step that `up` tells of.
#[derive(Clone, Copy, Debug)]
enum End {
    AtOnce,
    /// The `kind` program runs: just now, so that nobody has seen it yet.
    ProgramBegun,
    /// In the middle of the long one.
    Seconds(u64),
}

const STEPS: [(&str, End); 8] = [
    ("Making the lab's network", End::AtOnce),
    ("Creating the cluster", End::AtOnce),
    ("Creating the cluster", End::ProgramBegun),
    ("Creating the cluster", End::Seconds(20)),
    ("The registry answers", End::AtOnce),
    ("Connecting the nodes", End::AtOnce),
    ("Letting the trainee in", End::AtOnce),
    ("Waiting for their symptoms", End::AtOnce),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_killed_lab_had_made_down_removes() -> Result<()> {
    let Some(parts) = Parts::named() else { return Ok(()) };
    let _turn = turn::turn()?;
    let before = Inventory::take()?;
    for (step, end) in STEPS {
        let folder = tempfile::tempdir()?;
        let mut lab = begin(&parts, folder.path(), step)?;
        match end {
            End::AtOnce => {}
            End::ProgramBegun => {
                let begun = kind_begun(folder.path());
                real::timeout(Duration::from_secs(60), begun).await.context("kind was never begun")?;
            }
            End::Seconds(seconds) => real::sleep(Duration::from_secs(seconds)).await,
        }
        lab.kill()?;
        lab.wait()?;
        let down = pulldrill(folder.path()).arg("down").output()?;
        ensure!(down.status.success(), "{step}: {}", String::from_utf8_lossy(&down.stderr));
        before.is_still_so().with_context(|| format!("killed after: {step}, {end:?}"))?;
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
fn begin(parts: &Parts, folder: &Path, step: &str) -> Result<Child> {
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

/// Waits for the program that was given a file of this folder.
async fn kind_begun(folder: &Path) {
    let given = folder.join("lab/kind/cluster.yaml").display().to_string();
    let runs = || {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        all.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
            .any(|line| String::from_utf8_lossy(&line).contains(&given))
    };
    while !runs() {
        real::sleep(Duration::from_millis(1)).await;
    }
}
