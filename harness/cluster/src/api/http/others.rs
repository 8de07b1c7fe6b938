//! Groups that others are said to serve (APIServices with a Service): they are told of, and can't be reached.

use serde_json::Value;

use super::{Reply, Server, reply};
use crate::{api::json::text, store::Key};

const RESOURCE: &str = "apiservices.apiregistration.k8s.io";

/// The groups of others and their versions, in order of their importance.
pub(super) fn groups(server: &Server) -> Vec<(String, Vec<String>)> {
    let mut services: Vec<Value> = server
        .api
        .list(RESOURCE, None)
        .iter()
        .filter(|service| service.value()["spec"]["service"].is_object())
        .map(|service| service.value()["spec"].clone())
        .filter(|spec| server.api.resources().all().iter().all(|own| own.group != text(&spec["group"])))
        .collect();
    let rank = |spec: &Value, field: &str| -spec[field].as_i64().unwrap_or(0);
    services.sort_by_key(|spec| {
        (rank(spec, "groupPriorityMinimum"), text(&spec["group"]).to_owned(), rank(spec, "versionPriority"))
    });
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for spec in &services {
        let (group, version) = (text(&spec["group"]), text(&spec["version"]).to_owned());
        match groups.iter_mut().find(|(known, _)| known == group) {
            Some((_, versions)) => versions.push(version),
            None => groups.push((group.to_owned(), vec![version])),
        }
    }
    groups
}

/// The answer for a path that others are said to serve.
pub(super) fn answer(server: &Server, path: &str) -> Option<Reply> {
    let mut segments = path.strip_prefix("/apis/")?.split('/');
    let (group, version) = (segments.next()?, segments.next()?);
    let service = server.api.store().get(RESOURCE, &Key::new("", format!("{version}.{group}")))?;
    let others = service.value()["spec"]["service"].is_object();
    others.then(|| reply::text(503, "service unavailable\n"))
}
