//! Telling clients what is served: the older documents, one per group and version, and the aggregated ones.

mod documents;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use documents::{
    Aggregated, AggregatedGroup, AggregatedResource, AggregatedSubresource, AggregatedVersion, Group,
    GroupList, Kind, Meta, ResourceList, ServerAddress, Versions,
};
use http::{HeaderValue, header};
use sha2::{Digest, Sha256, Sha512};

use super::{Reply, Server, dispatch::Asked, negotiate, others, reply};
use crate::{
    api::Status,
    release::{Release, Span},
    resources::Resource,
};

/// The groups whose lists say nothing of their own version, as lists did before there was one.
const UNVERSIONED: [&str; 2] = ["", "extensions"];

/// Since this minor version the older documents tell the names of one thing.
const SINGULAR: u32 = 27;

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
                let mut groups: Vec<Group> =
                    group_names(&rows).iter().map(|g| group(&rows, g, asked)).collect();
                let others = others::groups(server);
                groups.extend(others.iter().map(|(name, versions)| of_others(name, versions)));
                reply::json(200, &GroupList { kind: "APIGroupList", api_version: "v1", groups })
            }
        }),
        ["apis", name] => {
            let group = if group_names(&rows).contains(name) {
                group(&rows, name, asked)
            } else {
                let (_, versions) = others::groups(server).into_iter().find(|(group, _)| group == name)?;
                of_others(name, &versions)
            };
            Some(reply::json(200, &group.alone()))
        }
        ["api", version] => resource_list(&rows, "", version, server.release()),
        ["apis", group, version] => resource_list(&rows, group, version, server.release()),
        _ => None,
    }
}

fn core_versions(server: &Server) -> Versions<'_> {
    let server_addresses = [ServerAddress { client_cidr: "0.0.0.0/0", server_address: &server.address }];
    Versions { kind: "APIVersions", versions: vec!["v1"], server_addresses }
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

fn of_others(name: &str, versions: &[String]) -> Group {
    Group::new(name, versions.iter().map(String::as_str))
}

fn group(rows: &[Arc<Resource>], name: &str, asked: &Asked) -> Group {
    let mut versions = versions(rows, name);
    // Old clients make Jobs from CronJobs only of the version that they know themselves.
    let several = || rows.iter().any(|row| row.group == name && row.versions.len() > 1);
    if name == "batch" && several() && is_old_kubectl(asked) {
        versions.reverse();
    }
    Group::new(name, versions)
}

fn is_old_kubectl(asked: &Asked) -> bool {
    let agent = asked.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    // The first part is the program's own name, whatever it was renamed to.
    let version = agent.strip_prefix("kubectl").and_then(|rest| rest.split_once("/v1."));
    let minor = version.and_then(|(_, rest)| rest.split('.').next());
    minor.and_then(|m| m.parse::<u32>().ok()).is_some_and(|minor| minor <= 20)
}

fn resource_list(rows: &[Arc<Resource>], group: &str, version: &str, release: Release) -> Option<Reply> {
    let served = |r: &&Arc<Resource>| r.group == group && r.versions.iter().any(|v| v == version);
    let mut resources = Vec::new();
    for row in rows.iter().filter(served) {
        resources.push(documents::Resource {
            name: row.plural.clone(),
            singular_name: if release.since(SINGULAR) { &row.singular } else { "" },
            namespaced: row.namespaced,
            group: "",
            version: "",
            kind: &row.kind,
            verbs: &row.verbs,
            short_names: &row.short_names,
            categories: &row.categories,
            storage_version_hash: row.allows("delete").then(|| storage_version_hash(row)),
        });
        resources.extend(row.subresources.iter().map(|sub| documents::Resource {
            name: format!("{}/{}", row.plural, sub.name),
            singular_name: "",
            namespaced: row.namespaced,
            group: if sub.version.is_empty() { "" } else { &sub.group },
            version: &sub.version,
            kind: &sub.kind,
            verbs: &sub.verbs,
            short_names: &[],
            categories: &[],
            storage_version_hash: None,
        }));
    }
    if resources.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let api_version = (!UNVERSIONED.contains(&group)).then_some("v1");
    let list = ResourceList { kind: "APIResourceList", api_version, group_version, resources };
    Some(reply::json(200, &list))
}

/// What tells apart in which version a resource is stored (`StorageVersionHash` of `k8s.io/apiserver`).
fn storage_version_hash(row: &Resource) -> String {
    let (group, version) = row.stored_in.split_once('/').unwrap_or(("", &row.stored_in));
    let digest = Sha256::digest(format!("{group}/{version}/{}", row.kind));
    STANDARD.encode(&digest[..8])
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
    let mut items: Vec<AggregatedGroup<'_>> = names.iter().map(|name| aggregated_group(rows, name)).collect();
    items.extend(others.into_iter().flatten().map(aggregated_others));
    let list = Aggregated {
        kind: "APIGroupDiscoveryList",
        api_version: format!("apidiscovery.k8s.io/{version}"),
        metadata: Meta::default(),
        items,
    };
    let content_type = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    match serde_json::to_vec(&list) {
        Ok(list) => cached(asked, &content_type, list.into()),
        Err(error) => reply::refuse(&Status::internal(error.to_string())),
    }
}

/// A group that others serve: nobody has asked them what is in it.
fn aggregated_others<'a>((name, versions): (String, Vec<String>)) -> AggregatedGroup<'a> {
    let stale = |version| AggregatedVersion { version, resources: Vec::new(), freshness: "Stale" };
    AggregatedGroup { metadata: Meta { name }, versions: versions.into_iter().map(stale).collect() }
}

/// An answer that a client may keep and ask about again.
pub(super) fn cached(asked: &Asked, content_type: &str, content: bytes::Bytes) -> Reply {
    let tag = Sha512::digest(&content).iter().map(|b| format!("{b:02X}")).collect::<String>();
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

fn aggregated_group<'a>(rows: &'a [Arc<Resource>], name: &str) -> AggregatedGroup<'a> {
    let served = |version: &str| {
        let served = rows.iter().filter(|r| r.group == name && r.versions.iter().any(|v| v == version));
        served.map(|row| aggregated_resource(row)).collect()
    };
    let versions = versions(rows, name).into_iter().map(|version| AggregatedVersion {
        version: version.to_owned(),
        resources: served(version),
        freshness: "Current",
    });
    AggregatedGroup { metadata: Meta { name: name.to_owned() }, versions: versions.collect() }
}

fn aggregated_resource(row: &Resource) -> AggregatedResource<'_> {
    let subresources = row.subresources.iter().map(|sub| AggregatedSubresource {
        subresource: &sub.name,
        response_kind: Kind { group: &sub.group, version: &sub.version, kind: &sub.kind },
        verbs: &sub.verbs,
    });
    AggregatedResource {
        resource: &row.plural,
        response_kind: Kind { group: "", version: "", kind: &row.kind },
        scope: if row.namespaced { "Namespaced" } else { "Cluster" },
        singular_resource: &row.singular,
        verbs: &row.verbs,
        short_names: &row.short_names,
        categories: &row.categories,
        subresources: subresources.collect(),
    }
}
