//! What a Harbor says of itself, and of whoever asks.

use serde_json::json;

use super::{
    call::{Answered, Call, Reply, lean},
    path::Parts,
    refusal::Refusal,
};
use crate::harbor::rights::Actor;

/// The release whose ways these are.
const VERSION: &str = "v2.13.0-4b1e23ab";
/// What a Harbor is made of.
const COMPONENTS: [&str; 7] =
    ["core", "database", "jobservice", "portal", "redis", "registry", "registryctl"];

pub(super) fn version(_: &Call, _: &Parts) -> Answered {
    Ok(Reply::json(&json!({ "version": "v2.0" })))
}

pub(super) fn ping(_: &Call, _: &Parts) -> Answered {
    Ok(Reply::text("Pong"))
}

pub(super) fn health(_: &Call, _: &Parts) -> Answered {
    let components = COMPONENTS.map(|name| json!({ "name": name, "status": "healthy" }));
    Ok(Reply::json(&json!({ "status": "healthy", "components": components })))
}

pub(super) fn information(call: &Call, _: &Parts) -> Answered {
    let mut all = json!({ "auth_mode": "db_auth", "self_registration": false });
    if call.actor.name().is_some() {
        let place = call.own_url.split_once("://").map_or(call.own_url.as_str(), |(_, place)| place);
        all = json!({
            "auth_mode": "db_auth", "current_time": call.time(call.now), "external_url": call.own_url,
            "harbor_version": VERSION, "has_ca_root": false, "notification_enable": true,
            "primary_auth_mode": false, "project_creation_restriction": "everyone", "read_only": false,
            "registry_storage_provider_name": "filesystem", "registry_url": place, "self_registration": false,
        });
    }
    Ok(Reply::json(&all))
}

pub(super) fn current_user(call: &Call, _: &Parts) -> Answered {
    let name = call.authenticated()?;
    if let Actor::Robot(_) = call.actor {
        return Err(Refusal::precondition("get current user not available for security context: robot"));
    }
    let harbor = call.harbor()?;
    let since = harbor.data.read().projects.values().map(|project| project.created_at).min();
    let since = call.time_or_never(since);
    let user = json!({
        "user_id": call.user_id(name), "username": name, "realname": name,
        "email": format!("{name}@{}", call.host.name), "sysadmin_flag": call.is_administrator(),
        "admin_role_in_auth": false, "creation_time": since, "update_time": since,
    });
    Ok(Reply::json(&lean(user, &["sysadmin_flag", "admin_role_in_auth"])))
}

pub(super) fn statistics(call: &Call, _: &Parts) -> Answered {
    call.authenticated()?;
    let harbor = call.harbor()?;
    let data = harbor.data.read();
    let (mut counts, mut repositories) = ([0_usize; 2], [0_usize; 2]);
    for project in data.projects.values() {
        let kind = usize::from(harbor.is_public(&call.host, project));
        let prefix = format!("{}/", project.name);
        let inside = data.repositories.iter().filter(|name| name.starts_with(&prefix)).count();
        let mine = kind == 1 || call.is_administrator() || call.role(project).is_some();
        if mine {
            counts[kind] += 1;
            repositories[kind] += inside;
        }
    }
    Ok(Reply::json(&json!({
        "private_project_count": counts[0], "public_project_count": counts[1],
        "total_project_count": counts[0] + counts[1],
        "private_repo_count": repositories[0], "public_repo_count": repositories[1],
        "total_repo_count": repositories[0] + repositories[1],
    })))
}
