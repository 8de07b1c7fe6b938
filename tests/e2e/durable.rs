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
    Api, Client, Config, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
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

/// What one writer was told: the data of each of its objects, nothing for those that are gone. The last write may have
/// been cut off: it was done, or it was not.
#[derive(Default)]
struct Told {
    objects: BTreeMap<String, Option<String>>,
    uncertain: Option<(String, Option<String>)>,
}

/// Creates, changes and deletes objects until the server is gone.
async fn write(client: Client, round: usize, writer: usize, acknowledged: Arc<AtomicUsize>) -> Told {
    let api: Api<ConfigMap> = Api::namespaced(client, "default");
    let mut told = Told::default();
    for n in 0.. {
        let name = format!("w-{round}-{writer}-{}", n / 3);
        let data = format!("{n}");
        let deletes = n % 3 == 2;
        if deletes && n % 2 == 1 {
            // Every other one stays.
            continue;
        }
        told.uncertain = Some((name.clone(), (!deletes).then(|| data.clone())));
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": data}});
        let written = match n % 3 {
            0 => match serde_json::from_value(object) {
                Ok(object) => api.create(&PostParams::default(), &object).await.map(|_| Some(data)),
                Err(_) => return told,
            },
            1 => api.patch(&name, &PatchParams::default(), &Patch::Merge(&object)).await.map(|_| Some(data)),
            _ => api.delete(&name, &DeleteParams::default()).await.map(|_| None),
        };
        let Ok(now) = written else { return told };
        told.objects.insert(name, now);
        told.uncertain = None;
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_is_there_after_a_kill() -> Result<()> {
    let root = TempDir::new()?;
    let mut expected: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut last = 0;
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
            expected.extend(told.objects);
            uncertain.extend(told.uncertain);
        }
        drop(server);

        let server = serve(root.path()).await?;
        let api: Api<ConfigMap> = Api::namespaced(server.client.clone(), "default");
        let list = api.list(&ListParams::default()).await?;
        let revision: u64 = list.metadata.resource_version.as_deref().context("a version")?.parse()?;
        ensure!(revision > last, "round {round}: {revision} after {last}");
        last = revision;
        let found: BTreeMap<String, Option<String>> = list
            .items
            .into_iter()
            .filter(|object| object.name_any().starts_with("w-"))
            .map(|object| (object.name_any(), object.data.and_then(|mut data| data.remove("n"))))
            .collect();
        for (name, after) in uncertain {
            let now = found.get(&name).cloned().flatten();
            let before = expected.get(&name).cloned().flatten();
            ensure!(
                now == before || now == after,
                "round {round}: {name} is {now:?}, not {before:?} or {after:?}"
            );
            expected.insert(name, now);
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
