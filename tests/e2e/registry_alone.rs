//! `registry serve --personality`: registries that a person runs, with other people's programs, and their data.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{clean, on_path, pulldrill, skip, until};

const LIMIT: Duration = Duration::from_secs(60);

/// A running `registry serve` or `cluster serve`.
pub(crate) struct Served {
    process: Child,
    lab: PathBuf,
    /// `lab.json`.
    pub(crate) info: Value,
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Served {
    /// Serves from the folder `root/lab` and waits until everything is ready.
    pub(crate) async fn start(root: &Path, args: &[&str]) -> Result<Self> {
        Self::start_as(root, &["registry", "serve"], args).await
    }

    /// The same with another command.
    pub(crate) async fn start_as(root: &Path, command: &[&str], args: &[&str]) -> Result<Self> {
        let lab = root.join("lab");
        drop(std::fs::remove_file(lab.join("lab.json")));
        let log = root.join("serve.log");
        let mut process = pulldrill(root)
            .args(command)
            .args(args)
            .env_remove("PULLDRILL_ADMIN_TOKEN")
            .env_remove("PULLDRILL_REGISTRY_PASSWORD")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .spawn()?;
        until(LIMIT, "the registries", async || {
            if let Some(status) = process.try_wait()? {
                bail!("it ended with {status}: {}", std::fs::read_to_string(&log)?);
            }
            Ok(lab.join("lab.json").exists().then_some(()))
        })
        .await?;
        let info = serde_json::from_slice(&std::fs::read(lab.join("lab.json"))?)?;
        Ok(Self { process, lab, info })
    }

    /// The URL of a registry.
    pub(crate) fn url(&self, name: &str) -> Result<String> {
        Ok(self.info["registries"][name].as_str().context("no such registry")?.to_owned())
    }

    /// The log-in for a registry, as `Authorization: Basic` has it.
    pub(crate) fn login(&self, name: &str) -> Result<String> {
        let auth: Value = serde_json::from_slice(&std::fs::read(self.lab.join("auth.json"))?)?;
        Ok(auth["auths"][name]["auth"].as_str().context("no log-in")?.to_owned())
    }

    /// The authority, PEM.
    pub(crate) fn authority(&self) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.lab.join("ca.pem"))?)
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    async fn end(&mut self) -> Result<Option<i32>> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        let process = &mut self.process;
        Ok(until(LIMIT, "the end", async || Ok(process.try_wait()?)).await?.code())
    }

    /// Runs a program as somebody would who has sourced `env.sh`.
    pub(crate) fn run(&self, program: &Path, args: &[&str]) -> Result<Output> {
        let script = format!(". {}/env.sh && exec \"$@\"", self.lab.display());
        let mut command = clean(Command::new("sh"));
        let home = self.lab.parent().context("a folder")?;
        command.args(["-c", &script, "sh"]).arg(program).args(args).env("HOME", home);
        Ok(command.stdin(Stdio::null()).output()?)
    }
}

pub(crate) fn ok(output: &Output) -> Result<String> {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{out}{err}");
    Ok(out.into_owned())
}

/// An image as a folder that skopeo copies from: nothing here is pulled from anywhere.
pub(crate) fn image(folder: &Path, layer: &str) -> Result<()> {
    use sha2::{Digest, Sha256};
    let blob = |text: &str| -> Result<Value> {
        let hex: String = Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect();
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs)?;
        std::fs::write(blobs.join(&hex), text)?;
        Ok(serde_json::json!({"digest": format!("sha256:{hex}"), "size": text.len()}))
    };
    let typed = |mut descriptor: Value, media: &str| {
        descriptor["mediaType"] = media.into();
        descriptor
    };
    let layer_blob = blob(layer)?;
    let config = serde_json::json!({"architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer_blob["digest"]]}});
    let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": typed(blob(&config.to_string())?, "application/vnd.oci.image.config.v1+json"),
        "layers": [typed(layer_blob, "application/vnd.oci.image.layer.v1.tar")]});
    let manifest = typed(blob(&manifest.to_string())?, "application/vnd.oci.image.manifest.v1+json");
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    std::fs::write(
        folder.join("index.json"),
        serde_json::json!({"schemaVersion": 2, "manifests": [manifest]}).to_string(),
    )?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_copies_in_and_out_and_reads_the_data_as_it_is() -> Result<()> {
    let Some(skopeo) = on_path("skopeo") else {
        skip("no skopeo on PATH");
        return Ok(());
    };
    let root = TempDir::new()?;
    image(&root.path().join("image"), "a layer")?;
    let source = format!("oci:{}", root.path().join("image").display());
    let data = root.path().join("data");
    let args = ["--personality", "distribution", "--personality", "harbor=h.example", "--data"];
    let args = [&args[..], &[data.to_str().context("a path")?]].concat();
    let mut served = Served::start(root.path(), &args).await?;
    let mut digests = BTreeMap::new();
    for name in ["registry.lab.test", "h.example"] {
        let place = served.url(name)?.replace("https://", "docker://");
        let copy = |from: &str, to: &str| {
            ok(&served.run(&skopeo, &["--insecure-policy", "copy", "--preserve-digests", from, to])?)
        };
        copy(&source, &format!("{place}/pulldrill/app:1"))?;
        let inspected = ok(&served.run(&skopeo, &["inspect", &format!("{place}/pulldrill/app:1")])?)?;
        let inspected: Value = serde_json::from_str(&inspected)?;
        ensure!(inspected["RepoTags"] == serde_json::json!(["1"]), "{inspected}");
        copy(&format!("{place}/pulldrill/app:1"), &format!("{place}/pulldrill/copy:2"))?;
        copy(&format!("{place}/pulldrill/copy:2"), &format!("dir:{}/out-{name}", root.path().display()))?;
        // Without any registry: the folder is what skopeo knows.
        let layout = format!("oci:{}/hosts/{name}/pulldrill+copy:2", data.display());
        let read: Value = serde_json::from_str(&ok(&served.run(&skopeo, &["inspect", &layout])?)?)?;
        ensure!(read["Digest"] == inspected["Digest"], "{read}");
        copy(&layout, &format!("dir:{}/read-{name}", root.path().display()))?;
        let stranger =
            served.run(&skopeo, &["inspect", "--no-creds", &format!("{place}/pulldrill/app:1")])?;
        ensure!(!stranger.status.success(), "a stranger was let in");
        digests.insert(name, inspected["Digest"].clone());
    }
    let before = (served.authority()?, served.login("h.example")?);
    ensure!(served.end().await? == Some(0));
    ensure!(!root.path().join("lab").exists(), "what it made in its folder is gone");

    let mut served = Served::start(root.path(), &args).await?;
    ensure!((served.authority()?, served.login("h.example")?) == before, "clients know it again");
    for (name, digest) in digests {
        let place = served.url(name)?.replace("https://", "docker://");
        let found = ok(&served.run(&skopeo, &["inspect", &format!("{place}/pulldrill/copy:2")])?)?;
        ensure!(serde_json::from_str::<Value>(&found)?["Digest"] == digest, "{found}");
    }
    ensure!(served.end().await? == Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_listen_where_they_are_told_and_say_what_clients_need() -> Result<()> {
    let root = TempDir::new()?;
    let args = ["--personality", "docker-hub", "--personality", "ecr=r.example", "--username", "me"];
    let mut served = Served::start(root.path(), &args).await?;
    let names: Vec<&String> = served.info["registries"].as_object().context("registries")?.keys().collect();
    ensure!(names == ["r.example", "registry-1.docker.io"], "{}", served.info);
    ensure!(served.info["username"] == "me");
    let token = std::fs::read_to_string(root.path().join("lab/instructor-token"))?;
    pulldrill_tls::install_provider();
    let authority = reqwest::Certificate::from_pem(&served.authority()?)?;
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build()?;
    let hosts = format!("{}/admin/v1/hosts", served.info["admin"].as_str().context("admin")?);
    ensure!(client.get(&hosts).send().await?.status() == 401);
    let listed: Vec<String> = client.get(&hosts).bearer_auth(token.trim()).send().await?.json().await?;
    ensure!(listed == ["r.example", "registry-1.docker.io"], "{listed:?}");
    // Whoever comes by address is led on by address, to the token service as well.
    let base = format!("{}/v2/", served.url("registry-1.docker.io")?);
    let challenge = client.get(&base).send().await?;
    let challenge = challenge.headers()["www-authenticate"].to_str()?.to_owned();
    let realm = challenge.split('"').nth(1).context("a realm")?.to_owned();
    ensure!(realm.starts_with("https://127.0.0.1:"), "{challenge}");
    let token = client.get(format!("{realm}?service=registry.docker.io&scope=repository:me/app:pull,push"));
    let login = format!("Basic {}", served.login("registry-1.docker.io")?);
    ensure!(token.header("authorization", login).send().await?.status() == 200);
    ensure!(served.end().await? == Some(0));

    for (args, code, says) in [
        (&["--personality", "quayside"][..], 2, "docker-hub"),
        (&["--personality", "ecr", "--personality", "ecr"], 2, "--personality ecr=HOST"),
        (&["--personality", "ecr=not a name"], 3, "not a name"),
        (&["--listen", "127.0.0.1"], 2, "--personality"),
        (&[], 2, "--admin"),
        (&["--personality", "harbor", "--data", "/dev/null"], 3, "/dev/null"),
    ] {
        let mut command = pulldrill(root.path());
        command.args(["registry", "serve"]).args(args).env_remove("PULLDRILL_ADMIN_TOKEN");
        let output = command.stdin(Stdio::null()).output()?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(code), "{args:?}: {error}");
        ensure!(error.contains(says), "{args:?}: {error}");
    }
    Ok(())
}
