//! The log of who did what: what was done by the API or by Harbor itself, and what the pull log knows of pulls and pushes.

use serde_json::{Value, json};

use super::{
    artifacts::resource,
    call::{Answered, Call},
    listing,
    path::Parts,
    refusal::Refusal,
};
use crate::{Entry, harbor::rights::Actor};

/// As whom a stranger is shown.
const ANONYMOUS: &str = "anonymous";

/// What an entry of the pull log is here.
fn operation(entry: &Entry) -> Option<&'static str> {
    if !(entry.path.starts_with("/v2/") && entry.path.contains("/manifests/")) {
        return None;
    }
    match (entry.method.as_str(), entry.status) {
        ("GET", 200) => Some("pull"),
        ("PUT", 201) => Some("create"),
        ("DELETE", 202) if entry.user_agent.as_deref() != Some(crate::harbor::audit::JOBS) => Some("delete"),
        _ => None,
    }
}

/// The entries about what `about` says yes to, the newest first.
fn told(call: &Call, about: impl Fn(&str) -> bool) -> Answered {
    let query = listing::query(call)?;
    let log = call.shared.log.since(0);
    let data = call.harbor()?.data.read();
    let pulls = log.iter().filter(|entry| entry.host == call.host.name).filter_map(|entry| {
        let (repository, operation) = (entry.repository.as_deref()?, operation(entry)?);
        let reference = entry.reference.as_deref().unwrap_or_default();
        let tag: Vec<String> = if reference.contains(':') { Vec::new() } else { vec![reference.to_owned()] };
        let what = resource(repository, entry.digest.as_deref().unwrap_or(reference), &tag);
        let user = entry.identity.clone().unwrap_or_else(|| ANONYMOUS.to_owned());
        Some((entry.at, user, what, "artifact".to_owned(), operation.to_owned()))
    });
    let own = data.audit.entries().map(|entry| {
        (entry.at, entry.user.clone(), entry.resource.clone(), entry.kind.clone(), entry.operation.clone())
    });
    let mut all: Vec<_> = pulls.chain(own).filter(|(_, _, what, ..)| about(what)).collect();
    all.sort_by_key(|(at, ..)| *at);
    let items = all.into_iter().zip(1..).map(|((at, user, what, kind, operation), id)| {
        json!({
            "id": id, "username": user, "resource": what, "resource_type": kind, "operation": operation,
            "op_time": call.time(at),
        })
    });
    let items: Vec<Value> = items.collect();
    listing::told(call, &query, items, "-id")
}

/// Everything, for administrators; otherwise of those projects whose log one may read.
pub(super) fn list(call: &Call, _: &Parts) -> Answered {
    call.authenticated()?;
    if call.is_administrator()
        || matches!(&call.actor, Actor::Robot(robot) if robot.may(None, "audit-log", "list") == Some(true))
    {
        return told(call, |_| true);
    }
    let harbor = call.harbor()?;
    let mine: Vec<String> = {
        let data = harbor.data.read();
        let may = |project: &&_| harbor.permits(&call.host, &call.actor, project, ("log", "list"));
        data.projects.values().filter(may).map(|project| project.name.clone()).collect()
    };
    told(call, |what| mine.iter().any(|project| is_of(what, project)))
}

pub(super) fn of_project(call: &Call, parts: &Parts) -> Answered {
    let project: Result<_, Refusal> = {
        let data = call.harbor()?.data.read();
        call.project(&data, parts.get("project"), ("log", "list"))
    };
    let name = project?.name;
    told(call, |what| is_of(what, &name))
}

/// Whether something is a project, or in it.
fn is_of(what: &str, project: &str) -> bool {
    what.strip_prefix(project).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
