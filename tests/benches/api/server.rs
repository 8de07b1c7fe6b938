//! The servers that are compared: `pulldrill cluster serve --bare`, and a kube-apiserver with an etcd of its own. Both
//! end with their value.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use pulldrill_clock::real;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Client, Place};

/// With which everything may be done.
const TOKEN: &str = "benches-need-no-secrets";
/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    pub(crate) place: Place,
    processes: Vec<Child>,
    _folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        for process in &mut self.processes {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

impl Server {
    pub(crate) async fn embedded(durable: bool) -> Result<Self> {
        Self::embedded_with(if durable { &["--bare", "--data", "data"] } else { &["--bare"] }).await
    }

    /// The embedded cluster, in a folder of its own.
    pub(crate) async fn embedded_with(arguments: &[&str]) -> Result<Self> {
        let folder = TempDir::new()?;
        let dir = folder.path().join("cluster");
        let mut command = Command::new(env!("CARGO_BIN_EXE_pulldrill"));
        command.current_dir(folder.path()).args(["cluster", "serve", "--admin-token", TOKEN, "--dir"]);
        command.arg(&dir).args(arguments);
        let process = start(&mut command)?;
        let info = dir.join("lab.json");
        let url = wait(async || {
            let info: Value = serde_json::from_slice(&fs::read(&info)?)?;
            Ok(info["server"].as_str().context("no URL")?.to_owned())
        })
        .await?;
        let kubeconfig = fs::read_to_string(dir.join("kubeconfig"))?;
        let encoded =
            kubeconfig.split("certificate-authority-data: ").nth(1).and_then(|rest| rest.lines().next());
        let authority = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            encoded.context("no authority")?,
        )?;
        let place = Place {
            address: url.trim_start_matches("https://").to_owned(),
            token: TOKEN.to_owned(),
            tls: pulldrill_tls::client_config(&[&String::from_utf8(authority)?])?,
        };
        Ok(Self { place, processes: vec![process], _folder: folder })
    }

    /// `None` when the real programs are not there.
    pub(crate) async fn real(durable: bool) -> Result<Option<Self>> {
        let program = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let programs = (program("PULLDRILL_TEST_KUBE_APISERVER"), program("PULLDRILL_TEST_ETCD"));
        let (Some(apiserver), Some(etcd)) = programs else { return Ok(None) };
        let folder = if durable { TempDir::new()? } else { TempDir::new_in("/dev/shm")? };
        let path = |name: &str| folder.path().join(name);
        let (client, peer, secure) = (free_port()?, free_port()?, free_port()?);
        let etcd_url = format!("http://127.0.0.1:{client}");
        let peer_url = format!("http://127.0.0.1:{peer}");
        let mut processes = vec![start(Command::new(etcd).arg("--data-dir").arg(path("etcd")).args([
            "--listen-client-urls",
            &etcd_url,
            "--advertise-client-urls",
            &etcd_url,
            "--listen-peer-urls",
            &peer_url,
            "--initial-advertise-peer-urls",
            &peer_url,
            "--initial-cluster",
            &format!("default={peer_url}"),
        ]))?];
        let authority = pulldrill_tls::Authority::new("bench")?;
        let identity = authority.server(&["localhost".into()], &["127.0.0.1".parse()?])?;
        write(&path("server.crt"), &identity.certificate)?;
        write(&path("server.key"), &identity.key)?;
        write(&path("tokens.csv"), &format!("{TOKEN},admin,admin,system:masters\n"))?;
        let option = |name: &str, file: &str| format!("--{name}={}", path(file).display());
        processes.push(start(
            Command::new(apiserver)
                .args([
                    option("tls-cert-file", "server.crt"),
                    option("tls-private-key-file", "server.key"),
                    option("service-account-key-file", "server.crt"),
                    option("service-account-signing-key-file", "server.key"),
                    option("token-auth-file", "tokens.csv"),
                    option("cert-dir", "certificates"),
                ])
                .args([
                    format!("--etcd-servers={etcd_url}"),
                    format!("--secure-port={secure}"),
                    "--bind-address=127.0.0.1".into(),
                    "--advertise-address=127.0.0.1".into(),
                    "--endpoint-reconciler-type=none".into(),
                    "--service-account-issuer=https://kubernetes.default.svc".into(),
                    "--service-cluster-ip-range=10.96.0.0/16".into(),
                    "--authorization-mode=RBAC".into(),
                    "--disable-admission-plugins=ServiceAccount".into(),
                    "--max-requests-inflight=3000".into(),
                    "--max-mutating-requests-inflight=1000".into(),
                ]),
        )?);
        let place = Place {
            address: format!("127.0.0.1:{secure}"),
            token: TOKEN.to_owned(),
            tls: pulldrill_tls::client_config(&[authority.pem()])?,
        };
        let server = Self { place, processes, _folder: folder };
        wait(async || Client::connect(&server.place).await?.get("/readyz").await).await?;
        wait(async || Client::connect(&server.place).await?.get("/api/v1/namespaces/default").await).await?;
        Ok(Some(server))
    }

    /// The resident memory of all its processes, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let of = |process: &Child| -> Result<u64> {
            let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
            Ok(line.split_whitespace().nth(1).context("no number")?.parse::<u64>()? * 1024)
        };
        self.processes.iter().map(of).sum()
    }

    /// The processor time that all its processes have taken so far.
    pub(crate) fn processor(&self) -> Result<Duration> {
        let of = |process: &Child| -> Result<u64> {
            let stat = fs::read_to_string(format!("/proc/{}/stat", process.id()))?;
            // After the name, in parentheses, come the fields from the third on; the 14th and 15th are the times.
            let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
            fields.map(|field| Ok(field.parse::<u64>()?)).sum()
        };
        let ticks = self.processes.iter().map(of).sum::<Result<u64>>()?;
        Ok(Duration::from_secs(1) * u32::try_from(ticks)?
            / u32::try_from(rustix::param::clock_ticks_per_second())?)
    }
}

fn start(command: &mut Command) -> Result<Child> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    child.with_context(|| format!("cannot start {command:?}"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A port that was free just now: these servers can't be given a listener.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn wait<T>(ready: impl AsyncFn() -> Result<T>) -> Result<T> {
    let watch = real::stopwatch();
    loop {
        match ready().await {
            Ok(value) => return Ok(value),
            Err(error) => ensure!(watch.elapsed() < PATIENCE, "not ready after {PATIENCE:?}: {error:#}"),
        }
        real::sleep(Duration::from_millis(20)).await;
    }
}
