//! Rules by which tags stay what they are.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    call::{Answered, Call, Reply, lean},
    listing,
    path::Parts,
    refusal::Refusal,
};
use crate::harbor::{
    data::{Data, MOST},
    immutable::{Rule, Scope},
    project::Project,
    selector::Selector,
};

const RESOURCE: &str = "immutable-tag";

/// What is sent of a rule.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    id: i64,
    disabled: bool,
    tag_selectors: Vec<Selector>,
    scope_selectors: Scope,
}

impl Wish {
    fn into_rule(self, id: i64, project: i64) -> Rule {
        let Self { disabled, tag_selectors, scope_selectors, .. } = self;
        Rule { id, project, disabled, tag_selectors, scope_selectors }
    }
}

fn shown(rule: &Rule) -> Value {
    let shown = json!({
        "id": rule.id, "disabled": rule.disabled, "priority": 0, "action": "immutable",
        "template": "immutable_template", "params": {}, "tag_selectors": rule.tag_selectors,
        "scope_selectors": rule.scope_selectors,
    });
    lean(shown, &[])
}

fn found(data: &Data, project: &Project, id: i64) -> Result<Rule, Refusal> {
    let rule = data.immutable.get(&id).filter(|rule| rule.project == project.id);
    let missing = || Refusal::not_found(format!("the immutable rule {id} is not found."));
    rule.cloned().ok_or_else(missing)
}

fn conflict(data: &Data, rule: &Rule) -> bool {
    let same = |other: &Rule| {
        other.id != rule.id
            && other.project == rule.project
            && other.tag_selectors == rule.tag_selectors
            && other.scope_selectors == rule.scope_selectors
    };
    data.immutable.values().any(same)
}

pub(super) fn list(call: &Call, parts: &Parts) -> Answered {
    let query = listing::query(call)?;
    let data = call.harbor()?.data.read();
    let project = call.project(&data, parts.get("project"), (RESOURCE, "list"))?;
    let rules = data.immutable.values().filter(|rule| rule.project == project.id);
    listing::told(call, &query, rules.map(shown).collect(), "id")
}

pub(super) fn create(call: &Call, parts: &Parts) -> Answered {
    let mut data = call.harbor()?.data.write();
    let project = call.project(&data, parts.get("project"), (RESOURCE, "create"))?;
    let wish: Wish = call.sent("ImmutableRule")?;
    let rule = wish.into_rule(0, project.id);
    if conflict(&data, &rule) {
        return Err(Refusal::conflict("there is already an immutable rule like that in the project"));
    }
    if data.immutable.len() >= MOST {
        return Err(Refusal::precondition(format!("there are {MOST} rules already")));
    }
    let id = data.next("immutable");
    data.immutable.insert(id, Rule { id, ..rule });
    Ok(Reply::created(call.location(id)))
}

pub(super) fn update(call: &Call, parts: &Parts) -> Answered {
    let id = parts.number("rule")?;
    let wish: Wish = call.sent("ImmutableRule")?;
    if wish.id != id {
        return Err(Refusal::bad_request(
            "bad request: the immutable_rule_id doesn't match the id in the payload body of ImmutableRule",
        ));
    }
    let mut data = call.harbor()?.data.write();
    let project = call.project(&data, parts.get("project"), (RESOURCE, "update"))?;
    let old = found(&data, &project, id)?;
    let switches_only = wish.tag_selectors.is_empty() && wish.scope_selectors.is_empty();
    let rule =
        if switches_only { Rule { disabled: wish.disabled, ..old } } else { wish.into_rule(id, project.id) };
    if conflict(&data, &rule) {
        return Err(Refusal::conflict("there is already an immutable rule like that in the project"));
    }
    data.immutable.insert(id, rule);
    Ok(Reply::done())
}

pub(super) fn delete(call: &Call, parts: &Parts) -> Answered {
    let id = parts.number("rule")?;
    let mut data = call.harbor()?.data.write();
    let project = call.project(&data, parts.get("project"), (RESOURCE, "delete"))?;
    found(&data, &project, id)?;
    data.immutable.remove(&id);
    Ok(Reply::done())
}
