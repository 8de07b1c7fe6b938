//! The common scenario with kube-rs, and what programs are built from with it: reflectors, controllers, recorders of
//! events.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use futures::{AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Event as CoreEvent, Namespace, Pod, Secret},
};
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::{AttachParams, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams},
    discovery::Discovery,
    runtime::{
        Controller, WatchStreamExt as _,
        controller::Action,
        events::{Event, EventType, Recorder},
        reflector,
        wait::{await_condition, conditions},
        watcher,
    },
};
use pulldrill_clock::real;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::host::Host;
use crate::plan::SERVERS;

const NAMESPACE: &str = "rust";
/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits for something, but not for ever.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    tokio::select! {
        done = future => Ok(done),
        () = real::sleep(LIMIT) => anyhow::bail!("waited {LIMIT:?} for {what}"),
    }
}

fn made<T: serde::de::DeserializeOwned>(object: Value) -> Result<T> {
    Ok(serde_json::from_value(object)?)
}

fn workload(name: &str, image: &str) -> Result<Deployment> {
    let labels = json!({"app": name});
    let containers = json!([
        {"name": "main", "image": image, "command": ["sh", "-c", "echo first; echo second; sleep infinity"]},
        {"name": "web", "image": "web:1"},
    ]);
    made(json!({"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}, "template": {
        "metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": containers}}}}))
}

fn is_waiting(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut reasons =
        statuses.filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    reasons.any(|reason| reason == "ImagePullBackOff")
}

fn is_ready(pod: &Pod) -> bool {
    let statuses =
        pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    !statuses.is_empty() && statuses.iter().all(|status| status.ready)
}

/// Watches the pods of an app, in either of the ways that kube-rs knows, until one is as it should be.
async fn seen(pods: &Api<Pod>, app: &str, streaming: bool, is: impl Fn(&Pod) -> bool) -> Result<Pod> {
    let config = watcher::Config::default().labels(&format!("app={app}"));
    let config = if streaming { config.streaming_lists() } else { config };
    let changes = watcher(pods.clone(), config).applied_objects();
    let mut changes = std::pin::pin!(changes);
    soon(app, async {
        while let Some(pod) = changes.try_next().await? {
            if is(&pod) {
                return Ok(pod);
            }
        }
        anyhow::bail!("the watch of {app} ended")
    })
    .await?
}

async fn deployments_and_pods(client: &Client, streaming: bool) -> Result<String> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    deployments.create(&PostParams::default(), &workload("broken", "registry.example/none:1")?).await?;
    deployments.create(&PostParams::default(), &workload("runs", "busybox:1.36")?).await?;
    let twice = deployments.create(&PostParams::default(), &workload("runs", "busybox:1.36")?).await;
    ensure!(matches!(&twice, Err(kube::Error::Api(status)) if status.code == 409), "{twice:?}");
    let listed = deployments.list_metadata(&ListParams::default().limit(1)).await?;
    ensure!(listed.items.len() == 1 && listed.metadata.remaining_item_count == Some(1), "{listed:?}");

    seen(&pods, "broken", false, is_waiting).await?;
    let pod = seen(&pods, "runs", streaming, is_ready).await?;
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1.36"}]}}}});
    deployments.patch("broken", &PatchParams::default(), &Patch::Strategic(image)).await?;
    let conflicting = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}});
    let applied = deployments
        .patch("broken", &PatchParams::apply("applier").force(), &Patch::Apply(conflicting))
        .await?;
    ensure!(applied.spec.replicas == Some(3));
    let completed = await_condition(deployments.clone(), "broken", conditions::is_deployment_completed());
    soon("the rollout", completed).await??;
    let status = deployments.get_status("broken").await?.status.context("a status")?;
    ensure!(status.ready_replicas == Some(3), "{status:?}");
    Ok(pod.name_any())
}

async fn inside(client: &Client, pod: &str) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let how = AttachParams::default().container("main").stdin(true);
    let mut process = pods.exec(pod, ["sh", "-c", "head -n 1; exit 3"], &how).await?;
    let status = process.take_status().context("a status")?;
    process.stdin().context("stdin")?.write_all(b"through\n").await?;
    let mut out = String::new();
    process.stdout().context("stdout")?.read_to_string(&mut out).await?;
    let status = soon("the end of the process", status).await?.context("a status")?;
    let cause = status.details.and_then(|details| details.causes?.into_iter().next()).context("a cause")?;
    ensure!(out == "through\n" && cause.message.as_deref() == Some("3"), "{out} {cause:?}");

    let how = LogParams { container: Some("main".into()), follow: true, ..LogParams::default() };
    let lines = pods.log_stream(pod, &how).await?.lines().take(2).try_collect::<Vec<_>>();
    ensure!(soon("the log", lines).await?? == ["first", "second"]);

    let mut forward = pods.portforward(pod, &[8080]).await?;
    let mut port = forward.take_stream(8080).context("a stream")?;
    port.write_all(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    soon("the answer", port.read_to_string(&mut answer)).await??;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}

async fn events(client: &Client, pod: &str) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let events: Api<CoreEvent> = Api::namespaced(client.clone(), NAMESPACE);
    let about = pods.get(pod).await?.object_ref(&());
    let recorder = Recorder::new(client.clone(), "tester".into());
    let event = Event {
        type_: EventType::Warning,
        reason: "Noticed".into(),
        note: Some("by a test".into()),
        action: "Looking".into(),
        secondary: None,
    };
    // The second is counted in the first.
    recorder.publish(&event, &about).await?;
    recorder.publish(&event, &about).await?;
    let wanted = format!("involvedObject.name={pod},reason=Noticed");
    let found = events.list(&ListParams::default().fields(&wanted)).await?.items;
    ensure!(found.len() == 1, "{found:?}");
    ensure!(found[0].message.as_deref() == Some("by a test") && found[0].series.is_some(), "{found:?}");
    let failed = events.list(&ListParams::default().fields("reason=Failed,type=Warning")).await?.items;
    ensure!(failed.iter().any(|event| event.message.iter().any(|text| text.contains("ErrImagePull"))));
    Ok(())
}

/// Gives every map a Secret of the same name, and makes it again when it is gone.
async fn reconcile(map: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, kube::Error> {
    let secrets: Api<Secret> = Api::namespaced((*client).clone(), NAMESPACE);
    let owner = map.controller_owner_ref(&());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": map.data,
        "metadata": {"name": map.name_any(), "ownerReferences": owner.map(|owner| vec![owner])}});
    let how = PatchParams::apply("mirror").force();
    secrets.patch(&map.name_any(), &how, &Patch::Apply(secret)).await?;
    Ok(Action::await_change())
}

async fn controller(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let mine = watcher::Config::default().labels("mirror=yes");
    let policy = |_: Arc<ConfigMap>, _: &kube::Error, _: Arc<Client>| Action::requeue(Duration::from_secs(1));
    let running = Controller::new(maps.clone(), mine.clone())
        .owns(secrets.clone(), watcher::Config::default())
        .run(reconcile, policy, Arc::new(client.clone()))
        .for_each(|_| std::future::ready(()));
    let (reader, writer) = reflector::store();
    let reflected = reflector(writer, watcher(maps.clone(), mine)).for_each(|_| std::future::ready(()));
    let steps = async {
        let map = json!({"metadata": {"name": "mirrored", "labels": {"mirror": "yes"}}, "data": {"a": "b"}});
        maps.create(&PostParams::default(), &made(map)?).await?;
        let there = |secret: Option<&Secret>| secret.is_some();
        let first = soon("a Secret", await_condition(secrets.clone(), "mirrored", there)).await??;
        let uid = first.and_then(|secret| secret.uid()).context("a uid")?;
        secrets.delete("mirrored", &DeleteParams::default()).await?;
        let another =
            |secret: Option<&Secret>| secret.is_some_and(|secret| secret.uid().as_ref() != Some(&uid));
        soon("another Secret", await_condition(secrets.clone(), "mirrored", another)).await??;
        reader.wait_until_ready().await?;
        let known = reader.state();
        ensure!(known.len() == 1 && known[0].name_any() == "mirrored", "{known:?}");
        // What is owned goes with its owner.
        maps.delete("mirrored", &DeleteParams::default()).await?;
        let gone = |secret: Option<&Secret>| secret.is_none();
        soon("the end of the Secret", await_condition(secrets.clone(), "mirrored", gone)).await??;
        Ok(())
    };
    tokio::select! {
        done = steps => done,
        () = running => anyhow::bail!("the controller ended"),
        () = reflected => anyhow::bail!("the reflector ended"),
    }
}

async fn scenario(dialect: &str, streaming: bool) -> Result<()> {
    let host = Host::start(dialect).await?;
    let client = host.client().await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace =
        namespaces.create(&PostParams::default(), &made(json!({"metadata": {"name": NAMESPACE}}))?).await?;
    let pod = deployments_and_pods(&client, streaming).await?;
    inside(&client, &pod).await?;
    events(&client, &pod).await?;
    controller(&client).await?;
    let known = Discovery::new(client.clone()).run().await?;
    ensure!(known.has_group("apps") && known.groups().count() > 10);
    namespaces.delete(NAMESPACE, &DeleteParams::default()).await?;
    let uid = namespace.uid().context("a uid")?;
    soon("the end", await_condition(namespaces, NAMESPACE, conditions::is_deleted(&uid))).await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kube_rs_sees_a_cluster() -> Result<()> {
    scenario(SERVERS[0].dialect, true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn kube_rs_sees_an_old_cluster() -> Result<()> {
    scenario(SERVERS[1].dialect, false).await
}
