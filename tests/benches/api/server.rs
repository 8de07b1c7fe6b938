//! The servers that are compared: `pulldrill cluster serve --bare`, and a kube-apiserver with an etcd of its own. Both
//! end with their value.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    client::{Client, Place},
    processes::{Processes, free_port, wait},
};

/// With which everything may be done.
const TOKEN: &str = "benches-need-no-secrets";

pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) processes: Processes,
    _folder: TempDir,
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
        let mut processes = Processes::default();
        processes.start(&mut command)?;
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
            authorization: format!("Bearer {TOKEN}"),
            accept: "application/json",
            tls: pulldrill_tls::client_config(&[&String::from_utf8(authority)?])?,
        };
        Ok(Self { place, processes, _folder: folder })
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
        let mut processes = Processes::default();
        processes.start(Command::new(etcd).arg("--data-dir").arg(path("etcd")).args([
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
        ]))?;
        let authority = pulldrill_tls::Authority::new("bench")?;
        let identity = authority.server(&["localhost".into()], &["127.0.0.1".parse()?])?;
        write(&path("server.crt"), &identity.certificate)?;
        write(&path("server.key"), &identity.key)?;
        write(&path("tokens.csv"), &format!("{TOKEN},admin,admin,system:masters\n"))?;
        let option = |name: &str, file: &str| format!("--{name}={}", path(file).display());
        processes.start(
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
        )?;
        let place = Place {
            address: format!("127.0.0.1:{secure}"),
            authorization: format!("Bearer {TOKEN}"),
            accept: "application/json",
            tls: pulldrill_tls::client_config(&[authority.pem()])?,
        };
        let server = Self { place, processes, _folder: folder };
        wait(async || Client::connect(&server.place).await?.get("/readyz").await).await?;
        wait(async || Client::connect(&server.place).await?.get("/api/v1/namespaces/default").await).await?;
        Ok(Some(server))
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
