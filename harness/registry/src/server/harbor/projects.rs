//! Projects: made, listed, opened or closed to everybody, deleted when nothing is in them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    call::{Answered, Call, Reply, lean},
    listing::{self, Wanted},
    path::Parts,
    refusal::Refusal,
};
use crate::harbor::{
    data::{Data, MOST},
    project::{LONGEST, Project, is_name},
    rights::Actor,
    robot::{EVERY, PROJECT},
};

const READ: (&str, &str) = ("project", "read");

/// What is sent of a project. What else can be said of one is about what is not here, and is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    project_name: String,
    public: Option<bool>,
    metadata: Metadata,
    registry_id: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    public: Option<String>,
    retention_id: Option<String>,
}

impl Wish {
    /// Whether everybody may pull, if that is said.
    fn public(&self) -> Result<Option<bool>, Refusal> {
        match self.metadata.public.as_deref() {
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            None | Some("") => Ok(self.public),
            Some(other) => Err(Refusal::bad_request(format!(
                "metadata.public should only be 'true' or 'false', but got: '{other}'"
            ))),
        }
    }
}

/// How many repositories there are in a project.
fn count(data: &Data, project: &Project) -> usize {
    let prefix = format!("{}/", project.name);
    data.repositories.iter().filter(|name| name.starts_with(&prefix)).count()
}

fn shown(call: &Call, data: &Data, project: &Project) -> Result<Value, Refusal> {
    let public = call.harbor()?.is_public(&call.host, project);
    let mut metadata = json!({ "public": public.to_string() });
    if let Some(retention) = project.retention {
        metadata["retention_id"] = retention.to_string().into();
    }
    let (made, changed) = (call.time(project.created_at), call.time(project.updated_at));
    let role = call.role(project);
    let never = call.time_or_never(None);
    let shown = json!({
        "project_id": project.id, "name": project.name, "owner_id": call.user_id(&project.owner),
        "owner_name": project.owner, "creation_time": made, "update_time": changed,
        "repo_count": count(data, project), "metadata": metadata, "current_user_role_id": role,
        "current_user_role_ids": role.into_iter().collect::<Vec<_>>(),
        "cve_allowlist": {
            "id": project.id, "project_id": project.id, "items": [], "creation_time": never,
            "update_time": never,
        },
    });
    Ok(lean(shown, &["repo_count"]))
}

pub(super) fn list(call: &Call, _: &Parts) -> Answered {
    let mut query = listing::query(call)?;
    let named = call.parameter("name").filter(|name| !name.is_empty());
    let named = named.map(|name| Wanted::Like(name.to_owned()));
    let only = match query.take_exactly(&["public", "Public"]) {
        Some(public) => Some(public == "true"),
        None => call.parameter("public").map(|_| call.flag("public", false)).transpose()?,
    };
    let owner = call.parameter("owner").filter(|owner| !owner.is_empty()).map(str::to_owned);
    let owner = owner.or_else(|| query.take_exactly(&["owner"]));
    let harbor = call.harbor()?;
    let data = harbor.data.read();
    let mut items = Vec::new();
    for project in data.projects.values() {
        let public = harbor.is_public(&call.host, project);
        let fits = only.is_none_or(|only| only == public)
            && owner.as_ref().is_none_or(|owner| *owner == project.owner)
            && named.as_ref().is_none_or(|named| named.fits(&project.name.as_str().into()));
        if fits && (public || sees(call, project)) {
            items.push(shown(call, &data, project)?);
        }
    }
    listing::told(call, &query, items, "name")
}

/// Whether somebody sees a project that is not open to everybody.
fn sees(call: &Call, project: &Project) -> bool {
    if let Actor::Robot(robot) = &call.actor
        && let Some(permissions) = &robot.permissions
    {
        let there = |namespace: &str| namespace == EVERY || namespace == project.name;
        return permissions.iter().any(|one| one.kind == PROJECT && there(&one.namespace));
    }
    call.role(project).is_some()
}

/// Whether there is a project of that name.
pub(super) fn head(call: &Call, _: &Parts) -> Answered {
    let name = call.parameter("project_name");
    let name = name.ok_or_else(|| Refusal::unprocessable("project_name in query is required"))?;
    let data = call.harbor()?.data.read();
    call.permitted(data.find_project(name), name, READ).map(|_| Reply::done())
}

pub(super) fn create(call: &Call, _: &Parts) -> Answered {
    let user = call.authenticated()?;
    if matches!(&call.actor, Actor::Robot(robot) if robot.level() == PROJECT) {
        return Err(Refusal::forbidden_because("Only system level robot can create project"));
    }
    let wish: Wish = call.sent("project")?;
    let public = wish.public()?.unwrap_or(false);
    let name = wish.project_name;
    if name.is_empty() || name.len() > LONGEST {
        let message =
            format!("project name {name} is illegal in length. (greater than {LONGEST} or less than 1)");
        return Err(Refusal::bad_request(message));
    }
    if !is_name(&name) {
        return Err(Refusal::bad_request("project name is not in lower case or contains illegal characters"));
    }
    if let Some(registry) = wish.registry_id {
        return Err(Refusal::not_found(format!("registry {registry} not found")));
    }
    let mut data = call.harbor()?.data.write();
    if data.find_project(&name).is_some() {
        return Err(Refusal::conflict(format!("The project named {name} already exists")));
    }
    if data.projects.len() >= MOST {
        return Err(Refusal::precondition(format!("there are {MOST} projects already")));
    }
    let id = data.add_project(&name, user, Some(public), call.now);
    data.audit.note(call.now, user, "create", "project", name.clone());
    let by_name = call.says("x-resource-name-in-location");
    let location = if by_name { call.location(&name) } else { call.location(id) };
    Ok(Reply::created(location))
}

pub(super) fn get(call: &Call, parts: &Parts) -> Answered {
    let data = call.harbor()?.data.read();
    let project = call.project(&data, parts.get("project"), READ)?;
    Ok(Reply::json(&shown(call, &data, &project)?))
}

pub(super) fn update(call: &Call, parts: &Parts) -> Answered {
    let wish: Wish = call.sent("project")?;
    let public = wish.public()?;
    let mut data = call.harbor()?.data.write();
    let project = call.project(&data, parts.get("project"), ("project", "update"))?;
    if let Some(retention) = wish.metadata.retention_id
        && Some(retention) != project.retention.map(|id| id.to_string())
    {
        return Err(Refusal::bad_request(
            "the retention_id in the request's payload when updating a project should be omitted, alternatively \
             passing the one that has already been associated to this project",
        ));
    }
    if let Some(kept) = data.projects.get_mut(&project.id) {
        kept.public = public.or(kept.public);
        kept.updated_at = call.now;
    }
    let user = call.authenticated()?;
    data.audit.note(call.now, user, "update", "project", project.name);
    Ok(Reply::done())
}

pub(super) fn deletable(call: &Call, parts: &Parts) -> Answered {
    let data = call.harbor()?.data.read();
    let project = call.project(&data, parts.get("project"), ("project", "delete"))?;
    let answer = match in_the_way(&data, &project) {
        None => json!({ "deletable": true }),
        Some(why) => json!({ "message": why }),
    };
    Ok(Reply::json(&answer))
}

fn in_the_way(data: &Data, project: &Project) -> Option<&'static str> {
    (count(data, project) > 0).then_some("the project contains repositories, can not be deleted")
}

pub(super) fn delete(call: &Call, parts: &Parts) -> Answered {
    let mut data = call.harbor()?.data.write();
    let project = call.project(&data, parts.get("project"), ("project", "delete"))?;
    if let Some(why) = in_the_way(&data, &project) {
        return Err(Refusal::precondition(format!("precondition failed: {why}")));
    }
    data.remove_project(project.id);
    let user = call.authenticated()?;
    data.audit.note(call.now, user, "delete", "project", project.name);
    Ok(Reply::done())
}

pub(super) fn summary(call: &Call, parts: &Parts) -> Answered {
    let data = call.harbor()?.data.read();
    let project = call.project(&data, parts.get("project"), READ)?;
    let administrators = i64::from(call.role(&project).is_some());
    let quota = json!({ "hard": { "storage": -1 }, "used": { "storage": 0 } });
    let summary = json!({
        "repo_count": count(&data, &project), "project_admin_count": administrators, "quota": quota,
    });
    Ok(Reply::json(&lean(summary, &["repo_count"])))
}
