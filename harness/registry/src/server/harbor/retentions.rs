//! Retention policies: made, changed, run. A run is done when its request is answered, where Harbor's goes on in the background.
//! What a run does is `super::retaining`'s.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    call::{Answered, Call, Reply, lean},
    listing,
    path::Parts,
    refusal::Refusal,
    retaining::{Run, arm},
};
use crate::harbor::{
    data::{Data, MOST},
    project::Project,
    retention::{Execution, Policy, Rule, TEMPLATES, schedule},
};

const RESOURCE: &str = "tag-retention";
/// As Harbor says of a job that has done well.
const SUCCESS: &str = "Success";
const SUCCESS_CODE: i64 = 3;
/// How many rules a policy may have.
const MOST_RULES: usize = 15;

/// What is sent of a policy.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    rules: Vec<Rule>,
    trigger: Value,
    scope: Place,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Place {
    level: String,
    #[serde(rename = "ref")]
    project: i64,
}

impl Wish {
    fn check(&self) -> Result<(), Refusal> {
        let bad = |why: String| Err(Refusal::bad_request(format!("bad request: {why}")));
        if self.rules.len() > MOST_RULES {
            return bad(format!("only {MOST_RULES} rules are allowed at most"));
        }
        if let Some(rule) = self.rules.iter().find(|rule| rule.template().is_none()) {
            return bad(format!("rule template {:?} is not known", rule.template));
        }
        let same = |a: &Rule, b: &Rule| Rule { id: 0, ..a.clone() } == Rule { id: 0, ..b.clone() };
        for (at, rule) in self.rules.iter().enumerate() {
            if let Some(other) = self.rules[..at].iter().position(|other| same(other, rule)) {
                let why = format!("resource conflict: rule {at} is conflict with rule {other}");
                return Err(Refusal::conflict(why));
            }
        }
        if let Err(why) = schedule(&self.trigger) {
            return bad(why);
        }
        if self.scope.level != "project" {
            return bad(format!("scope {} is not support", self.scope.level));
        }
        Ok(())
    }

    fn into_policy(self, id: i64, project: i64) -> Policy {
        let numbered = self.rules.into_iter().zip(0..).map(|(rule, id)| Rule { id, ..rule });
        Policy { id, project, rules: numbered.collect(), trigger: self.trigger }
    }
}

fn shown(policy: &Policy) -> Value {
    let rules = policy.rules.iter().map(|rule| lean(serde_json::to_value(rule).unwrap_or_default(), &[]));
    json!({
        "id": policy.id, "algorithm": "or", "rules": rules.collect::<Vec<_>>(), "trigger": policy.trigger,
        "scope": { "level": "project", "ref": policy.project },
    })
}

/// The policy of a path and its project, for somebody who may do that with it.
fn found(call: &Call, data: &Data, parts: &Parts, action: &str) -> Result<(Policy, Project), Refusal> {
    call.authenticated()?;
    let id = parts.number("policy")?;
    let policy = data.retentions.get(&id);
    let policy = policy.ok_or_else(|| Refusal::not_found(format!("retention policy {id} not found")))?;
    let project =
        call.permitted(data.projects.get(&policy.project), &policy.project.to_string(), (RESOURCE, action))?;
    Ok((policy.clone(), project))
}

pub(super) fn metadata(call: &Call, _: &Parts) -> Answered {
    call.authenticated()?;
    let templates = TEMPLATES.iter().map(|template| {
        let number = json!({ "type": "int", "unit": template.unit, "required": true });
        let params: Vec<Value> = (!template.unit.is_empty()).then_some(number).into_iter().collect();
        json!({
            "rule_template": template.name, "display_text": template.title, "action": "retain",
            "params": params,
        })
    });
    let selector = |title: &str, decorations: [&str; 2]| json!([{ "display_text": title, "kind": "doublestar", "decorations": decorations }]);
    Ok(Reply::json(&json!({
        "templates": templates.collect::<Vec<_>>(),
        "scope_selectors": selector("Repositories", ["repoMatches", "repoExcludes"]),
        "tag_selectors": selector("Tags", ["matches", "excludes"]),
    })))
}

pub(super) fn create(call: &Call, _: &Parts) -> Answered {
    call.authenticated()?;
    let wish: Wish = call.sent("policy")?;
    wish.check()?;
    let mut data = call.harbor()?.data.write();
    let reference = wish.scope.project;
    if !data.projects.contains_key(&reference) && call.is_administrator() {
        return Err(Refusal::bad_request(format!("bad request: invalid Project id {reference}")));
    }
    let project =
        call.permitted(data.projects.get(&reference), &reference.to_string(), (RESOURCE, "create"))?;
    if let Some(old) = project.retention {
        let why = format!("bad request: project {reference} already has retention policy {old}");
        return Err(Refusal::bad_request(why));
    }
    if data.retentions.len() >= MOST {
        return Err(Refusal::precondition(format!("there are {MOST} policies already")));
    }
    let id = data.next("retention");
    data.retentions.insert(id, wish.into_policy(id, project.id));
    if let Some(project) = data.projects.get_mut(&project.id) {
        project.retention = Some(id);
    }
    drop(data);
    arm(&call.shared, &call.host, id);
    Ok(Reply::created(call.location(id)))
}

pub(super) fn get(call: &Call, parts: &Parts) -> Answered {
    let data = call.harbor()?.data.read();
    let (policy, _) = found(call, &data, parts, "read")?;
    Ok(Reply::json(&shown(&policy)))
}

pub(super) fn update(call: &Call, parts: &Parts) -> Answered {
    call.authenticated()?;
    let wish: Wish = call.sent("policy")?;
    wish.check()?;
    let mut data = call.harbor()?.data.write();
    let (policy, project) = found(call, &data, parts, "update")?;
    if wish.scope.project != project.id {
        let id = policy.id;
        let why = format!("resource not found: the retention policy id {id} does not match");
        return Err(Refusal::not_found(why));
    }
    data.retentions.insert(policy.id, wish.into_policy(policy.id, project.id));
    drop(data);
    arm(&call.shared, &call.host, policy.id);
    Ok(Reply::done())
}

pub(super) fn delete(call: &Call, parts: &Parts) -> Answered {
    let mut data = call.harbor()?.data.write();
    let (policy, project) = found(call, &data, parts, "delete")?;
    data.retentions.remove(&policy.id);
    data.executions.retain(|_, execution| execution.policy != policy.id);
    if let Some(project) = data.projects.get_mut(&project.id) {
        project.retention = None;
    }
    drop(data);
    arm(&call.shared, &call.host, policy.id);
    Ok(Reply::done())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Order {
    dry_run: bool,
    action: String,
}

/// Runs a policy: now, and to its end.
pub(super) fn run(call: &Call, parts: &Parts) -> Answered {
    call.authenticated()?;
    let order: Order = call.sent("body")?;
    let policy = {
        let data = call.harbor()?.data.read();
        found(call, &data, parts, "update")?.0
    };
    let (dry_run, address, at) = (order.dry_run, call.client.address, call.now);
    let run = Run { shared: &call.shared, host: &call.host, dry_run, scheduled: false, address, at };
    Ok(Reply::created(call.location(run.through(&policy)?)))
}

/// A run that has ended cannot be stopped, which is what this is for.
pub(super) fn operate(call: &Call, parts: &Parts) -> Answered {
    call.authenticated()?;
    let order: Order = call.sent("body")?;
    if order.action != "stop" {
        return Err(Refusal::bad_request("bad request: action should be 'stop'"));
    }
    let data = call.harbor()?.data.read();
    found(call, &data, parts, "update")?;
    execution(&data, parts)?;
    Ok(Reply::done())
}

fn execution<'a>(data: &'a Data, parts: &Parts) -> Result<&'a Execution, Refusal> {
    let (policy, id) = (parts.number("policy")?, parts.number("execution")?);
    let found = data.executions.get(&id).filter(|execution| execution.policy == policy);
    found.ok_or_else(|| Refusal::not_found(format!("retention execution {id} not found")))
}

pub(super) fn executions(call: &Call, parts: &Parts) -> Answered {
    let query = listing::query(call)?;
    let data = call.harbor()?.data.read();
    let (policy, _) = found(call, &data, parts, "list")?;
    let of_policy = data.executions.values().filter(|execution| execution.policy == policy.id);
    let items = of_policy.map(|execution| {
        let at = call.time(execution.at);
        json!({
            "id": execution.id, "policy_id": execution.policy, "start_time": at, "end_time": at,
            "status": SUCCESS, "trigger": if execution.scheduled { "SCHEDULE" } else { "MANUAL" },
            "dry_run": execution.dry_run,
        })
    });
    listing::told(call, &query, items.collect(), "-id")
}

pub(super) fn tasks(call: &Call, parts: &Parts) -> Answered {
    let query = listing::query(call)?;
    let data = call.harbor()?.data.read();
    found(call, &data, parts, "list")?;
    let execution = execution(&data, parts)?;
    let at = call.time(execution.at);
    let items = execution.tasks.iter().map(|task| {
        json!({
            "id": task.id, "execution_id": execution.id, "repository": task.repository,
            "job_id": format!("{:024x}", task.id), "status": SUCCESS, "status_code": SUCCESS_CODE,
            "start_time": at, "end_time": at, "total": task.total, "retained": task.retained,
        })
    });
    listing::told(call, &query, items.collect(), "id")
}

pub(super) fn task_log(call: &Call, parts: &Parts) -> Answered {
    let data = call.harbor()?.data.read();
    found(call, &data, parts, "read")?;
    let id = parts.number("task")?;
    let execution = execution(&data, parts)?;
    let task = execution.tasks.iter().find(|task| task.id == id);
    let task = task.ok_or_else(|| Refusal::not_found(format!("retention task {id} not found")))?;
    Ok(Reply::text(task.log.clone()))
}
