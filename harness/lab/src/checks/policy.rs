//! Predicates about what a repair must not loosen, and about the diagnosis.

use super::{Facts, Finding, baseline::pull_policy, evidence::Rule};

/// The diagnosis is right.
pub(crate) fn diagnosed(facts: &Facts<'_>) -> Finding {
    match &facts.progress.diagnosis {
        Some(diagnosis) if diagnosis.correct => Ok("the diagnosis is right".into()),
        Some(_) => Err("the diagnosis is wrong".into()),
        None => Err("there is no diagnosis".into()),
    }
}

/// The container's pull policy is not looser than it was.
pub(crate) fn kept(facts: &Facts<'_>) -> Finding {
    let workload = facts.workload().ok_or("the workload is not the object that it was")?;
    let policy = pull_policy(workload.template(), &facts.variant.workload.container);
    let before = facts.baseline.pull_policy.as_str();
    if strictness(policy) < strictness(before) {
        return Err(format!("the pull policy is {policy}, and was {before}"));
    }
    Ok("the pull policy is as strict as before".into())
}

fn strictness(policy: &str) -> u8 {
    match policy {
        "Always" => 2,
        "IfNotPresent" => 1,
        _ => 0,
    }
}

/// No rule of the baseline is gone, and what was added opens one port to few addresses.
pub(crate) fn egress_minimal(facts: &Facts<'_>, addresses: u32) -> Finding {
    let now = facts.evidence.egress();
    for (node, before) in &facts.baseline.egress {
        let rules = now.get(node).map(Vec::as_slice).unwrap_or_default();
        if let Some(gone) = before.iter().find(|rule| !rules.contains(rule)) {
            return Err(format!("rule {} of {node} is gone", gone.id));
        }
        let mut added = rules.iter().filter(|rule| !before.contains(rule));
        if let Some(wide) = added.find(|rule| !is_narrow(rule, addresses)) {
            return Err(format!("rule {} of {node} opens too much", wide.id));
        }
    }
    Ok("no more is open than needed".into())
}

fn is_narrow(rule: &Rule, addresses: u32) -> bool {
    let width: u32 = if rule.network.is_ipv4() { 32 } else { 128 };
    let free = width.saturating_sub(u32::from(rule.prefix));
    let count = 1u128.checked_shl(free).unwrap_or(u128::MAX);
    rule.allows && rule.port.is_some() && count <= u128::from(addresses)
}
