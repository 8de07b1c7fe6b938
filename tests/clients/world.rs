//! A `cluster serve` in a folder of its own, with the node that the recorded servers had, and shells in which
//! `kubectl` is the one under test.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{Pod, ServiceAccount},
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{
    command::{clean, pulldrill, until},
    kubelet,
    plan::{self, KUBECTLS, Kubectl},
    recording::Said,
};

/// The token with which the recorded servers were administered.
const TOKEN: &str = "admin-token";
/// How long anything may take that is not waited for by name.
const LIMIT: Duration = Duration::from_secs(60);

/// The cluster, ended when dropped.
pub(crate) struct World {
    server: Child,
    dir: TempDir,
    kubelet: Option<JoinHandle<()>>,
    client: Option<Client>,
    /// The namespace of the run.
    namespace: String,
    /// The server that it is to be like.
    like: &'static plan::Server,
}

impl World {
    /// Starts a server and brings it into the state that the recorded one was in.
    pub(crate) async fn start(
        program: &Path,
        kubectl: &Kubectl,
        like: &'static plan::Server,
    ) -> Result<Self> {
        let dir = TempDir::new()?;
        std::fs::create_dir_all(dir.path().join("bin"))?;
        std::os::unix::fs::symlink(program, dir.path().join("bin/kubectl"))?;
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/files");
        let work = dir.path().join("work");
        copy(&files, &work, like)?;
        std::fs::copy(work.join("all.yaml"), work.join("kz/all.yaml"))?;
        let server = pulldrill(dir.path())
            .args(["cluster", "serve", "--nodes", "0", "--admin-token", TOKEN, "--dialect", like.dialect])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("serve.log"))?)
            .spawn()?;
        let namespace = format!("v{}", kubectl.recorded.replace('.', ""));
        let mut world = Self { server, dir, kubelet: None, client: None, namespace, like };
        world.ready().await?;
        world.before(kubectl).await?;
        Ok(world)
    }

    /// Waits for the server, and makes the kubeconfig of the recordings for it.
    async fn ready(&mut self) -> Result<()> {
        let lab = self.dir.path().join("lab");
        until(LIMIT, "the server", async || {
            if let Some(status) = self.server.try_wait()? {
                let log = std::fs::read_to_string(self.dir.path().join("serve.log"))?;
                anyhow::bail!("the server ended with {status}: {log}");
            }
            Ok(lab.join("lab.json").exists().then_some(()))
        })
        .await?;
        let written = Kubeconfig::read_from(lab.join("kubeconfig"))?;
        let cluster = written.clusters.first().context("a cluster")?.cluster.clone().context("a cluster")?;
        let kubeconfig = serde_json::from_value::<Kubeconfig>(serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": self.namespace}}],
        }))?;
        std::fs::write(self.dir.path().join("kubeconfig"), serde_json::to_vec(&kubeconfig)?)?;
        let options = KubeConfigOptions::default();
        let client = Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &options).await?)?;
        self.kubelet = Some(tokio::spawn(kubelet::run(client.clone())));
        self.client = Some(client);
        Ok(())
    }

    /// What had happened before the first command.
    async fn before(&self, kubectl: &Kubectl) -> Result<()> {
        self.must("kubectl create namespace probe")?;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client()?, "probe");
        until(LIMIT, "the first account", async || Ok(accounts.get_opt("default").await?)).await?;
        self.must(&format!("kubectl create -f {}", self.like.before()))?;
        if kubectl.version != KUBECTLS[0].version {
            // Left by the kubectl that had its turn first.
            self.must("kubectl taint node node1 a=b:PreferNoSchedule")?;
        }
        self.settled().await
    }

    fn client(&self) -> Result<Client> {
        self.client.clone().context("the server is not ready")
    }

    fn must(&self, run: &str) -> Result<()> {
        let said = self.shell(run, LIMIT.as_secs())?;
        ensure!(said.code == 0, "{run}: {}", said.text);
        Ok(())
    }

    /// Runs one command of the plan.
    pub(crate) async fn run(&self, command: &plan::Command) -> Result<Said> {
        let mut line = self.like.words(&command.run).replace("NAMESPACE", &self.namespace);
        for (word, app) in [("BAD", "badd"), ("OK", "ok")] {
            if line.contains(word) {
                line = line.replace(word, &self.first_pod(app).await?);
            }
        }
        let said = self.shell(&line, command.seconds.map_or(LIMIT.as_secs(), u64::from))?;
        if !command.unsettled {
            self.settled().await.with_context(|| format!("after {line}"))?;
        }
        Ok(said)
    }

    async fn first_pod(&self, app: &str) -> Result<String> {
        let pods: Api<Pod> = Api::namespaced(self.client()?, &self.namespace);
        let found = pods.list(&ListParams::default().labels(&format!("app={app}"))).await?;
        found.items.first().map(ResourceExt::name_any).with_context(|| format!("no pod of {app}"))
    }

    /// Both streams of a shell command, in the order in which they were written. 124 is the exit code of one that
    /// had to be ended.
    fn shell(&self, line: &str, seconds: u64) -> Result<Said> {
        let (mut reader, writer) = std::io::pipe()?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = clean(Command::new("timeout"));
        command
            .args([&seconds.to_string(), "sh", "-c", line])
            .current_dir(self.dir.path().join("work"))
            .env("HOME", self.dir.path())
            .env("KUBECONFIG", self.dir.path().join("kubeconfig"))
            .env("PATH", format!("{}:{path}", self.dir.path().join("bin").display()))
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut child = command.spawn()?;
        // It holds the writing ends, and the end of the output is that of their last holder.
        drop(command);
        let mut output = Vec::new();
        reader.read_to_end(&mut output)?;
        let code = child.wait()?.code().unwrap_or(-1);
        Ok(Said::new(code, String::from_utf8_lossy(&output).into_owned()))
    }

    /// Waits until controllers, scheduler and kubelet have nothing left to do.
    async fn settled(&self) -> Result<()> {
        let client = self.client()?;
        let everything = ListParams::default();
        until(LIMIT, "the end of all rollouts", async || {
            let pods = Api::<Pod>::all(client.clone()).list(&everything).await?;
            let calm = |pod: &Pod| pod.metadata.deletion_timestamp.is_none() && kubelet::is_handled(pod);
            let deployments = Api::<Deployment>::all(client.clone()).list(&everything).await?;
            let sets = Api::<StatefulSet>::all(client.clone()).list(&everything).await?;
            let done =
                pods.iter().all(calm) && deployments.iter().all(rolled_out) && sets.iter().all(updated);
            Ok(done.then_some(()))
        })
        .await
    }
}

fn rolled_out(deployment: &Deployment) -> bool {
    let (spec, Some(status)) = (&deployment.spec, &deployment.status) else { return false };
    let wanted = spec.replicas.unwrap_or(1);
    let seen = status.observed_generation == deployment.metadata.generation;
    let all = [status.replicas, status.updated_replicas].iter().all(|n| n.unwrap_or(0) == wanted);
    seen && (all || spec.paused == Some(true))
}

fn updated(set: &StatefulSet) -> bool {
    let (spec, Some(status)) = (&set.spec, &set.status) else { return false };
    let wanted = spec.replicas.unwrap_or(1);
    let seen = status.observed_generation == set.metadata.generation;
    seen && status.replicas == wanted && status.current_revision == status.update_revision
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(kubelet) = &self.kubelet {
            kubelet.abort();
        }
        let _ended_already = kill_process(Pid::from_child(&self.server), Signal::TERM);
        let _reaped = self.server.wait();
    }
}

/// Copies a folder of text files, each as it was written for the server.
fn copy(from: &Path, to: &Path, server: &plan::Server) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, target) = (entry?, to);
        let target = target.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, server)?;
        } else {
            std::fs::write(target, server.words(&std::fs::read_to_string(entry.path())?))?;
        }
    }
    Ok(())
}
