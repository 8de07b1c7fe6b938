//! Authorising and revoking: what becomes of a node's rules.
//!
//! What is authorised is a rule of the node that allows it, before all others, by the same id. What is revoked is taken
//! away where it is such a rule; where it is a part of what nobody forbade, it is forbidden.

use pulldrill_cluster::network::{Action, EgressRule};

use super::{
    form::Form,
    group::{Group, region},
    permission::Permission,
    refusal::Refusal,
    region::{Ports, Region},
};
use crate::egress::free_id;

/// So many rules a node has and no more.
const MOST: usize = 1_000;
/// What stands beside a rule that forbids what was revoked.
const REVOKED: &str = "revoked";

/// The node's rules after a change, and the group's that were added or taken away.
pub(super) type Change = (Vec<EgressRule>, Vec<Permission>);

/// The node may reach what the form says as well.
pub(super) fn authorize(group: &Group, form: &Form) -> Result<Change, Refusal> {
    let wanted = Permission::of(&group.id, form)?;
    let mut rules = group.rules.clone();
    for permission in &wanted {
        if group.permissions.iter().any(|known| known.region == permission.region) {
            return Err(duplicate(permission));
        }
        let rule = permission.rule(Action::Allow, permission.id.clone())?;
        // One that is there without being of any use gives its id away.
        rules.retain(|known| known.id != rule.id);
        rules.insert(0, rule);
    }
    if rules.len() > MOST {
        let message = "The maximum number of rules per security group has been reached.";
        return Err(Refusal::new("RulesPerSecurityGroupLimitExceeded", message));
    }
    Ok((rules, wanted))
}

/// The node may reach no more what the form says, unless another rule allows it.
pub(super) fn revoke(group: &Group, form: &Form) -> Result<Change, Refusal> {
    let ids = form.list("SecurityGroupRuleId");
    let unwanted: Vec<Permission> = if ids.is_empty() {
        let find = |asked: Permission| {
            let found = group.permissions.iter().find(|known| known.region == asked.region);
            found.cloned().ok_or_else(Refusal::no_permission)
        };
        Permission::of(&group.id, form)?.into_iter().map(find).collect::<Result<_, _>>()?
    } else {
        let find = |id: &&str| group.permissions.iter().find(|known| known.id == *id).cloned();
        ids.iter().map(|id| find(id).ok_or_else(|| Refusal::no_rule(id))).collect::<Result<_, _>>()?
    };
    let mut rules = group.rules.clone();
    for permission in &unwanted {
        rules = without(rules, permission)?;
    }
    if rules.len() > MOST {
        let message = "The maximum number of rules per security group has been reached.";
        return Err(Refusal::new("RulesPerSecurityGroupLimitExceeded", message));
    }
    Ok((rules, unwanted))
}

/// The rules of a node when one of its group's is gone.
fn without(rules: Vec<EgressRule>, permission: &Permission) -> Result<Vec<EgressRule>, Refusal> {
    let (mut kept, mut forbidden): (Vec<EgressRule>, Vec<Region>) = (Vec::new(), Vec::new());
    let all = rules.clone();
    let new_id = |kept: &[EgressRule]| free_id(&[&all, kept].concat());
    for rule in rules {
        let Some(region) = region(&rule) else {
            kept.push(rule);
            continue;
        };
        if rule.action != Action::Allow {
            forbidden.push(region);
            kept.push(rule);
            continue;
        }
        let pieces = region.without_all(&forbidden);
        if !pieces.contains(&permission.region) {
            kept.push(rule);
            continue;
        }
        // Of a rule that is hidden in part, the other parts stay.
        for piece in pieces.into_iter().filter(|piece| *piece != permission.region) {
            let part = Permission { region: piece, description: rule.comment.clone(), ..permission.clone() };
            kept.push(part.rule(Action::Allow, new_id(&kept))?);
        }
    }
    if super::group::EVERYTHING.without_all(&forbidden).contains(&permission.region) {
        let revoked = Permission { description: REVOKED.to_owned(), ..permission.clone() };
        kept.push(revoked.rule(Action::Drop, new_id(&kept))?);
    }
    Ok(kept)
}

fn duplicate(permission: &Permission) -> Refusal {
    let ports = match permission.region.ports {
        Ports::All => "ALL".to_owned(),
        Ports::Tcp(from, to) => format!("TCP, from port: {from}, to port: {to}"),
        Ports::Udp => "UDP, from port: 0, to port: 65535".to_owned(),
        Ports::Icmp => "ICMP, type: ALL, code: ALL".to_owned(),
    };
    let peer = permission.region.block;
    let message = format!("the specified rule \"peer: {peer}, {ports}, ALLOW\" already exists");
    Refusal::new("InvalidPermission.Duplicate", message)
}
