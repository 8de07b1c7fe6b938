//! Repositories: listed, and deleted with all that is in them.

use std::collections::HashMap;

use pulldrill_clock::Timestamp;
use serde_json::{Value, json};

use super::{
    artifacts,
    call::{Answered, Call, Reply, lean},
    listing,
    path::Parts,
    refusal::Refusal,
};
use crate::{
    harbor::{data::Data, project::Project},
    repository::Repository,
};

/// How often manifests were got, and when last, by repository and digest.
pub(super) type Pulls = HashMap<(String, String), (u64, Timestamp)>;

/// What is refused of a repository that is not there.
pub(super) fn missing(name: &str) -> Refusal {
    Refusal::not_found(format!("repository {name} not found"))
}

/// A repository that has had content.
pub(super) fn found<T>(
    call: &Call,
    data: &Data,
    name: &str,
    then: impl FnOnce(&Repository) -> T,
) -> Result<T, Refusal> {
    let repositories = call.host.repositories.read();
    let place = repositories.get(name).filter(|_| data.repositories.contains(name));
    place.map(|place| then(place)).ok_or_else(|| missing(name))
}

fn shown(call: &Call, data: &mut Data, project: &Project, name: &str, pulls: &Pulls) -> Option<Value> {
    let id = data.number("repository", name.to_owned());
    let pulled = pulls.iter().filter(|((of, _), _)| of == name).map(|(_, (count, _))| count).sum::<u64>();
    let (count, made, changed) = found(call, data, name, |place| {
        let pushed = place.manifests.values().map(|manifest| manifest.pushed_at);
        (artifacts::top(place).count(), place.created_at, pushed.max().unwrap_or(place.created_at))
    })
    .ok()?;
    let shown = json!({
        "id": id, "project_id": project.id, "name": name, "artifact_count": count, "pull_count": pulled,
        "creation_time": call.time(made), "update_time": call.time(changed),
    });
    Some(lean(shown, &["artifact_count", "pull_count"]))
}

fn of_projects(call: &Call, projects: &[Project]) -> Answered {
    let query = listing::query(call)?;
    let mut data = call.harbor()?.data.write();
    let pulls = call.shared.log.pulls(&call.host.name);
    let mut items = Vec::new();
    for project in projects {
        let prefix = format!("{}/", project.name);
        let names: Vec<String> =
            data.repositories.iter().filter(|name| name.starts_with(&prefix)).cloned().collect();
        items.extend(names.iter().filter_map(|name| shown(call, &mut data, project, name, &pulls)));
    }
    listing::told(call, &query, items, "name")
}

pub(super) fn list(call: &Call, parts: &Parts) -> Answered {
    let project = {
        let data = call.harbor()?.data.read();
        call.project(&data, parts.get("project"), ("repository", "list"))?
    };
    of_projects(call, &[project])
}

/// Those of every project that one may see.
pub(super) fn all(call: &Call, _: &Parts) -> Answered {
    let harbor = call.harbor()?;
    let seen: Vec<Project> = {
        let data = harbor.data.read();
        let may =
            |project: &&Project| harbor.permits(&call.host, &call.actor, project, ("repository", "list"));
        data.projects.values().filter(may).cloned().collect()
    };
    of_projects(call, &seen)
}

pub(super) fn get(call: &Call, parts: &Parts) -> Answered {
    let mut data = call.harbor()?.data.write();
    let project = call.project(&data, parts.get("project"), ("repository", "list"))?;
    let name = parts.repository(&project.name);
    let pulls = call.shared.log.pulls(&call.host.name);
    let shown = shown(call, &mut data, &project, &name, &pulls).ok_or_else(|| missing(&name))?;
    Ok(Reply::json(&shown))
}

pub(super) fn delete(call: &Call, parts: &Parts) -> Answered {
    let name = {
        let data = call.harbor()?.data.read();
        let project = call.project(&data, parts.get("project"), ("repository", "delete"))?;
        let name = parts.repository(&project.name);
        let tags: Vec<String> = found(call, &data, &name, |place| place.tags.keys().cloned().collect())?;
        drop(data);
        if let Some(tag) = tags.iter().find(|tag| call.host.is_immutable(&name, tag)) {
            return Err(artifacts::kept(tag));
        }
        name
    };
    let repositories = || call.host.repositories.read().get(&name).map(|place| place.repository.clone());
    let digests: Vec<String> =
        repositories().map(|place| place.manifests.keys().cloned().collect()).unwrap_or_default();
    for digest in digests {
        call.host.remove_manifest(&name, &digest)?;
    }
    let mut data = call.harbor()?.data.write();
    data.repositories.remove(&name);
    data.audit.note(call.now, call.authenticated()?, "delete", "repository", name.clone());
    Ok(Reply::done().about(&name, None, None))
}
