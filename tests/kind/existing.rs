//! A lab as a guest on a cluster that it did not make: a plain kind cluster, made without any configuration of
//! ours, on a network without a way out.

mod ways;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::ApiResource,
};
use pulldrill_lab::{BackendKind, ExistingOptions, RegistryAccess};
use pulldrill_scenarios::{Catalogue, Script, Variant};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    guest_nodes,
    support::{self, Lab, until},
    turn,
};

/// What everything that belongs to this test is called.
pub(crate) const NAME: &str = "pulldrill-test-guest";
/// The first port of the registries.
const PORT: u16 = 31_500;
/// What all names of the lab begin with.
const PREFIX: &str = "guest";
/// What lets a lab change the nodes.
const NODE_ACCESS: &str = "--allow-node-access";
/// How long a repaired drill may take until it is solved: a back-off, a roll-out, the hold.
const REPAIR: Duration = Duration::from_secs(240);
/// How long a lab may take to take away what it has made.
const MOVING_OUT: Duration = Duration::from_secs(180);
/// For so long a cheat must not count; longer than any hold.
const CHEAT: Duration = Duration::from_secs(45);

/// Everything that a lab can make on a cluster.
const RESOURCES: [&str; 12] = [
    "v1/namespaces",
    "v1/secrets",
    "v1/serviceaccounts",
    "v1/services",
    "v1/pods",
    "v1/resourcequotas",
    "apps/v1/deployments",
    "apps/v1/daemonsets",
    "rbac.authorization.k8s.io/v1/roles",
    "rbac.authorization.k8s.io/v1/rolebindings",
    "rbac.authorization.k8s.io/v1/clusterroles",
    "rbac.authorization.k8s.io/v1/clusterrolebindings",
];

#[tokio::test]
async fn a_lab_is_a_guest_on_a_cluster_that_it_did_not_make() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let before = world.an_account_that_may_little().await?;
    world.drills(&before).await?;
    world.other_ways(&before).await?;
    world.killed(&before).await
}

/// A cluster that somebody made with `kind create cluster`.
struct World {
    _turn: std::fs::File,
    dir: tempfile::TempDir,
    kind: PathBuf,
    kubectl: PathBuf,
    client: Client,
}

impl World {
    async fn new() -> Result<Option<Self>> {
        let (Some(kind), Some(image)) = (support::kind(), support::node_image()) else { return Ok(None) };
        let Some((_, kubectl)) = support::kubectls().into_iter().next() else { return Ok(None) };
        let _turn = turn::turn()?;
        pulldrill_tls::install_provider();
        let dir = tempfile::tempdir()?;
        let made = Made(kind.clone());
        run(Command::new("docker")
            .args(["network", "create", NAME, "--driver", "bridge"])
            .args(["-o", "com.docker.network.bridge.enable_ip_masquerade=false"]))?;
        let config = dir.path().join("cluster.yaml");
        std::fs::write(
            &config,
            "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes: [{role: control-plane}, {role: worker}, {role: worker}]\n",
        )?;
        let kubeconfig = dir.path().join("kubeconfig");
        run(made
            .kind()
            .args(["create", "cluster", "--name", NAME, "--wait", "240s", "--image"])
            .arg(image)
            .args([Path::new("--config"), &config, Path::new("--kubeconfig"), &kubeconfig]))?;
        run(support::pulldrill(dir.path()).args(["registry", "image", &format!("{NAME}:1")]))?;
        run(made.kind().args(["load", "docker-image", "--name", NAME, &format!("{NAME}:1")]))?;
        let config = kube::Config::from_custom_kubeconfig(
            Kubeconfig::read_from(&kubeconfig)?,
            &KubeConfigOptions::default(),
        )
        .await?;
        let client = Client::try_from(config)?;
        std::mem::forget(made);
        Ok(Some(Self { _turn, dir, kind, kubectl, client }))
    }

    /// The arguments of a lab here that may change nodes, with the account of a kubeconfig file.
    fn arguments(&self, kubeconfig: &str) -> Vec<String> {
        let mut arguments = self.arguments_by(kubeconfig, &format!("nodeport:{PORT}"));
        arguments.push(NODE_ACCESS.to_owned());
        arguments
    }

    /// The arguments of a lab that leaves nodes as they are, by a way to the registries.
    fn arguments_by(&self, kubeconfig: &str, access: &str) -> Vec<String> {
        let kubeconfig = self.dir.path().join(kubeconfig).display().to_string();
        let context = format!("kind-{NAME}");
        [
            "--backend",
            "existing",
            "--context",
            &context,
            "--kubeconfig",
            &kubeconfig,
            "--namespace-prefix",
            PREFIX,
        ]
        .into_iter()
        .chain(["--registry-image", &format!("{NAME}:1"), "--registry-access", access])
        .map(str::to_owned)
        .collect()
    }

    /// A `pulldrill` command beside the labs.
    fn pulldrill(&self, words: &[&str], arguments: &[String]) -> Result<Output> {
        Ok(support::pulldrill(self.dir.path()).args(words).args(arguments).output()?)
    }

    /// The objects of the cluster that could be a lab's, as `resource namespace/name`.
    async fn everything(&self) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for resource in RESOURCES {
            for object in self.list(resource, "").await? {
                found.insert(named(resource, &object));
            }
        }
        // Kubernetes' own come and go.
        found.retain(|name| !name.contains(" kube-") && !name.starts_with("v1/pods default/"));
        Ok(found)
    }

    async fn list(&self, resource: &str, labels: &str) -> Result<Vec<DynamicObject>> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource_of(resource));
        Ok(api.list(&ListParams::default().labels(labels)).await?.items)
    }

    /// An account that may little gets one clear error, and nothing is made; what is there then.
    async fn an_account_that_may_little(&self) -> Result<BTreeSet<String>> {
        let objects = json!([
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "visitor", "namespace": "kube-public"}},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "kube-visitors"},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
             "subjects": [{"kind": "ServiceAccount", "name": "visitor", "namespace": "kube-public"}]},
        ]);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let file = self.dir.path().join("visitor.json");
        std::fs::write(&file, list.to_string())?;
        let admin = self.dir.path().join("kubeconfig");
        run(Command::new(&self.kubectl).arg("--kubeconfig").arg(&admin).args(["apply", "-f"]).arg(&file))?;
        let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
            Api::namespaced(self.client.clone(), "kube-public");
        let request = serde_json::from_value(json!({"spec": {"audiences": []}}))?;
        let token =
            accounts.create_token_request("visitor", &kube::api::PostParams::default(), &request).await?;
        let token = token.status.context("no token")?.token;
        let mut kubeconfig: Value = serde_saphyr::from_str(&std::fs::read_to_string(&admin)?)?;
        kubeconfig["users"][0]["user"] = json!({"token": token});
        std::fs::write(self.dir.path().join("visitor"), kubeconfig.to_string())?;

        let before = self.everything().await?;
        let output = self.pulldrill(&["up", "--listen", "127.0.0.1:0"], &self.arguments("visitor"))?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(2), "{output:?}");
        for missing in [
            "create, delete",
            "namespaces in the whole cluster",
            "create, get pods/exec in guest-lab",
            "create, get pods/portforward in guest-lab",
            "create, delete daemonsets.apps in guest-lab",
        ] {
            ensure!(error.contains(missing), "{missing:?} is not in {error}");
        }
        let after = self.everything().await?;
        ensure!(after == before, "made: {:?}", after.difference(&before));
        Ok(before)
    }

    /// The drills that a guest can have, from their symptoms to their ends.
    async fn drills(&self, before: &BTreeSet<String>) -> Result<()> {
        let arguments = self.arguments("kubeconfig");
        let nodes = guest_nodes::as_they_are()?;
        let shown = self.pulldrill(&["up", "--dry-run"], &arguments)?;
        ensure!(shown.status.success(), "{shown:?}");
        let without: Vec<String> = arguments.iter().filter(|word| *word != NODE_ACCESS).cloned().collect();
        let less = self.pulldrill(&["up", "--dry-run"], &without)?;
        let is_privileged = |output: &Output| String::from_utf8_lossy(&output.stdout).contains("privileged");
        ensure!(less.status.success() && !is_privileged(&less) && is_privileged(&shown), "{less:?}");
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut lab = Lab::up(&words).await?;
        self.made_as_shown(&String::from_utf8(shown.stdout)?).await?;
        let variants = variants()?;
        for variant in &variants {
            let reached = lab.drill_of(&variant.scenario)?;
            ensure!(reached == (variant.drill.clone(), variant.namespace.clone()), "{reached:?}");
        }
        self.side_by_side(&variants, |variant| {
            // Of a drill about a firewall, a rule says more than a pod.
            let wanted: &[&str] = match variant.scenario.as_str() {
                "blocked-registry" => &["allow-another-port"],
                _ => &["delete-pod", "other-workload"],
            };
            wanted.iter().try_for_each(|cheat| self.script(&lab, variant, script(&variant.cheats, cheat)?))
        })?;
        let watch = pulldrill_clock::real::stopwatch();
        until(CHEAT * 2, "the time in which a cheat could count", async || {
            for variant in &variants {
                ensure!(state(&lab, &variant.drill)? == "open", "{} is no longer open", variant.drill);
            }
            Ok((watch.elapsed() > CHEAT).then_some(()))
        })
        .await?;
        self.side_by_side(&variants, |variant| {
            let remedy = match variant.scenario.as_str() {
                "wrong-tag" => "set-image",
                "missing-pull-secret" => "secret-on-service-account",
                _ => "allow-registry",
            };
            self.script(&lab, variant, script(&variant.remedies, remedy)?)
        })?;
        until(REPAIR, "all drills to be solved", async || {
            let mut solved = true;
            for variant in &variants {
                solved &= state(&lab, &variant.drill)? == "solved";
            }
            Ok(solved.then_some(()))
        })
        .await
        .with_context(|| format!("{:#}", lab.json(&["status", "-o", "json"]).unwrap_or_default()))?;
        self.nodes_are_told_apart(&lab, &variants)?;
        ensure!(lab.end_within(Signal::TERM, MOVING_OUT).await? == Some(0), "up ends well");
        let after = self.everything().await?;
        ensure!(after == *before, "left: {:?}", after.difference(before));
        guest_nodes::are_again(&nodes).await
    }

    /// What carries the lab's labels is what was shown, and nothing else.
    async fn made_as_shown(&self, yaml: &str) -> Result<()> {
        let shown: Vec<Value> = serde_saphyr::from_multiple(yaml)?;
        let lasting: Vec<&Value> = shown.iter().filter(|object| object["kind"] != "Pod").collect();
        ensure!(shown.len() == lasting.len() + 4, "two probes for each node that drills use: {yaml}");
        let mut made = Vec::new();
        for resource in RESOURCES {
            let of_lab = format!("app.kubernetes.io/managed-by=pulldrill,pulldrill.dev/lab={PREFIX}");
            let objects = self.list(resource, &of_lab).await?;
            // What the cluster makes of what was made, pods of a Deployment, is not in a plan.
            let own = objects.into_iter().filter(|object| object.owner_references().is_empty());
            made.extend(own.map(|object| (named(resource, &object), object)));
        }
        ensure!(made.len() == lasting.len(), "{:?}", made.iter().map(|(name, _)| name).collect::<Vec<_>>());
        for object in lasting {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
            let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
            let api = object["apiVersion"].as_str().unwrap_or_default();
            let name = format!("{api}/{kind}s {}/{}", text("namespace"), text("name"));
            let (_, found) =
                made.iter().find(|(made, _)| *made == name).with_context(|| format!("no {name}"))?;
            let found = serde_json::to_value(found)?;
            let mut wanted = object.clone();
            // Lists say this once for all; the name that was looked for has it.
            wanted.as_object_mut().map(|fields| (fields.remove("apiVersion"), fields.remove("kind")));
            // Drawn anew for every run.
            for drawn in ["/metadata/annotations/pulldrill.dev~1run", "/data/token"] {
                if let (Some(wanted), Some(found)) = (wanted.pointer_mut(drawn), found.pointer(drawn)) {
                    *wanted = found.clone();
                }
            }
            ensure!(is_within(&wanted, &found), "shown {wanted:#}\nmade {found:#}");
        }
        Ok(())
    }

    /// The pull log names both nodes for each registry, each by its own pods' pulls, and nobody else pulled.
    fn nodes_are_told_apart(&self, lab: &Lab, variants: &[Variant]) -> Result<()> {
        let log = lab.json(&["registry", "log", "-o", "json"])?;
        let entries = log.as_array().context("no log")?;
        for variant in variants {
            let host = &variant.registries[0].host;
            let pulls = entries.iter().filter(|entry| {
                let is_kubelet =
                    entry["userAgent"].as_str().is_some_and(|agent| agent.starts_with("containerd"));
                entry["host"] == json!(host) && is_kubelet
            });
            let nodes: BTreeSet<Option<&str>> = pulls.map(|entry| entry["node"].as_str()).collect();
            ensure!(nodes.len() == 2 && !nodes.contains(&None), "{host}: {nodes:?} of {log:#}");
        }
        Ok(())
    }

    /// A lab that is killed while it makes a drill fail leaves what `down` removes, on the nodes too.
    async fn killed(&self, before: &BTreeSet<String>) -> Result<()> {
        let nodes = guest_nodes::as_they_are()?;
        let mut child = support::pulldrill(self.dir.path())
            .args(["up", "--listen", "127.0.0.1:0"])
            .args(self.arguments("kubeconfig"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let seen = until(Duration::from_secs(90), "a rule on a node", async || {
            Ok(guest_nodes::as_they_are()?
                .iter()
                .any(|node| node.contains("-A PULLDRILL-EGRESS"))
                .then_some(()))
        })
        .await;
        child.kill()?;
        child.wait()?;
        seen?;
        ensure!(self.everything().await? != *before, "there is something to remove");
        let down = self.pulldrill(&["down"], &[])?;
        ensure!(down.status.success(), "{down:?}");
        let after = self.everything().await?;
        ensure!(after == *before, "left: {:?}", after.difference(before));
        guest_nodes::are_again(&nodes).await
    }

    /// Does something to all drills at the same time: much of it is waiting for pods to go.
    fn side_by_side(&self, variants: &[Variant], act: impl Fn(&Variant) -> Result<()> + Sync) -> Result<()> {
        std::thread::scope(|scope| {
            let act = &act;
            let all: Vec<_> = variants.iter().map(|variant| scope.spawn(move || act(variant))).collect();
            all.into_iter()
                .try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a script panicked"))?)
        })
    }

    /// Runs a script of a scenario as its trainee.
    fn script(&self, lab: &Lab, variant: &Variant, script: &Script) -> Result<()> {
        let home = self.dir.path().join(&variant.drill);
        let programs = home.join("bin");
        std::fs::create_dir_all(&programs)?;
        for (name, program) in
            [("kubectl", self.kubectl.as_path()), ("pulldrill", Path::new(env!("CARGO_BIN_EXE_pulldrill")))]
        {
            let link = programs.join(name);
            if !link.exists() {
                std::os::unix::fs::symlink(program, link)?;
            }
        }
        let file = home.join("script.sh");
        std::fs::write(&file, &script.text)?;
        let path = std::env::var("PATH")?;
        run(Command::new("/bin/sh")
            .arg(&file)
            .current_dir(&home)
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("HOME", &home)
            .env("KUBECONFIG", lab.dir().join("kubeconfig"))
            .env("PULLDRILL_DIR", lab.dir()))
        .with_context(|| script.name.clone())
        .map(drop)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(Made(self.kind.clone()));
    }
}

/// What is there as long as the test: cluster, network and image, removed in the end.
struct Made(PathBuf);

impl Made {
    /// The kind program, on the network without a way out.
    fn kind(&self) -> Command {
        let mut command = support::clean(Command::new(&self.0));
        command.env("KIND_EXPERIMENTAL_DOCKER_NETWORK", NAME);
        command
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let kubeconfig = std::env::temp_dir().join(format!("{NAME}-kubeconfig"));
        drop(run(self.kind().args(["delete", "cluster", "--name", NAME, "--kubeconfig"]).arg(&kubeconfig)));
        drop(std::fs::remove_file(kubeconfig));
        drop(run(Command::new("docker").args(["network", "rm", NAME])));
        drop(run(Command::new("docker").args(["image", "rm", "--force", &format!("{NAME}:1")])));
    }
}

/// The drills of a guest that may change nodes, as the lab makes them.
fn variants() -> Result<Vec<Variant>> {
    let backend = BackendKind::Existing(ExistingOptions {
        namespace_prefix: PREFIX.into(),
        registry_access: RegistryAccess::NodePort { first: Some(PORT) },
        allow_node_access: true,
        ..ExistingOptions::default()
    });
    let catalogue = Catalogue::embedded()?;
    let variant = |id: &str| {
        let scenario = catalogue.get(id).context("no such scenario")?;
        Ok(scenario.variant_at(1, &backend.placement(&catalogue, id))?)
    };
    ["wrong-tag", "missing-pull-secret", "blocked-registry"].into_iter().map(variant).collect()
}

fn script<'a>(scripts: &'a [Script], name: &str) -> Result<&'a Script> {
    scripts.iter().find(|script| script.name == name).with_context(|| format!("no script {name}"))
}

fn state(lab: &Lab, drill: &str) -> Result<String> {
    let status = lab.json(&["status", "-o", "json"])?;
    let mut drills = status["drills"].as_array().into_iter().flatten();
    let drill = drills.find(|known| known["id"] == drill).context("no such drill")?;
    Ok(drill["state"].as_str().unwrap_or_default().to_owned())
}

/// The name of an object of a resource, with which plans and clusters can be compared.
fn named(resource: &str, object: &DynamicObject) -> String {
    format!("{resource} {}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

fn resource_of(path: &str) -> ApiResource {
    let mut parts: Vec<&str> = path.split('/').collect();
    let plural = parts.pop().unwrap_or_default().to_owned();
    let group = if parts.len() == 2 { parts[0].to_owned() } else { String::new() };
    ApiResource { group, version: "v1".into(), api_version: parts.join("/"), kind: String::new(), plural }
}

/// `small` is in `large`: what the cluster adds does not count.
fn is_within(small: &Value, large: &Value) -> bool {
    match (small, large) {
        (Value::Object(small), Value::Object(large)) => {
            small.iter().all(|(key, value)| large.get(key).is_some_and(|other| is_within(value, other)))
        }
        (Value::Array(small), Value::Array(large)) => {
            small.len() == large.len()
                && small.iter().zip(large).all(|(small, large)| is_within(small, large))
        }
        (small, large) => small == large,
    }
}

/// Runs a program that has to succeed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        bail!("{command:?} ended with {}: {}{}", output.status, text(&output.stdout), text(&output.stderr));
    }
    Ok(text(&output.stdout))
}
