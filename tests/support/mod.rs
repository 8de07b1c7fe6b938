//! What end-to-end tests share: a lab in a folder of its own, and the real programs held against it.
//!
//! A program that is not installed makes its test skip loudly; in CI (`CI=true`) that is a failure. No test
//! reads the user's kubeconfig, caches or proxies.

mod command;
mod programs;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
#[allow(unused_imports, reason = "not every test program needs all of it")]
pub(crate) use command::{clean, pulldrill, until};
#[allow(unused_imports, reason = "not every test program needs all of it")]
pub(crate) use programs::{client, kind, kubectls, node_image, on_path, registry, say, skip};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long a lab may take to come up, on a real cluster too.
const READY: Duration = Duration::from_secs(420);

/// A running `pulldrill up`, ended and removed when dropped.
pub(crate) struct Lab {
    child: Child,
    dir: TempDir,
}

impl Lab {
    /// Boots a lab with the given further arguments and waits until it is ready.
    pub(crate) async fn up(args: &[&str]) -> Result<Self> {
        Self::up_with(args, |_| {}).await
    }

    /// [`Lab::up`] with a change to the command before it starts.
    pub(crate) async fn up_with(args: &[&str], prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        let mut lab = Self::begin(args, prepare)?;
        lab.ready().await?;
        Ok(lab)
    }

    /// [`Lab::up_with`] that does not wait; see [`Lab::ready`].
    pub(crate) fn begin(args: &[&str], prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        let dir = TempDir::new()?;
        let mut command = pulldrill(dir.path());
        command.arg("up").args(["--listen", "127.0.0.1:0"]).args(args);
        let log = std::fs::File::create(dir.path().join("up.log"))?;
        command.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null());
        prepare(&mut command);
        Ok(Self { child: command.spawn()?, dir })
    }

    /// Waits until the lab is ready.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        self.wait_for("lab.json").await
    }

    /// Waits until the lab has written a file of its folder.
    pub(crate) async fn wait_for(&mut self, name: &str) -> Result<()> {
        until(READY, name, async || {
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(self.dir.path().join("up.log"))?;
                bail!("up ended with {status}:\n{log}");
            }
            Ok(self.dir().join(name).exists().then_some(()))
        })
        .await
    }

    /// The lab's folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.path().join("lab")
    }

    /// `lab.json`.
    pub(crate) fn description(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&std::fs::read(self.dir().join("lab.json"))?)?)
    }

    /// The page's address.
    pub(crate) fn web(&self) -> Result<String> {
        let url = self.description()?["web"].as_str().context("no web in lab.json")?.to_owned();
        Ok(url.trim_end_matches('/').to_owned())
    }

    /// Every address the lab listens on that a trainee is told of.
    pub(crate) fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let description = self.description()?;
        let kubeconfig = std::fs::read_to_string(self.dir().join("kubeconfig"))?;
        let server = kubeconfig.lines().find_map(|l| l.trim().strip_prefix("server: "));
        let mut urls =
            vec![self.web()?, server.context("no server in kubeconfig")?.trim_matches('"').to_owned()];
        for url in description["registries"].as_object().context("no registries")?.values() {
            urls.push(url.as_str().unwrap_or_default().to_owned());
        }
        urls.iter()
            .map(|url| {
                let host = url.split("//").nth(1).unwrap_or(url).split('/').next().unwrap_or_default();
                host.parse().with_context(|| format!("address in {url}"))
            })
            .collect()
    }

    /// Runs a `pulldrill` command on this lab.
    pub(crate) fn pulldrill(&self, args: &[&str]) -> Result<Output> {
        Ok(pulldrill(self.dir.path()).args(args).output()?)
    }

    /// Runs a `pulldrill` command that prints JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Result<Value> {
        let output = self.pulldrill(args)?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("pulldrill {args:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The id and namespace of the drill of a scenario, as the instructor sees it.
    pub(crate) fn drill_of(&self, scenario: &str) -> Result<(String, String)> {
        let status = self.json(&["status", "--as-instructor", "-o", "json"])?;
        let drills = status["drills"].as_array().context("no drills")?;
        let drill = drills.iter().find(|d| d["scenario"] == scenario).context("no such drill")?;
        let text = |field: &str| drill[field].as_str().unwrap_or_default().to_owned();
        Ok((text("id"), text("namespace")))
    }

    /// Runs kubectl on this lab: exit code, standard output, standard error.
    pub(crate) fn kubectl(&self, kubectl: &Path, args: &[&str]) -> Result<(i32, String, String)> {
        let output = clean(Command::new(kubectl))
            .arg("--kubeconfig")
            .arg(self.dir().join("kubeconfig"))
            .arg("--cache-dir")
            .arg(self.dir.path().join("kubectl-cache"))
            .args(args)
            .stdin(Stdio::null())
            .output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr)))
    }

    /// [`Lab::kubectl`] that has to succeed.
    pub(crate) fn kubectl_ok(&self, kubectl: &Path, args: &[&str]) -> Result<String> {
        let (code, out, err) = self.kubectl(kubectl, args)?;
        ensure!(code == 0, "kubectl {args:?} ended with {code}\n{out}{err}");
        Ok(out)
    }

    /// Sends a signal and waits for the end: the exit code. A lab that has ended by itself is sent nothing.
    pub(crate) async fn end(&mut self, signal: Signal) -> Result<Option<i32>> {
        self.end_within(signal, Duration::from_secs(20)).await
    }

    /// [`Lab::end`] of a lab that has something to take away.
    pub(crate) async fn end_within(&mut self, signal: Signal, limit: Duration) -> Result<Option<i32>> {
        let child = &mut self.child;
        if child.try_wait()?.is_none() {
            kill_process(Pid::from_child(child), signal)?;
        }
        until(limit, "the lab to end", async || Ok(child.try_wait()?)).await.map(|s| s.code())
    }

    /// The temporary folder, for a second lab in the same place.
    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
