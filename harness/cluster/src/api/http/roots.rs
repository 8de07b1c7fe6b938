//! The paths that are not about objects: version, OpenAPI, and those of others.

use http::{HeaderValue, header};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{Reply, Server, discovery::cached, dispatch::Asked, health, metrics, negotiate, oidc, reply};
use crate::{api::Status, schema::Schema};

/// The media types of the OpenAPI v2 document in protobuf, as new and old clients spell them.
const OPENAPI_V2: [&str; 2] = [
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
];

/// Since this minor version there is OpenAPI v3.
const OPENAPI_V3: u32 = 24;

/// Answers for a path outside the groups.
pub(super) fn answer(server: &Server, asked: &Asked) -> Result<Reply, Status> {
    let path = asked.path.trim_end_matches('/');
    match path {
        "" => Ok(reply::raw_json(&json!({"paths": paths(server)}))),
        "/version" => Ok(reply::raw_json(&Version(&server.version))),
        metrics::PATH => Ok(metrics::answer(server)),
        oidc::CONFIGURATION => Ok(oidc::configuration(server)),
        oidc::KEYS => oidc::keys(server),
        "/openapi/v2" => openapi_v2(server, asked),
        _ if path.starts_with("/openapi/v3") && !server.release().since(OPENAPI_V3) => Ok(no_such_page()),
        "/openapi/v3" => {
            let index =
                Schema::embedded().openapi_v3_index(&server.api.resources().infos(), server.release());
            Ok(cached(asked, "application/json", index))
        }
        _ if path.starts_with("/openapi/v3/") => openapi_v3(server, asked, &path["/openapi/v3/".len()..]),
        _ if path.starts_with("/api/") || path.starts_with("/apis/") => {
            if of_no_group(server, path) {
                Ok(no_such_page())
            } else {
                Err(Status::no_such_path())
            }
        }
        _ => Ok(health::answer(asked, path).unwrap_or_else(no_such_page)),
    }
}

/// What the server is, in the order of `k8s.io/apimachinery/pkg/version.Info`.
struct Version<'a>(&'a Value);

impl Version<'_> {
    const FIELDS: [&'static str; 13] = [
        "major",
        "minor",
        "emulationMajor",
        "emulationMinor",
        "minCompatibilityMajor",
        "minCompatibilityMinor",
        "gitVersion",
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    ];
}

impl Serialize for Version<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Self::FIELDS.iter().filter_map(|name| Some((name, self.0.get(name)?))))
    }
}

/// Whether a path is below a group that is not served: such a group is no path at all, while an unknown version of a
/// group is a missing resource.
pub(super) fn of_no_group(server: &Server, path: &str) -> bool {
    let group = path.strip_prefix("/apis/").map(|rest| rest.split('/').next().unwrap_or_default());
    group.is_some_and(|name| server.api.resources().all().iter().all(|row| row.group != name))
}

pub(super) fn no_such_page() -> Reply {
    reply::text(404, "404 page not found\n")
}

fn paths(server: &Server) -> Vec<String> {
    let mut paths: Vec<String> = [
        oidc::CONFIGURATION,
        oidc::KEYS,
        "/api",
        "/api/v1",
        "/apis",
        metrics::PATH,
        "/openapi/v2",
        "/version",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend(health::paths());
    if server.release().since(OPENAPI_V3) {
        paths.push("/openapi/v3".into());
    }
    for resource in server.api.resources().all().iter().filter(|r| !r.group.is_empty()) {
        paths.push(format!("/apis/{}", resource.group));
        paths.extend(resource.versions.iter().map(|v| format!("/apis/{}/{v}", resource.group)));
    }
    paths.sort();
    paths.dedup();
    paths
}

fn openapi_v2(server: &Server, asked: &Asked) -> Result<Reply, Status> {
    let (infos, release) = (server.api.resources().infos(), server.release());
    let alternatives = negotiate::alternatives(&asked.headers);
    for alternative in &alternatives {
        if OPENAPI_V2.iter().any(|media| alternative.is(media)) {
            // Old servers name no type at all, and old clients want none.
            let media = if server.legacy() { "application/octet-stream" } else { OPENAPI_V2[1] };
            return Ok(cached(asked, media, Schema::embedded().openapi_v2_protobuf(&infos, release)));
        }
        if alternative.is_json() {
            return Ok(cached(
                asked,
                "application/json",
                Schema::embedded().openapi_v2_json(&infos, release),
            ));
        }
    }
    if alternatives.is_empty() {
        return Ok(cached(asked, "application/json", Schema::embedded().openapi_v2_json(&infos, release)));
    }
    Err(Status::not_acceptable())
}

fn openapi_v3(server: &Server, asked: &Asked, group_version: &str) -> Result<Reply, Status> {
    let (infos, release) = (server.api.resources().infos(), server.release());
    let schema = Schema::embedded();
    let index: Value = serde_json::from_slice(&schema.openapi_v3_index(&infos, release)).unwrap_or_default();
    let Some(right) = index["paths"][group_version]["serverRelativeURL"].as_str() else {
        return Ok(no_such_page());
    };
    let hash = asked.query.text("hash");
    if !hash.is_empty() && !right.ends_with(&format!("hash={hash}")) {
        let mut moved = reply::text(301, "");
        if let Ok(location) = HeaderValue::from_str(right) {
            moved.headers_mut().insert(header::LOCATION, location);
        }
        return Ok(moved);
    }
    match schema.openapi_v3(group_version, &infos, release) {
        Some(document) => Ok(cached(asked, "application/json", document)),
        None => Ok(no_such_page()),
    }
}
