//! Telling clients what is served: the older documents, one per group and version, and the aggregated ones.

use std::sync::Arc;

use http::{HeaderValue, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Reply, Server, dispatch::Asked, negotiate, others, reply};
use crate::{release::Span, resources::Resource};

/// The versions of the aggregated form, the preferred first, and which releases have them.
const AGGREGATED: [(&str, Span); 2] = [("v2", Span::since(30)), ("v2beta1", Span::since(27))];

/// Answers a request for a discovery document. `None` when the path is not one.
pub(super) fn answer(server: &Server, asked: &Asked) -> Option<Reply> {
    let rows = server.api.resources().all();
    let segments: Vec<&str> = asked.path.split('/').filter(|s| !s.is_empty()).collect();
    match segments.as_slice() {
        ["api"] => Some(match aggregated_version(server, asked) {
            Some(version) => aggregated(asked, version, &rows, None),
            None => reply::json(200, &core_versions(server)),
        }),
        ["apis"] => Some(match aggregated_version(server, asked) {
            Some(version) => aggregated(asked, version, &rows, Some(others::groups(server))),
            None => {
                let mut groups: Vec<Value> =
                    group_names(&rows).iter().map(|g| group(&rows, g, asked)).collect();
                groups.extend(
                    others::groups(server).iter().map(|(name, versions)| others::group(name, versions)),
                );
                reply::json(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
            }
        }),
        ["apis", name] => {
            let mut group = if group_names(&rows).contains(name) {
                group(&rows, name, asked)
            } else {
                let (_, versions) = others::groups(server).into_iter().find(|(group, _)| group == name)?;
                others::group(name, &versions)
            };
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            Some(reply::json(200, &group))
        }
        ["api", version] => resource_list(&rows, "", version),
        ["apis", group, version] => resource_list(&rows, group, version),
        _ => None,
    }
}

fn core_versions(server: &Server) -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs":
        [{"clientCIDR": "0.0.0.0/0", "serverAddress": &*server.address}]})
}

/// The names of all groups but the core, in order.
fn group_names(rows: &[Arc<Resource>]) -> Vec<&str> {
    let mut names = Vec::new();
    for row in rows.iter().filter(|r| !r.group.is_empty()) {
        if !names.contains(&row.group.as_str()) {
            names.push(row.group.as_str());
        }
    }
    names
}

/// The versions of a group, the preferred first: those that are still being tried come after the others.
fn versions<'a>(rows: &'a [Arc<Resource>], group: &str) -> Vec<&'a str> {
    let mut versions = Vec::new();
    for version in rows.iter().filter(|r| r.group == group).flat_map(|r| &r.versions) {
        if !versions.contains(&version.as_str()) {
            versions.push(version.as_str());
        }
    }
    versions.sort_by_key(|version| version.contains("beta"));
    versions
}

fn group(rows: &[Arc<Resource>], name: &str, asked: &Asked) -> Value {
    let mut versions = versions(rows, name);
    // Old clients make Jobs from CronJobs only of the version that they know themselves.
    let several = || rows.iter().any(|row| row.group == name && row.versions.len() > 1);
    if name == "batch" && several() && is_old_kubectl(asked) {
        versions.reverse();
    }
    let entry = |version: &&str| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let all: Vec<Value> = versions.iter().map(entry).collect();
    json!({"name": name, "versions": all, "preferredVersion": versions.first().map(entry)})
}

fn is_old_kubectl(asked: &Asked) -> bool {
    let agent = asked.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    // The first part is the program's own name, whatever it was renamed to.
    let version = agent.strip_prefix("kubectl").and_then(|rest| rest.split_once("/v1."));
    let minor = version.and_then(|(_, rest)| rest.split('.').next());
    minor.and_then(|m| m.parse::<u32>().ok()).is_some_and(|minor| minor <= 20)
}

fn resource_list(rows: &[Arc<Resource>], group: &str, version: &str) -> Option<Reply> {
    let served = |r: &&Arc<Resource>| r.group == group && r.versions.iter().any(|v| v == version);
    let mut resources = Vec::new();
    for row in rows.iter().filter(served) {
        let mut entry = json!({"name": row.plural, "singularName": row.singular, "namespaced": row.namespaced,
            "kind": row.kind, "verbs": row.verbs});
        if !row.short_names.is_empty() {
            entry["shortNames"] = json!(row.short_names);
        }
        if !row.categories.is_empty() {
            entry["categories"] = json!(row.categories);
        }
        resources.push(entry);
        for sub in &row.subresources {
            let mut entry = json!({"name": format!("{}/{}", row.plural, sub.name), "singularName": "",
                "namespaced": row.namespaced, "kind": sub.kind, "verbs": sub.verbs});
            if !sub.version.is_empty() {
                entry["group"] = sub.group.clone().into();
                entry["version"] = sub.version.clone().into();
            }
            resources.push(entry);
        }
    }
    if resources.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut list = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources});
    if !group.is_empty() {
        list["apiVersion"] = "v1".into();
    }
    Some(reply::json(200, &list))
}

/// The version of the aggregated form that a client prefers to the older documents.
fn aggregated_version(server: &Server, asked: &Asked) -> Option<&'static str> {
    let alternatives = negotiate::alternatives(&asked.headers);
    let wanted = alternatives.iter().filter(|a| a.is_json()).find_map(|a| match a.parameter("as") {
        "" => Some(None),
        "APIGroupDiscoveryList" if a.parameter("profile").is_empty() => {
            let known = AGGREGATED.into_iter().filter(|(_, span)| span.has(server.release()));
            known.map(|(version, _)| version).find(|v| *v == a.parameter("v")).map(Some)
        }
        _ => None,
    });
    wanted.flatten()
}

/// The aggregated document: of the core, or of all other groups, those of others last.
fn aggregated(
    asked: &Asked,
    version: &'static str,
    rows: &[Arc<Resource>],
    others: Option<Vec<(String, Vec<String>)>>,
) -> Reply {
    let names = if others.is_none() { vec![""] } else { group_names(rows) };
    let mut items: Vec<Value> = names.iter().map(|name| aggregated_group(rows, name)).collect();
    let others = others.into_iter().flatten();
    items.extend(others.map(|(name, versions)| others::aggregated(&name, &versions)));
    let list = json!({"kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": items});
    let content_type = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    cached(asked, &content_type, list.to_string().into())
}

/// An answer that a client may keep and ask about again.
pub(super) fn cached(asked: &Asked, content_type: &str, content: bytes::Bytes) -> Reply {
    let tag = Sha256::digest(&content).iter().map(|b| format!("{b:02X}")).collect::<String>();
    let tag = format!("\"{tag}\"");
    let known = asked.headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let mut reply = match known {
        Some(known) if known.split(',').any(|k| k.trim() == tag) => reply::bytes(304, content_type, ""),
        _ => reply::bytes(200, content_type, content),
    };
    let headers = reply.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public"));
    reply
}

fn aggregated_group(rows: &[Arc<Resource>], name: &str) -> Value {
    let versions: Vec<Value> = versions(rows, name)
        .iter()
        .map(|version| {
            let served = |r: &&Arc<Resource>| r.group == name && r.versions.iter().any(|v| v == version);
            let resources: Vec<Value> = rows.iter().filter(served).map(|r| aggregated_resource(r)).collect();
            json!({"version": version, "freshness": "Current", "resources": resources})
        })
        .collect();
    let meta = if name.is_empty() { json!({}) } else { json!({"name": name}) };
    json!({"metadata": meta, "versions": versions})
}

fn aggregated_resource(row: &Resource) -> Value {
    let kind =
        |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let mut entry = json!({"resource": row.plural, "responseKind": kind("", "", &row.kind),
        "scope": if row.namespaced { "Namespaced" } else { "Cluster" }, "singularResource": row.singular,
        "verbs": row.verbs});
    if !row.short_names.is_empty() {
        entry["shortNames"] = json!(row.short_names);
    }
    if !row.categories.is_empty() {
        entry["categories"] = json!(row.categories);
    }
    if !row.subresources.is_empty() {
        let subs = row.subresources.iter().map(|s| {
            json!({"subresource": s.name, "responseKind": kind(&s.group, &s.version, &s.kind), "verbs": s.verbs})
        });
        entry["subresources"] = subs.collect();
    }
    entry
}
