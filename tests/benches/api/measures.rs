//! What is measured of one server.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use pulldrill_clock::real;
use serde_json::json;
use tokio::{sync::Barrier, task::JoinSet};

use crate::{client::Client, server::Server};

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

#[derive(Clone, Copy)]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    Mebibytes,
}

pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
}

impl Figure {
    pub(crate) fn shown(&self) -> String {
        match self.unit {
            Unit::PerSecond => format!("{:.0}/s", self.value),
            Unit::Milliseconds => format!("{:.1} ms", self.value),
            Unit::Mebibytes => format!("{:.0} MiB", self.value),
        }
    }
}

fn per_second(what: impl Into<String>, count: usize, time: Duration) -> Figure {
    Figure { what: what.into(), value: count as f64 / time.as_secs_f64(), unit: Unit::PerSecond }
}

fn milliseconds(what: impl Into<String>, time: Duration) -> Figure {
    Figure { what: what.into(), value: time.as_secs_f64() * 1e3, unit: Unit::Milliseconds }
}

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
    let time = many(server, 1, alone, create).await?;
    figures.push(per_second("create a pod, 1 connection", alone, time));
    let time = many(server, CONNECTIONS, PODS - alone, |n| create(n + alone)).await?;
    figures.push(per_second(format!("create a pod, {CONNECTIONS} connections"), PODS - alone, time));

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
        let time = many(server, connections, REQUESTS, get).await?;
        figures.push(per_second(format!("get a pod, {connections} connection(s)"), REQUESTS, time));
    }

    let list = |n: usize| {
        let path = format!("/api/v1/namespaces/n-{}/pods", n * 31 % namespaces);
        (Method::GET, path, JSON, String::new())
    };
    let lists = REQUESTS / 10;
    let time = many(server, CONNECTIONS, lists, list).await?;
    figures.push(per_second(
        format!("list {PODS_OF_NAMESPACE} pods, {CONNECTIONS} connections"),
        lists,
        time,
    ));
    figures.push(list_all(server).await?);

    let patch = |n: usize| {
        let n = n * 7919 % PODS;
        let path = format!("/api/v1/namespaces/n-{}/pods/pod-{n}", n / PODS_OF_NAMESPACE);
        let body = json!({"metadata": {"labels": {"round": format!("r-{n}")}}});
        (Method::PATCH, path, STRATEGIC, body.to_string())
    };
    let time = many(server, CONNECTIONS, REQUESTS, patch).await?;
    figures.push(per_second(format!("patch a pod, {CONNECTIONS} connections"), REQUESTS, time));
    figures.push(fan_out(server).await?);
    let memory = server.memory()? as f64 / f64::from(1 << 20);
    figures.push(Figure { what: format!("memory with {PODS} pods"), value: memory, unit: Unit::Mebibytes });
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

async fn list_all(server: &Server) -> Result<Figure> {
    let mut client = Client::connect(&server.place).await?;
    let mut times = Vec::new();
    for _ in 0..7 {
        let watch = real::stopwatch();
        let size = client.get("/api/v1/pods").await?;
        times.push(watch.elapsed());
        ensure!(size > PODS * 500, "the list is too short: {size} bytes");
    }
    times.sort();
    Ok(milliseconds(format!("list {PODS} pods"), times[times.len() / 2]))
}

/// Until all watchers have seen all changes.
async fn fan_out(server: &Server) -> Result<Figure> {
    const NAMESPACE: &str = "/api/v1/namespaces/default";
    let ready = Arc::new(Barrier::new(WATCHERS + 1));
    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        let (place, ready) = (server.place.clone(), ready.clone());
        let mut client = Client::connect(&place).await?;
        watchers.spawn(async move {
            let path = format!("{NAMESPACE}/configmaps?watch=true&labelSelector=bench");
            let answer = client.send(Method::GET, &path, JSON, Bytes::new()).await;
            ready.wait().await;
            let mut body = answer?.into_body();
            let mut seen = 0;
            while seen < CHANGES {
                let frame = body.frame().await.context("the watch ended early")??;
                seen += frame.data_ref().map_or(0, |data| data.iter().filter(|byte| **byte == b'\n').count());
            }
            anyhow::Ok(())
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
    Ok(per_second(format!("watch events to {WATCHERS} watchers"), WATCHERS * CHANGES, watch.elapsed()))
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
