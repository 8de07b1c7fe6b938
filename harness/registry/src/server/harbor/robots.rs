//! Robot accounts: made, listed, changed, given new secrets, deleted.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    call::{Answered, Call, Reply, lean},
    listing,
    path::Parts,
    refusal::Refusal,
};
use crate::{
    harbor::{
        data::{Data, MOST},
        project::{Project, is_name},
        rights::{Actor, PROJECT_RIGHTS, lists},
        robot::{
            Allowed, EVERY, PREFIX, PROJECT, Permission, Robot, SYSTEM, Secret, days, fresh_secret, is_good,
        },
    },
    host::Host,
};

/// The longest life that can be asked for, in days.
const LONGEST: i64 = i32::MAX as i64;
/// How many permissions and how many rights in each are taken.
const MOST_RIGHTS: usize = 1_000;

/// What is sent of a robot.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    name: String,
    description: String,
    level: String,
    duration: i64,
    disable: bool,
    permissions: Vec<Permission>,
}

impl Wish {
    fn check(&self) -> Result<(), Refusal> {
        if !(-1..LONGEST).contains(&self.duration) {
            let message = format!("bad request error duration input: {}", self.duration);
            return Err(Refusal::bad_request(message));
        }
        if ![SYSTEM, PROJECT].contains(&self.level.as_str()) {
            return Err(Refusal::bad_request(format!("bad request error level input: {}", self.level)));
        }
        if self.permissions.is_empty() {
            return Err(Refusal::bad_request("bad request empty permission"));
        }
        if self.permissions.len() > MOST_RIGHTS {
            return Err(Refusal::bad_request("bad request permission"));
        }
        for permission in &self.permissions {
            if permission.access.is_empty() {
                return Err(Refusal::bad_request("bad request empty access"));
            }
            let rights = permission.access.iter().take(MOST_RIGHTS + 1);
            let unknown = |one: &&Allowed| {
                permission.kind == PROJECT && !lists(PROJECT_RIGHTS, &one.resource, &one.action)
            };
            if let Some(one) = rights.clone().find(unknown) {
                let message = format!("bad request permission: {}:{}", one.resource, one.action);
                return Err(Refusal::bad_request(message));
            }
            if rights.count() > MOST_RIGHTS {
                return Err(Refusal::bad_request("bad request permission"));
            }
        }
        if self.level == PROJECT && self.permissions.len() > 1 {
            return Err(Refusal::bad_request("bad request permission"));
        }
        Ok(())
    }

    /// Refuses permissions about what is not there.
    fn check_places(&self, data: &Data) -> Result<(), Refusal> {
        for permission in &self.permissions {
            let namespace = permission.namespace.as_str();
            match permission.kind.as_str() {
                SYSTEM if namespace != "/" => return Err(Refusal::bad_request("unknown namespace")),
                SYSTEM => {}
                PROJECT if namespace == EVERY && self.level == SYSTEM => {}
                PROJECT => named(data, namespace).map(drop)?,
                _ => return Err(Refusal::bad_request("unknown robot kind")),
            }
        }
        Ok(())
    }
}

fn named<'a>(data: &'a Data, name: &str) -> Result<&'a Project, Refusal> {
    data.find_project(name).ok_or_else(|| Refusal::not_found(format!("project {name} not found")))
}

/// Refuses whoever may not do something with the robots of a project, or with those of the system.
fn require(call: &Call, data: &Data, project: i64, action: &str) -> Result<(), Refusal> {
    call.authenticated()?;
    if project == 0 {
        return call.require_system("robot", action);
    }
    call.permitted(data.projects.get(&project), &project.to_string(), ("robot", action)).map(drop)
}

fn found(data: &Data, id: i64) -> Result<&Robot, Refusal> {
    data.robots.get(&id).ok_or_else(|| Refusal::not_found(format!("robot {id} not found")))
}

/// What a robot may do; of one without a word about that, what the repositories let it do.
fn permissions(host: &Host, robot: &Robot) -> Vec<Permission> {
    if let Some(permissions) = &robot.permissions {
        return permissions.clone();
    }
    let mut all: Vec<Permission> = Vec::new();
    for (name, place) in host.repositories.read().iter() {
        let Some((project, _)) = name.split_once('/') else { continue };
        let rights =
            ["pull", "push"].into_iter().filter(|action| place.access(action).allows(Some(&robot.name)));
        let rights: Vec<Allowed> = rights.map(|action| Allowed::new("repository", action)).collect();
        match all.iter_mut().find(|one| one.namespace == project) {
            Some(one) => {
                let new = rights.into_iter().filter(|right| !one.access.contains(right));
                let new: Vec<Allowed> = new.collect();
                one.access.extend(new);
            }
            None if rights.is_empty() => {}
            None => all.push(Permission {
                kind: PROJECT.to_owned(),
                namespace: project.to_owned(),
                access: rights,
            }),
        }
    }
    all
}

fn shown(call: &Call, robot: &Robot) -> Value {
    let ends_at = robot.ends_at().map_or(-1, |end| call.seconds(end));
    let shown = json!({
        "id": robot.id, "name": robot.name, "description": robot.description, "level": robot.level(),
        "duration": robot.days, "expires_at": ends_at, "disable": robot.disabled, "editable": true,
        "creation_time": call.time(robot.created_at), "update_time": call.time(robot.updated_at),
        "permissions": permissions(&call.host, robot),
    });
    lean(shown, &["disable", "editable"])
}

pub(super) fn list(call: &Call, _: &Parts) -> Answered {
    call.authenticated()?;
    let mut query = listing::query(call)?;
    let data = call.harbor()?.data.read();
    let level = query.take_exactly(&["Level", "level"]);
    let project = query.take_exactly(&["ProjectID", "project_id"]);
    let project = match level.as_deref() {
        None | Some(SYSTEM) => 0,
        Some(PROJECT) => {
            let id = project
                .ok_or_else(|| Refusal::bad_request("must with project ID when to query project robots"))?;
            id.parse().map_err(|_| Refusal::bad_request("Project ID must be int type."))?
        }
        Some(_) => return Err(Refusal::bad_request("bad request error level input")),
    };
    require(call, &data, project, "list")?;
    let robots = data.robots.values().filter(|robot| robot.project == project);
    listing::told(call, &query, robots.map(|robot| shown(call, robot)).collect(), "-creation_time")
}

pub(super) fn get(call: &Call, parts: &Parts) -> Answered {
    call.authenticated()?;
    let data = call.harbor()?.data.read();
    let robot = found(&data, parts.number("robot")?)?;
    require(call, &data, robot.project, "read")?;
    Ok(Reply::json(&shown(call, robot)))
}

pub(super) fn create(call: &Call, _: &Parts) -> Answered {
    let wish: Wish = call.sent("robot")?;
    if !is_name(&wish.name) || wish.name.len() > 255 {
        return Err(Refusal::bad_request("robot name is not in lower case or contains illegal characters"));
    }
    wish.check()?;
    let mut data = call.harbor()?.data.write();
    let project = match wish.level.as_str() {
        PROJECT => {
            call.authenticated()?;
            let namespace = wish.permissions.first().map_or("", |one| one.namespace.as_str());
            call.permitted(data.find_project(namespace), namespace, ("robot", "create")).map(Some)?
        }
        _ => call.require_system("robot", "create").map(|()| None)?,
    };
    wish.check_places(&data)?;
    no_more_than_own(call, &wish.permissions)?;
    let own = project.as_ref().map(|project| format!("{}+", project.name)).unwrap_or_default();
    let name = format!("{PREFIX}{own}{}", wish.name);
    let (project, now) = (project.map_or(0, |project| project.id), call.now);
    if data.find_robot(&name).is_some() {
        let message = format!("robot account {project}:{own}{} already exists", wish.name);
        return Err(Refusal::conflict(message));
    }
    if data.robots.len() >= MOST {
        return Err(Refusal::precondition(format!("there are {MOST} robots already")));
    }
    let id = data.next("robot");
    let secret = fresh_secret();
    let robot = Robot {
        id,
        name,
        description: wish.description,
        project,
        disabled: wish.disable,
        days: days(wish.duration),
        created_at: now,
        updated_at: now,
        permissions: Some(wish.permissions),
        secret: Some(Secret::new(&secret)),
    };
    let ends_at = robot.ends_at().map_or(-1, |end| call.seconds(end));
    let made = json!({
        "id": id, "name": robot.name, "secret": secret, "creation_time": call.time(now),
        "expires_at": ends_at,
    });
    data.audit.note(now, call.authenticated()?, "create", "robot", robot.name.clone());
    data.robots.insert(id, robot);
    let headers = vec![("location", call.location(id))];
    Ok(Reply { status: 201, headers, ..Reply::json(&made) })
}

/// A robot that makes robots gives them nothing that it may not do itself.
fn no_more_than_own(call: &Call, permissions: &[Permission]) -> Result<(), Refusal> {
    let Actor::Robot(robot) = &call.actor else { return Ok(()) };
    let own = |permission: &Permission, one: &Allowed| {
        let place = (permission.kind == PROJECT).then_some(permission.namespace.as_str());
        robot.may(place, &one.resource, &one.action).unwrap_or(false)
    };
    let more = permissions.iter().any(|permission| permission.access.iter().any(|one| !own(permission, one)));
    if more { Err(Refusal::forbidden()) } else { Ok(()) }
}

pub(super) fn update(call: &Call, parts: &Parts) -> Answered {
    call.authenticated()?;
    let id = parts.number("robot")?;
    let wish: Wish = call.sent("robot")?;
    let mut data = call.harbor()?.data.write();
    let project = found(&data, id)?.project;
    wish.check()?;
    require(call, &data, project, "update")?;
    wish.check_places(&data)?;
    no_more_than_own(call, &wish.permissions)?;
    let robot = found(&data, id)?;
    if wish.level != robot.level() || wish.name != robot.name {
        return Err(Refusal::bad_request("cannot update the level or name of robot"));
    }
    let own = project != 0
        && data.projects.get(&project).map(|project| project.name.as_str())
            != wish.permissions.first().map(|one| one.namespace.as_str());
    if own {
        return Err(Refusal::bad_request("bad request permission"));
    }
    let unchanged = robot.permissions.is_none() && wish.permissions == permissions(&call.host, robot);
    let name = robot.name.clone();
    if let Some(robot) = data.robots.get_mut(&id) {
        robot.description = wish.description;
        robot.disabled = wish.disable;
        robot.days = if wish.duration == robot.days { robot.days } else { days(wish.duration) };
        robot.updated_at = call.now;
        if !unchanged {
            robot.permissions = Some(wish.permissions);
        }
    }
    data.audit.note(call.now, call.authenticated()?, "update", "robot", name);
    Ok(Reply::done())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chosen {
    secret: String,
}

/// A new secret: the one that is sent, or one that is made and told once.
pub(super) fn refresh_secret(call: &Call, parts: &Parts) -> Answered {
    call.authenticated()?;
    let id = parts.number("robot")?;
    let Chosen { secret } = call.sent("robot_sec")?;
    let mut data = call.harbor()?.data.write();
    let project = found(&data, id)?.project;
    require(call, &data, project, "update")?;
    if !secret.is_empty() && !is_good(&secret) {
        return Err(Refusal::bad_request(
            "the secret must be 8-128, inclusively, characters long with at least 1 uppercase letter, 1 lowercase \
             letter and 1 number",
        ));
    }
    let made = secret.is_empty().then(fresh_secret);
    let name = found(&data, id)?.name.clone();
    if let Some(robot) = data.robots.get_mut(&id) {
        robot.secret = Some(Secret::new(made.as_deref().unwrap_or(&secret)));
        robot.updated_at = call.now;
    }
    data.audit.note(call.now, call.authenticated()?, "update", "robot", name);
    Ok(Reply::json(&lean(json!({ "secret": made }), &[])))
}

pub(super) fn delete(call: &Call, parts: &Parts) -> Answered {
    call.authenticated()?;
    let id = parts.number("robot")?;
    let mut data = call.harbor()?.data.write();
    let robot = found(&data, id)?.clone();
    require(call, &data, robot.project, "delete")?;
    data.robots.remove(&id);
    data.audit.note(call.now, call.authenticated()?, "delete", "robot", robot.name.clone());
    drop(data);
    // One that is an account's would be back with the next request.
    call.host.accounts.write().retain(|account| account.username != robot.name);
    Ok(Reply::done())
}
