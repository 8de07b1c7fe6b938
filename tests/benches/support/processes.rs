//! The programs that are measured: started, asked what they take, and ended with their value.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use pulldrill_clock::real;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Programs that run.
#[derive(Default)]
pub(crate) struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for process in &mut self.0 {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

impl Processes {
    /// Starts one more.
    pub(crate) fn start(&mut self, command: &mut Command) -> Result<()> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.0.push(child.with_context(|| format!("cannot start {command:?}"))?);
        Ok(())
    }

    /// The resident memory of all its processes, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let of = |process: &Child| -> Result<u64> {
            let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
            Ok(line.split_whitespace().nth(1).context("no number")?.parse::<u64>()? * 1024)
        };
        self.0.iter().map(of).sum()
    }

    /// The processor time that all its processes have taken so far.
    pub(crate) fn processor(&self) -> Result<Duration> {
        let of = |process: &Child| -> Result<u64> {
            let stat = fs::read_to_string(format!("/proc/{}/stat", process.id()))?;
            // After the name, in parentheses, come the fields from the third on; the 14th and 15th are the times.
            let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
            fields.map(|field| Ok(field.parse::<u64>()?)).sum()
        };
        let ticks = self.0.iter().map(of).sum::<Result<u64>>()?;
        Ok(Duration::from_secs(1) * u32::try_from(ticks)?
            / u32::try_from(rustix::param::clock_ticks_per_second())?)
    }
}

/// A port that was free just now: these servers can't be given a listener.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until something works.
pub(crate) async fn wait<T>(ready: impl AsyncFn() -> Result<T>) -> Result<T> {
    let watch = real::stopwatch();
    loop {
        match ready().await {
            Ok(value) => return Ok(value),
            Err(error) => ensure!(watch.elapsed() < PATIENCE, "not ready after {PATIENCE:?}: {error:#}"),
        }
        real::sleep(Duration::from_millis(20)).await;
    }
}
