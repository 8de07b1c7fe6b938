//! A cluster in this process, whose node has two images: `busybox:1.36` with programs, and `web:1`, which answers HTTP
//! at port 8080. It reaches no registry, so other images can't be pulled.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use pulldrill_clock::Clock;
use pulldrill_cluster::{Cluster, ClusterOptions, Principal, dialect::Dialect};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::command::clean;

/// After how many seconds a program is ended.
const LIMIT: &str = "150";

/// A running cluster and a folder; both end with this value.
pub(super) struct Host {
    cluster: Cluster,
    pub(super) dir: TempDir,
    _stop: DropGuard,
}

impl Host {
    pub(super) async fn start(dialect: &str) -> Result<Self> {
        let stop = CancellationToken::new();
        let cluster = Cluster::start(ClusterOptions {
            nodes: vec!["node-1".into()],
            ..ClusterOptions::new(
                TcpListener::bind("127.0.0.1:0")?,
                Clock::live(),
                Dialect::named(dialect).context("no such dialect")?,
                stop.clone(),
            )
        })
        .await?;
        let image =
            |entry: &str, command: &[&str]| json!({"architecture": "amd64", "config": {entry: command}});
        cluster.load_image("busybox:1.36", &image("Cmd", &["sh"]))?;
        cluster.load_image("web:1", &image("Entrypoint", &["/web"]))?;
        let dir = TempDir::new()?;
        std::fs::write(dir.path().join("kubeconfig"), cluster.kubeconfig(Principal::Admin))?;
        Ok(Self { cluster, dir, _stop: stop.drop_guard() })
    }

    /// A client of the administrator.
    pub(super) async fn client(&self) -> Result<Client> {
        let kubeconfig = Kubeconfig::from_yaml(&self.cluster.kubeconfig(Principal::Admin))?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// Copies a file of the tests into the folder.
    pub(super) fn copy(&self, name: &str) -> Result<PathBuf> {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/others").join(name);
        let to = self.dir.path().join(name);
        std::fs::copy(&from, &to).with_context(|| from.display().to_string())?;
        Ok(to)
    }

    /// Runs a program that knows the cluster by `KUBECONFIG`, and gives what it printed; a failure is an error.
    pub(super) async fn run(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = clean(Command::new("timeout"));
        command
            .arg(LIMIT)
            .arg(program)
            .args(arguments)
            .current_dir(self.dir.path())
            .env("KUBECONFIG", self.dir.path().join("kubeconfig"))
            .env("HOME", self.dir.path());
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let [out, err] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let line = format!("{} {}", program.display(), arguments.join(" "));
        ensure!(output.status.success(), "{line}: {}\n{out}\n{err}", output.status);
        ensure!(!err.contains("Error"), "{line} complains:\n{err}");
        Ok(out)
    }
}
