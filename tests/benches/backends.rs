//! Real kind and the embedded cluster side by side, in one run on one machine: how long `up` takes until all five
//! symptoms are there, and how much memory each needs.
//!
//! `cargo bench -p pulldrill-cli --bench backends`, with `PULLDRILL_TEST_KIND` (default: `kind` on PATH) and
//! `PULLDRILL_TEST_NODE_IMAGE`, prints the figures and their ratio; nothing is asserted but that the symptoms are
//! there.
#![expect(clippy::disallowed_macros, reason = "a bench prints its figures")]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use pulldrill_clock::real;
use serde_json::Value;

/// What the kind cluster is called.
const NAME: &str = "pulldrill-bench";
/// How often the embedded cluster is booted; the kind cluster once.
const ROUNDS: usize = 5;

/// A lab that is taken away with the round.
struct Running<'a> {
    child: Child,
    dir: &'a Path,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        drop(pulldrill(self.dir).arg("down").status());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let Ok(image) = std::env::var("PULLDRILL_TEST_NODE_IMAGE") else {
        println!("SKIPPED: no real cluster: set PULLDRILL_TEST_NODE_IMAGE");
        return Ok(());
    };
    let kind = std::env::var("PULLDRILL_TEST_KIND").unwrap_or_else(|_| "kind".into());
    let mut embedded = Vec::new();
    for _ in 0..ROUNDS {
        embedded.push(round(&["--backend", "embedded"], None).await?);
    }
    embedded.sort_by_key(|(time, _)| *time);
    let (embedded, memory) = embedded[ROUNDS / 2];
    let arguments = ["--backend", "kind", "--name", NAME, "--kind-binary", &kind, "--node-image", &image];
    let (real, real_memory) = round(&arguments, Some(NAME)).await?;
    println!(
        "until five symptoms: kind {:.1} s, embedded {:.3} s (median of {ROUNDS}): {:.0} times faster",
        real.as_secs_f64(),
        embedded.as_secs_f64(),
        real.as_secs_f64() / embedded.as_secs_f64()
    );
    println!(
        "memory: kind {:.0} MiB (nodes, registry, lab), embedded {:.0} MiB (all in one process): {:.0} times less",
        real_memory,
        memory,
        real_memory / memory
    );
    Ok(())
}

/// Boots a lab: how long until it is ready, and MiB of memory then.
async fn round(arguments: &[&str], cluster: Option<&str>) -> Result<(Duration, f64)> {
    let root = tempfile::TempDir::new()?;
    let dir = root.path().join("lab");
    let watch = real::stopwatch();
    let child = pulldrill(&dir)
        .args(["up", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut running = Running { child, dir: &dir };
    while !dir.join("lab.json").exists() {
        ensure!(watch.elapsed() < Duration::from_secs(600), "the lab did not come up");
        if let Some(status) = running.child.try_wait()? {
            bail!("the lab ended with {status}");
        }
        real::sleep(Duration::from_millis(2)).await;
    }
    let time = watch.elapsed();
    let status = pulldrill(&dir).args(["status", "-o", "json"]).output()?.stdout;
    let status: Value = serde_json::from_slice(&status)?;
    let open = status["drills"].as_array().into_iter().flatten().filter(|drill| drill["state"] == "open");
    ensure!(open.count() == 5, "{status:#}");
    let mut memory = resident(running.child.id())?;
    if let Some(name) = cluster {
        memory += containers(name)?;
    }
    Ok((time, memory))
}

fn pulldrill(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulldrill"));
    command.arg("--dir").arg(dir).stdin(Stdio::null());
    command
}

/// MiB that a process holds.
fn resident(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1024.0)
}

/// MiB that the containers of a cluster and its registry hold.
fn containers(name: &str) -> Result<f64> {
    let output = Command::new("docker")
        .args(["stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}"])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut sum = 0.0;
    for line in text.lines().filter(|line| line.contains(name)) {
        let used = line.split_whitespace().nth(1).context("docker stats")?;
        let number: f64 = used.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse()?;
        sum += number * if used.ends_with("GiB") { 1024.0 } else { 1.0 };
    }
    Ok(sum)
}
