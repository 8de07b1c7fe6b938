//! What is measured of one server.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::Method;
use pulldrill_clock::real;
use serde_json::json;
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    server::Server,
    support::{
        client::Client,
        figures::{Figure, figure, memory, milliseconds, per_second},
    },
    watcher::Watcher,
};

/// How many connections are busy at a time, where it is not one.
const CONNECTIONS: usize = 8;
/// How many pods there are in the end, in all namespaces.
const PODS: usize = 10_000;
/// How many of them are in a namespace.
const PODS_OF_NAMESPACE: usize = 100;
/// How many requests one figure is made of.
const REQUESTS: usize = 4_000;
/// How many watch, and how many changes they see.
const WATCHERS: usize = 1_000;
const CHANGES: usize = 50;

const JSON: &str = "application/json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

pub(crate) async fn all(server: &Server) -> Result<Vec<Figure>> {
    let namespaces = PODS / PODS_OF_NAMESPACE;
    many(server, 1, namespaces, |n| {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("n-{n}")}});
        (Method::POST, "/api/v1/namespaces".into(), JSON, body.to_string())
    })
    .await?;
    let mut figures = Vec::new();
    let create = |n: usize| {
        (Method::POST, format!("/api/v1/namespaces/n-{}/pods", n / PODS_OF_NAMESPACE), JSON, pod(n))
    };
    let alone = PODS / 10;
    let creates = many(server, 1, alone, create);
    figures.push(figure(&server.processes, "create a pod, 1 connection", creates, per_second(alone)).await?);
    let rest = PODS - alone;
    let creates = many(server, CONNECTIONS, rest, |n| create(n + alone));
    let what = format!("create a pod, {CONNECTIONS} connections");
    figures.push(figure(&server.processes, what, creates, per_second(rest)).await?);

    let get = |n: usize| {
        let n = n * 7919 % PODS;
        (
            Method::GET,
            format!("/api/v1/namespaces/n-{}/pods/pod-{n}", n / PODS_OF_NAMESPACE),
            JSON,
            String::new(),
        )
    };
    for connections in [1, CONNECTIONS] {
        let what = format!("get a pod, {connections} connection(s)");
        let gets = many(server, connections, REQUESTS, get);
        figures.push(figure(&server.processes, what, gets, per_second(REQUESTS)).await?);
    }

    let list = |n: usize| {
        let path = format!("/api/v1/namespaces/n-{}/pods", n * 31 % namespaces);
        (Method::GET, path, JSON, String::new())
    };
    let lists = REQUESTS / 10;
    let what = format!("list {PODS_OF_NAMESPACE} pods, {CONNECTIONS} connections");
    figures.push(
        figure(&server.processes, what, many(server, CONNECTIONS, lists, list), per_second(lists)).await?,
    );
    figures
        .push(figure(&server.processes, format!("list {PODS} pods"), list_all(server), milliseconds).await?);

    let patch = |n: usize| {
        let n = n * 7919 % PODS;
        let path = format!("/api/v1/namespaces/n-{}/pods/pod-{n}", n / PODS_OF_NAMESPACE);
        let body = json!({"metadata": {"labels": {"round": format!("r-{n}")}}});
        (Method::PATCH, path, STRATEGIC, body.to_string())
    };
    let what = format!("patch a pod, {CONNECTIONS} connections");
    let patches = many(server, CONNECTIONS, REQUESTS, patch);
    figures.push(figure(&server.processes, what, patches, per_second(REQUESTS)).await?);
    let what = format!("watch events to {WATCHERS} watchers");
    figures.push(figure(&server.processes, what, fan_out(server), per_second(WATCHERS * CHANGES)).await?);
    figures.push(memory(&server.processes, format!("memory with {PODS} pods"))?);
    Ok(figures)
}

type Call = (Method, String, &'static str, String);

/// Makes `count` calls over some connections; how long that takes.
async fn many(
    server: &Server,
    connections: usize,
    count: usize,
    call: impl Fn(usize) -> Call,
) -> Result<Duration> {
    let mut shares: Vec<Vec<Call>> = (0..connections).map(|_| Vec::new()).collect();
    for n in 0..count {
        shares[n % connections].push(call(n));
    }
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Client::connect(&server.place).await?);
    }
    let watch = real::stopwatch();
    let mut tasks = JoinSet::new();
    for (mut client, calls) in clients.into_iter().zip(shares) {
        tasks.spawn(async move {
            for (method, path, media, body) in calls {
                client.call(method, &path, media, Bytes::from(body)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(watch.elapsed())
}

async fn list_all(server: &Server) -> Result<Duration> {
    let mut client = Client::connect(&server.place).await?;
    let mut times = Vec::new();
    for _ in 0..7 {
        let watch = real::stopwatch();
        let size = client.get("/api/v1/pods").await?;
        times.push(watch.elapsed());
        ensure!(size > PODS * 500, "the list is too short: {size} bytes");
    }
    times.sort();
    Ok(times[times.len() / 2])
}

/// Until all watchers have seen all changes.
async fn fan_out(server: &Server) -> Result<Duration> {
    const NAMESPACE: &str = "/api/v1/namespaces/default";
    let ready = Arc::new(Barrier::new(WATCHERS + 1));
    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        let (place, ready) = (server.place.clone(), ready.clone());
        watchers.spawn(async move {
            let path = format!("{NAMESPACE}/configmaps?watch=true&labelSelector=bench");
            let watcher = Watcher::begin(&place, &path).await;
            ready.wait().await;
            watcher?.events(CHANGES).await
        });
    }
    ready.wait().await;
    let watch = real::stopwatch();
    many(server, 1, CHANGES, |n| {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("change-{n}"), "labels": {"bench": "yes"}}, "data": {"x": "y".repeat(500)}});
        (Method::POST, format!("{NAMESPACE}/configmaps"), JSON, body.to_string())
    })
    .await?;
    while let Some(done) = watchers.join_next().await {
        done??;
    }
    Ok(watch.elapsed())
}

/// A pod as they usually are.
fn pod(n: usize) -> String {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("pod-{n}"), "labels": {"app": "bench", "tier": format!("t-{}", n % 7)},
            "annotations": {"bench/what": "one of many pods"}},
        "spec": {"containers": [{"name": "main", "image": format!("registry.bench.example/team/app:v{}", n % 5),
            "args": ["--serve", "--port=8080"],
            "ports": [{"containerPort": 8080, "name": "http"}],
            "env": [{"name": "MODE", "value": "bench"}, {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}}}],
            "terminationGracePeriodSeconds": 5}})
    .to_string()
}
