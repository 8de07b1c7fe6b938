//! `cluster serve` beside `registry serve`, as a person uses them together: pods pull for real, machines fail and come back.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    registry_alone::{Served, image, ok},
    support::{clean, kubectls, on_path, pulldrill, skip, until},
};

const LIMIT: Duration = Duration::from_secs(60);

/// A cluster that is served from a folder, and somebody's kubectl.
struct Person {
    root: TempDir,
    kubectl: PathBuf,
    _cluster: Served,
}

impl Person {
    async fn start(kubectl: PathBuf, args: &[&str]) -> Result<Self> {
        let root = TempDir::new()?;
        let cluster = Served::start_as(root.path(), &["cluster", "serve"], args).await?;
        Ok(Self { root, kubectl, _cluster: cluster })
    }

    fn kubectl(&self, words: &[&str]) -> Result<String> {
        let mut command = clean(std::process::Command::new(&self.kubectl));
        command.args(words).env("HOME", self.root.path());
        ok(&command.env("KUBECONFIG", self.root.path().join("lab/kubeconfig")).output()?)
    }

    fn pulldrill(&self, words: &[&str]) -> Result<String> {
        ok(&pulldrill(self.root.path()).args(words).output()?)
    }

    /// Waits until a field of an object has one of these words in it.
    async fn until(&self, object: &str, path: &str, word: &str) -> Result<()> {
        let mut last = String::new();
        let path = format!("jsonpath={{{path}}}");
        let seen = until(LIMIT, word, async || {
            last = self.kubectl(&["get", object, "-o", &path])?;
            Ok(last.contains(word).then_some(()))
        });
        seen.await.with_context(|| format!("{object} has {path} = {last:?}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_a_cluster_alone_pull_from_registries_alone() -> Result<()> {
    let Some((_, kubectl)) = kubectls().pop() else { return Ok(()) };
    let Some(skopeo) = on_path("skopeo") else {
        skip("no skopeo on PATH");
        return Ok(());
    };
    let root = TempDir::new()?;
    let args = ["--personality", "distribution", "--personality", "docker-hub"];
    let registries = Served::start(root.path(), &args).await?;
    image(&root.path().join("image"), "a layer")?;
    let source = format!("oci:{}", root.path().join("image").display());
    let place = registries.url("registry.lab.test")?.replace("https://", "docker://");
    for name in ["app", "provided"] {
        let target = format!("{place}/team/{name}:1");
        ok(&registries.run(&skopeo, &["--insecure-policy", "copy", &source, &target])?)?;
    }

    let folder = root.path().join("lab");
    let (config, programs) = provider(root.path(), &folder)?;
    let args = [
        "--registries",
        folder.to_str().context("a path")?,
        "--image",
        "loaded.example/web:1",
        "--image-credential-provider-config",
        &config,
        "--image-credential-provider-bin-dir",
        &programs,
    ];
    let person = Person::start(kubectl, &args).await?;
    let login = format!("--from-file=.dockerconfigjson={}", folder.join("auth.json").display());
    let kind = "--type=kubernetes.io/dockerconfigjson";
    person.kubectl(&["create", "secret", "generic", "login", kind, &login])?;
    let with = r#"--overrides={"spec":{"imagePullSecrets":[{"name":"login"}]}}"#;
    person.kubectl(&["run", "app", "--image=registry.lab.test/team/app:1", with])?;
    person.kubectl(&["run", "stranger", "--image=registry.lab.test/team/app:1"])?;
    person.kubectl(&["run", "provided", "--image=registry.lab.test/team/provided:1"])?;
    person.kubectl(&["run", "hub", "--image=nobody/has-this:1"])?;
    person.kubectl(&["run", "web", "--image=loaded.example/web:1"])?;
    let waiting = ".status.containerStatuses[0].state.waiting.reason";
    person.until("pod/app", ".status.phase", "Running").await?;
    person.until("pod/web", ".status.phase", "Running").await?;
    person.until("pod/provided", ".status.phase", "Running").await?;
    person.until("pod/stranger", waiting, "ImagePull").await?;
    person.until("pod/hub", waiting, "ImagePull").await?;
    // Its token came from the other host.
    let events = person.kubectl(&["get", "events", "--field-selector=involvedObject.name=hub"])?;
    ensure!(events.contains("pull access denied") || events.contains("insufficient_scope"), "{events}");

    // Those of virtual clusters reach and have the same.
    person.pulldrill(&["cluster", "create", "team-a"])?;
    let kubeconfig = person.root.path().join("lab/clusters/team-a.kubeconfig");
    let there = ["--kubeconfig", kubeconfig.to_str().context("a path")?];
    person.kubectl(&[&there[..], &["create", "secret", "generic", "login", kind, &login]].concat())?;
    person.kubectl(&[&there[..], &["run", "app", "--image=registry.lab.test/team/app:1", with]].concat())?;
    until(LIMIT, "the pod of a virtual cluster", async || {
        let phase =
            person.kubectl(&[&there[..], &["get", "pod/app", "-o", "jsonpath={.status.phase}"]].concat())?;
        Ok((phase == "Running").then_some(()))
    })
    .await
}

/// A credential provider that knows the log-in of the registries for one repository: its configuration, and the folder of its program.
fn provider(root: &Path, registries: &Path) -> Result<(String, String)> {
    let auth: Value = serde_json::from_slice(&fs::read(registries.join("auth.json"))?)?;
    let encoded = auth["auths"]["registry.lab.test"]["auth"].as_str().context("no log-in")?;
    let login =
        String::from_utf8(base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded)?)?;
    let (username, password) = login.split_once(':').context("no password")?;
    let version = "credentialprovider.kubelet.k8s.io/v1";
    let answer = json!({"kind": "CredentialProviderResponse", "apiVersion": version, "cacheKeyType": "Image",
        "auth": {"registry.lab.test/team/provided": {"username": username, "password": password}}});
    let programs = root.join("programs");
    fs::create_dir(&programs)?;
    let program = programs.join("lab-provider");
    fs::write(&program, format!("#!/bin/sh\ngrep -q CredentialProviderRequest && echo '{answer}'\n"))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let provider = json!({"name": "lab-provider", "matchImages": ["registry.lab.test/team/provided"], "defaultCacheDuration": "0s",
        "apiVersion": version});
    let config = json!({"kind": "CredentialProviderConfig", "apiVersion": "kubelet.config.k8s.io/v1", "providers": [provider]});
    let file = root.join("providers.yaml");
    fs::write(&file, config.to_string())?;
    Ok((file.display().to_string(), programs.display().to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn images_go_bad_and_good_again() -> Result<()> {
    let Some((_, kubectl)) = kubectls().pop() else { return Ok(()) };
    let person = Person::start(kubectl, &["--image", "web.example/web:1"]).await?;
    let image = |words: &[&str]| person.pulldrill(&[&["cluster", "node", "image"], words].concat());
    let said = image(&["damage", "web.example/web:1", "--error", "no such blob & more"])?;
    ensure!(said == "image web.example/web:1 is damaged\n", "{said}");
    person.kubectl(&["run", "web", "--image=web.example/web:1"])?;
    let waiting = ".status.containerStatuses[0].state.waiting";
    person.until("pod/web", &format!("{waiting}.reason"), "ImageInspectError").await?;
    person.until("pod/web", &format!("{waiting}.message"), "no such blob & more").await?;
    image(&["repair", "web.example/web:1"])?;
    person.until("pod/web", ".status.phase", "Running").await?;
    ensure!(image(&["demand-signatures", "web.example"])? == "images of web.example are to be signed\n");
    ensure!(image(&["take-unsigned", "web.example"])? == "images of web.example are taken unsigned\n");
    let refused = image(&["damage", "web.example/Web"]).unwrap_err().to_string();
    ensure!(refused.contains("web.example/Web"), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_added_switched_and_taken_away() -> Result<()> {
    let Some((_, kubectl)) = kubectls().pop() else { return Ok(()) };
    let person = Person::start(kubectl, &["--image", "web.example/web:1"]).await?;
    let node = |words: &[&str]| person.pulldrill(&[&["cluster", "node"], words].concat());
    ensure!(node(&["list"])? == "node-1 on\n");
    ensure!(node(&["add", "spare"])?.contains("spare is added"));
    person.until("node/spare", ".status.conditions[?(@.type==\"Ready\")].status", "True").await?;
    // What all nodes have from the beginning, a new one has as well.
    let there = r#"--overrides={"spec":{"nodeName":"spare"}}"#;
    person.kubectl(&["run", "web", "--image=web.example/web:1", there])?;
    person.until("pod/web", ".status.phase", "Running").await?;
    node(&["stop", "spare"])?;
    ensure!(node(&["list"])? == "node-1 on\nspare off\n");
    let again = node(&["stop", "spare"]).unwrap_err().to_string();
    ensure!(again.contains("stopped already"), "{again}");
    person.until("node/spare", ".status.conditions[?(@.type==\"Ready\")].status", "Unknown").await?;
    node(&["start", "spare"])?;
    person.until("node/spare", ".status.conditions[?(@.type==\"Ready\")].status", "True").await?;
    node(&["remove", "spare"])?;
    let listed: Value =
        serde_json::from_str(&person.pulldrill(&["--output", "json", "cluster", "node", "list"])?)?;
    ensure!(listed["machines"] == serde_json::json!([{"name": "node-1", "on": true}]), "{listed}");
    for (words, wrong) in [
        (&["add", "node-1"][..], "exists already"),
        (&["add", "No_Name"], "no name for a node"),
        (&["remove", "spare"], "no node"),
        (&["start", "node-1"], "runs already"),
        (&["stop", "../x"], "no node"),
        (&["list", "--cluster", "nobody"], "not found"),
    ] {
        let refused = node(words).unwrap_err().to_string();
        ensure!(refused.contains(wrong), "{words:?}: {refused}");
    }

    // A virtual cluster's are its own; whoever is no master manages none.
    person.pulldrill(&["cluster", "create", "team-a"])?;
    node(&["add", "theirs", "--cluster", "team-a"])?;
    ensure!(node(&["list", "--cluster", "team-a"])? == "node-1 on\ntheirs on\n");
    ensure!(node(&["list"])? == "node-1 on\n");
    let stranger =
        person.kubectl(&["get", "--raw", "/machines", "--as", "somebody"]).unwrap_err().to_string();
    ensure!(stranger.contains("cannot"), "{stranger}");
    Ok(())
}
