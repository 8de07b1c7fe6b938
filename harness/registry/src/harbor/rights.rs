//! Who may do what in a Harbor: roles in projects, what robots were given, and what everybody may in an open project.
//!
//! Roles are Harbor's; who has which follows from who may use the repositories: whoever may push to one of a project is its
//! maintainer, whoever may pull a guest, and whoever made the project its administrator.

use super::{Harbor, data::Data, project::Project, robot::Robot};
use crate::host::Host;

/// A role in a project, by its number in Harbor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Administrator = 1,
    Guest = 3,
    Maintainer = 4,
}

/// Resources and actions, as robots are given them too.
type Rights = &'static [(&'static str, &'static [&'static str])];

/// What everybody may in an open project, and guests in any.
const GUEST: Rights = &[
    ("project", &["read"]),
    ("repository", &["read", "list", "pull"]),
    ("artifact", &["read", "list"]),
    ("tag", &["list"]),
];
const ALL: &[&str] = &["create", "read", "update", "delete", "list", "operate"];
const MAINTAINER: Rights = &[
    ("project", &["read"]),
    ("repository", &["read", "list", "pull", "push", "update", "delete"]),
    ("artifact", &["read", "list", "create", "delete"]),
    ("tag", &["list", "create", "delete"]),
    ("robot", &["read", "list"]),
    ("immutable-tag", ALL),
    ("tag-retention", ALL),
    ("log", &["list"]),
];

/// Every right in a project that a robot can be given, as `GET /permissions` lists them; those about what is not here as well.
pub(crate) const PROJECT_RIGHTS: Rights = &[
    ("*", &["*"]),
    ("accessory", &["list"]),
    ("artifact", &["read", "create", "list", "delete"]),
    ("artifact-addition", &["read", "create"]),
    ("artifact-label", &["create", "delete"]),
    ("export-cve", &["create", "read", "list"]),
    ("immutable-tag", &["list", "create", "update", "delete"]),
    ("label", &["read", "create", "list", "delete", "update"]),
    ("log", &["list"]),
    ("member", &["read", "create", "list", "update", "delete"]),
    ("metadata", &["read", "create", "list", "update", "delete"]),
    ("notification-policy", &["read", "create", "list", "update", "delete"]),
    ("preheat-policy", &["read", "create", "list", "update", "delete"]),
    ("project", &["read", "update", "delete"]),
    ("quota", &["read"]),
    ("repository", &["read", "update", "delete", "list", "pull", "push", "*"]),
    ("robot", &["read", "create", "list", "delete", "update"]),
    ("sbom", &["create", "stop", "read"]),
    ("scan", &["create", "read", "stop"]),
    ("scanner", &["read", "create"]),
    ("tag", &["create", "list", "delete"]),
    ("tag-retention", &["read", "create", "list", "update", "delete", "operate"]),
    // Those of charts are still written into robots by programs that are older than their end.
    ("helm-chart", &["read", "list", "create", "delete"]),
    ("helm-chart-version", &["read", "list", "create", "delete"]),
    ("helm-chart-version-label", &["create", "delete"]),
];

/// Whether a table lists a right.
pub(crate) fn lists(rights: Rights, resource: &str, action: &str) -> bool {
    rights.iter().any(|(of, actions)| *of == resource && actions.contains(&action))
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Actor {
    Nobody,
    /// A system administrator.
    Administrator(String),
    User(String),
    /// A robot with permissions of its own, or one that has none but what its name lets it do.
    Robot(Robot),
}

impl Actor {
    /// What it logs in as.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Nobody => None,
            Self::Administrator(name) | Self::User(name) => Some(name),
            Self::Robot(robot) => Some(&robot.name),
        }
    }
}

impl Harbor {
    /// Who it is that logged in so.
    pub(crate) fn actor(&self, data: &Data, user: Option<&str>) -> Actor {
        let Some(user) = user else { return Actor::Nobody };
        match data.find_robot(user) {
            Some(robot) => Actor::Robot(robot.clone()),
            None if self.is_administrator(user) => Actor::Administrator(user.to_owned()),
            None => Actor::User(user.to_owned()),
        }
    }

    /// The role of somebody in a project.
    pub(crate) fn role(&self, host: &Host, actor: &Actor, project: &Project) -> Option<Role> {
        let name = match actor {
            Actor::Nobody => return None,
            Actor::Administrator(_) => return Some(Role::Administrator),
            Actor::Robot(robot) if robot.permissions.is_some() => return None,
            Actor::User(name) if *name == project.owner => return Some(Role::Administrator),
            Actor::User(name) => name,
            Actor::Robot(robot) => &robot.name,
        };
        let repositories = host.repositories.read();
        let of_project = |repository: &str| repository.split('/').next() == Some(project.name.as_str());
        let inside = || repositories.iter().filter(|(name, _)| of_project(name)).map(|(_, place)| place);
        if inside().any(|place| place.push.allows(Some(name))) {
            return Some(Role::Maintainer);
        }
        inside().any(|place| place.pull.allows(Some(name))).then_some(Role::Guest)
    }

    /// Whether everybody may pull from a project: as was said of it, or as all its repositories say.
    pub(crate) fn is_public(&self, host: &Host, project: &Project) -> bool {
        project.public.unwrap_or_else(|| {
            let repositories = host.repositories.read();
            let of_project = |name: &&String| name.split('/').next() == Some(project.name.as_str());
            let mut inside = repositories.iter().filter(|(name, _)| of_project(name)).peekable();
            inside.peek().is_some() && inside.all(|(_, place)| place.pull.allows(None))
        })
    }

    /// Whether somebody may do something in a project.
    pub(crate) fn permits(
        &self,
        host: &Host,
        actor: &Actor,
        project: &Project,
        (resource, action): (&str, &str),
    ) -> bool {
        if lists(GUEST, resource, action) && self.is_public(host, project) {
            return true;
        }
        if let Actor::Robot(robot) = actor
            && let Some(may) = robot.may(Some(&project.name), resource, action)
        {
            return may;
        }
        match self.role(host, actor, project) {
            Some(Role::Administrator) => true,
            Some(Role::Maintainer) => lists(MAINTAINER, resource, action),
            Some(Role::Guest) => lists(GUEST, resource, action),
            None => false,
        }
    }

    /// Whether somebody may pull from a repository, push to it, or delete what is in it, be it there or not.
    pub(crate) fn may(&self, host: &Host, user: Option<&str>, action: &str, repository: &str) -> bool {
        let data = self.data.read();
        let actor = self.actor(&data, user);
        let set_up = host.repositories.read().get(repository).map(|place| place.access(action).clone());
        let Some((name, _)) = repository.split_once('/') else {
            // Harbor has none without a project; what the owner has set up is served all the same.
            return set_up.is_some_and(|access| access.allows(user));
        };
        if data.gone.contains(name) {
            return false;
        }
        let begun = || {
            let begins = |repository: &String| repository.split('/').next() == Some(name);
            host.repositories.read().keys().any(begins).then(|| Project::unnoticed(name))
        };
        let project = data.find_project(name).cloned().or_else(begun);
        let project = project.as_ref();
        let named = |project: &Project| match action {
            "delete" => {
                let may = |resource| self.permits(host, &actor, project, (resource, "delete"));
                may("artifact") || may("repository")
            }
            action => self.permits(host, &actor, project, ("repository", action)),
        };
        let closed = project.is_some_and(|project| project.public == Some(false));
        let open_to_all = !closed && set_up.as_ref().is_some_and(|access| access.allows(None));
        if matches!(&actor, Actor::Robot(robot) if robot.permissions.is_some()) {
            return open_to_all || project.is_some_and(named);
        }
        if let Some(access) = set_up {
            // Who may use a repository that has been set up is what was said of it, unless more was said of its project.
            let allowed = open_to_all || (user.is_some() && access.allows(user));
            let owner = project
                .is_some_and(|project| matches!(self.role(host, &actor, project), Some(Role::Administrator)));
            let open = action == "pull" && project.is_some_and(|project| project.public == Some(true));
            return allowed || owner || open;
        }
        match project {
            Some(project) => named(project),
            // The one place that every user has.
            None => user == Some(name) || matches!(actor, Actor::Administrator(_)) && action == "pull",
        }
    }
}
