//! `cluster serve --data`: killed in the middle of writes, again and again, it has everything that it acknowledged; and
//! virtual clusters as a person makes them.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{pulldrill, until};

/// How often the process is killed, and after how many acknowledged writes.
const ROUNDS: usize = 6;
const WRITES: usize = 60;
/// How many write at a time.
const WRITERS: usize = 6;
const LIMIT: Duration = Duration::from_secs(60);

struct Server {
    process: Child,
    client: Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Serves `DIR/data` again.
async fn serve(root: &Path) -> Result<Server> {
    let lab = root.join("lab");
    drop(std::fs::remove_file(lab.join("lab.json")));
    let mut process = pulldrill(root)
        .args(["cluster", "serve", "--data"])
        .arg(root.join("data"))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(root.join("serve.log"))?)
        .spawn()?;
    until(LIMIT, "the server", async || {
        if let Some(status) = process.try_wait()? {
            bail!("it ended with {status}: {}", std::fs::read_to_string(root.join("serve.log"))?);
        }
        Ok(lab.join("lab.json").exists().then_some(()))
    })
    .await?;
    let client = client(&lab.join("kubeconfig")).await?;
    Ok(Server { process, client })
}

async fn client(kubeconfig: &Path) -> Result<Client> {
    let mut config =
        Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &KubeConfigOptions::default())
            .await?;
    config.proxy_url = None;
    Ok(Client::try_from(config)?)
}

/// The kinds that are written: group, kind, and what their objects need to have.
const KINDS: [(&str, &str, &str); 5] = [
    ("", "ConfigMap", "{}"),
    ("", "Secret", r#"{"stringData": {"a": "b"}}"#),
    ("", "Service", r#"{"spec": {"ports": [{"port": 80}]}}"#),
    ("", "ServiceAccount", "{}"),
    (
        "apps",
        "Deployment",
        r#"{"spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}}"#,
    ),
];

/// Where a write leaves its number.
const MARK: &str = "example.org/n";

fn api(client: &Client, kind: usize) -> (Api<DynamicObject>, ApiResource) {
    let (group, kind, _) = KINDS[kind];
    let resource = ApiResource::from_gvk(&kube::api::GroupVersionKind::gvk(group, "v1", kind));
    (Api::namespaced_with(client.clone(), "default", &resource), resource)
}

/// A kind and a name.
type Id = (usize, String);

/// What one writer was told: the mark of each of its objects, nothing for those that are gone, and the highest revision.
/// The last write may have been cut off: it was done, or it was not.
#[derive(Default)]
struct Told {
    objects: BTreeMap<Id, Option<String>>,
    uncertain: Option<(Id, Option<String>)>,
    revision: u64,
}

fn revision(object: &impl Resource) -> u64 {
    object.meta().resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// Creates, patches, replaces and deletes objects until the server is gone.
async fn write(client: Client, round: usize, writer: usize, acknowledged: Arc<AtomicUsize>) -> Told {
    let mut told = Told::default();
    for n in 0.. {
        let kind = (n / 4 + writer) % KINDS.len();
        let (api, resource) = api(&client, kind);
        let id = (kind, format!("w-{round}-{writer}-{}", n / 4));
        let (name, mark) = (id.1.as_str(), n.to_string());
        let deletes = n % 4 == 3;
        if deletes && n % 8 == 7 {
            // Every other one stays.
            continue;
        }
        told.uncertain = Some((id.clone(), (!deletes).then(|| mark.clone())));
        let change = json!({"metadata": {"annotations": {MARK: mark}}});
        let written = match n % 4 {
            0 => {
                let Ok(body) = serde_json::from_str(KINDS[kind].2) else { return told };
                let mut object = DynamicObject::new(name, &resource).data(body);
                object.annotations_mut().insert(MARK.into(), mark.clone());
                api.create(&PostParams::default(), &object).await.map(|made| revision(&made))
            }
            1 => {
                let patch = Patch::Merge(&change);
                api.patch(name, &PatchParams::default(), &patch).await.map(|made| revision(&made))
            }
            2 => match api.get(name).await {
                Ok(mut object) => {
                    // Controllers may have written in the meantime.
                    object.metadata.resource_version = None;
                    object.annotations_mut().insert(MARK.into(), mark.clone());
                    api.replace(name, &PostParams::default(), &object).await.map(|made| revision(&made))
                }
                Err(_) => {
                    // Nothing was asked for.
                    told.uncertain = None;
                    return told;
                }
            },
            _ => {
                let deleted = api.delete(name, &DeleteParams::default()).await;
                deleted.map(|gone| gone.left().map_or(0, |last| revision(&last)))
            }
        };
        let Ok(revision) = written else { return told };
        told.revision = told.revision.max(revision);
        told.objects.insert(id, (!deletes).then_some(mark));
        told.uncertain = None;
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    told
}

/// The marks of what is there, and the highest revision that the lists tell.
async fn found(client: &Client) -> Result<(BTreeMap<Id, Option<String>>, u64)> {
    let (mut found, mut highest) = (BTreeMap::new(), 0);
    for kind in 0..KINDS.len() {
        let list = api(client, kind).0.list(&ListParams::default()).await?;
        let version = list.metadata.resource_version.as_deref().context("a version")?;
        highest = highest.max(version.parse::<u64>()?);
        for object in list.items.into_iter().filter(|object| object.name_any().starts_with("w-")) {
            found.insert((kind, object.name_any()), object.annotations().get(MARK).cloned());
        }
    }
    Ok((found, highest))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_is_there_after_a_kill() -> Result<()> {
    let root = TempDir::new()?;
    let mut expected: BTreeMap<Id, Option<String>> = BTreeMap::new();
    let mut told_revision = 0;
    for round in 0..ROUNDS {
        let mut server = serve(root.path()).await?;
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write(server.client.clone(), round, writer, acknowledged.clone())))
            .collect();
        until(LIMIT, "writes", async || {
            Ok((acknowledged.load(Ordering::Relaxed) >= WRITES + round * 7).then_some(()))
        })
        .await?;
        server.process.kill()?;
        server.process.wait()?;
        let mut uncertain = Vec::new();
        for writer in writers {
            let told = writer.await?;
            told_revision = told_revision.max(told.revision);
            expected.extend(told.objects);
            uncertain.extend(told.uncertain);
        }
        drop(server);

        let server = serve(root.path()).await?;
        let (found, highest) = found(&server.client).await?;
        ensure!(highest >= told_revision, "round {round}: {highest}, but {told_revision} was told");
        let maps: Api<ConfigMap> = Api::namespaced(server.client.clone(), "default");
        let probe = serde_json::from_value(json!({"metadata": {"generateName": "probe-"}}))?;
        let next = revision(&maps.create(&PostParams::default(), &probe).await?);
        ensure!(next > told_revision, "round {round}: {next} is given out again after {told_revision}");
        told_revision = next.max(highest);
        for (id, after) in uncertain {
            let now = found.get(&id).cloned().flatten();
            let before = expected.get(&id).cloned().flatten();
            ensure!(
                now == before || now == after,
                "round {round}: {id:?} is {now:?}, not {before:?} or {after:?}"
            );
            expected.insert(id, now);
        }
        let wanted: BTreeMap<_, _> =
            expected.clone().into_iter().filter(|(_, data)| data.is_some()).collect();
        ensure!(found == wanted, "round {round}: found {found:?}\nwanted {wanted:?}");
    }
    ensure!(expected.len() > ROUNDS * WRITERS, "too little was written: {}", expected.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn virtual_clusters_are_made_listed_and_removed_with_the_command() -> Result<()> {
    let root = TempDir::new()?;
    let server = serve(root.path()).await?;
    let run = |args: &[&str]| -> Result<(i32, Value)> {
        let output = pulldrill(root.path()).args(["-o", "json", "cluster"]).args(args).output()?;
        let code = output.status.code().context("a signal")?;
        match output.status.success() {
            true => Ok((code, serde_json::from_slice(&output.stdout)?)),
            false => Ok((code, String::from_utf8_lossy(&output.stderr).into_owned().into())),
        }
    };
    let (code, made) = run(&["create", "alice"])?;
    ensure!(code == 0, "{made}");
    let kubeconfig = made["kubeconfig"].as_str().context("a path")?;
    let inside: Api<ConfigMap> = Api::namespaced(client(Path::new(kubeconfig)).await?, "default");
    let object = serde_json::from_value(json!({"metadata": {"name": "mine"}}))?;
    inside.create(&PostParams::default(), &object).await?;
    let outside: Api<ConfigMap> = Api::namespaced(server.client.clone(), "default");
    ensure!(outside.get_opt("mine").await?.is_none());
    ensure!(run(&["list"])?.1 == json!({"clusters": ["alice"]}));
    let (code, refused) = run(&["create", "Not A Name"])?;
    ensure!(code == 2, "{code} {refused}");
    ensure!(run(&["delete", "alice"])?.0 == 0);
    ensure!(run(&["delete", "alice"])?.0 == 2);
    ensure!(!Path::new(kubeconfig).exists());
    ensure!(inside.list(&ListParams::default()).await.is_err());
    drop(server);
    let (code, _) = run(&["list"])?;
    ensure!(code == 2, "nothing is served: {code}");
    Ok(())
}
