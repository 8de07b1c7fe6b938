//! What is counted, for who scrapes `/metrics`: the requests, the objects, and what the server is. Names and labels are those
//! of kube-apiserver; of its many others there are none, since nothing here corresponds to them.

use std::{
    collections::HashMap,
    fmt::Write as _,
    hash::{BuildHasher, RandomState},
};

use http::Method;
use parking_lot::Mutex;
use serde_json::Value;

use super::{Reply, Server, reply};
use crate::api::{Attributes, json::text};

/// The path.
pub(super) const PATH: &str = "/metrics";

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Since this minor version objects are counted under a name that is not etcd's.
const STORAGE_OBJECTS: u32 = 21;

/// How many kinds of requests are told apart; names of resources are the clients' to invent.
const MOST: usize = 10_000;

/// How many requests there were of each kind.
#[derive(Debug, Default)]
pub struct Requests {
    hasher: RandomState,
    counted: Mutex<HashMap<u64, Count>>,
}

#[derive(Debug)]
struct Count {
    labels: String,
    requests: u64,
}

impl Requests {
    /// Counts an answered request.
    pub(super) fn count(&self, method: &Method, about: &Attributes<'_>, code: u16) {
        let hash = self.hasher.hash_one((
            (about.verb, about.group, about.resource, about.subresource),
            (about.namespace.is_empty(), about.name.is_empty(), code),
        ));
        let mut counted = self.counted.lock();
        if let Some(count) = counted.get_mut(&hash) {
            count.requests += 1;
        } else if counted.len() < MOST {
            counted.insert(hash, Count { labels: labels(method, about, code), requests: 1 });
        }
    }

    fn write(&self, page: &mut String) {
        let counted = self.counted.lock();
        let mut counts: Vec<&Count> = counted.values().collect();
        counts.sort_by(|a, b| a.labels.cmp(&b.labels));
        for Count { labels, requests } in counts {
            let _ = writeln!(page, "apiserver_request_total{{{labels}}} {requests}");
        }
    }
}

/// The labels of a kind of requests.
fn labels(method: &Method, about: &Attributes<'_>, code: u16) -> String {
    let verb = match (about.verb, about.resource.is_empty()) {
        ("update", _) => "PUT".to_owned(),
        ("create", _) => "POST".to_owned(),
        (verb, false) => verb.to_ascii_uppercase(),
        (_, true) => method.as_str().to_owned(),
    };
    let scope = match (about.resource, about.namespace, about.name) {
        ("", ..) => "",
        (_, _, name) if !name.is_empty() => "resource",
        (_, "", _) => "cluster",
        _ => "namespace",
    };
    let (group, resource, subresource) = (about.group, about.resource, about.subresource);
    format!(
        "code=\"{code}\",component=\"apiserver\",dry_run=\"\",group={group:?},resource={resource:?},scope=\"{scope}\",\
         subresource={subresource:?},verb=\"{verb}\""
    )
}

/// The page.
pub(super) fn answer(server: &Server) -> Reply {
    let mut page = String::new();
    let family = |page: &mut String, name: &str, kind: &str, help: &str| {
        let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    };
    family(&mut page, "apiserver_request_total", "counter", "Answered requests.");
    server.requests.write(&mut page);
    let objects = if server.release().since(STORAGE_OBJECTS) {
        "apiserver_storage_objects"
    } else {
        "etcd_object_counts"
    };
    family(&mut page, objects, "gauge", "Objects that are stored, by kind.");
    let store = server.api.store();
    for resource in store.resources() {
        let _ = writeln!(page, "{objects}{{resource=\"{resource}\"}} {}", store.count(&resource));
    }
    family(&mut page, "kubernetes_build_info", "gauge", "What the server is.");
    let info = build_info(&server.version);
    let _ = writeln!(page, "kubernetes_build_info{{{info}}} 1");
    reply::bytes(200, CONTENT_TYPE, page)
}

/// What `/version` says, as labels.
fn build_info(version: &Value) -> String {
    let fields = [
        ("build_date", "buildDate"),
        ("compiler", "compiler"),
        ("git_commit", "gitCommit"),
        ("git_tree_state", "gitTreeState"),
        ("git_version", "gitVersion"),
        ("go_version", "goVersion"),
        ("major", "major"),
        ("minor", "minor"),
        ("platform", "platform"),
    ];
    fields.map(|(label, field)| format!("{label}={:?}", text(&version[field]))).join(",")
}
