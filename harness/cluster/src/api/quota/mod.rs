//! ResourceQuotas: what the objects of a namespace use, and what a new one would use beyond the limits.
//!
//! - [`usage`]: what one object counts for.
//! - [`scopes`]: which pods a quota is about.
//!
//! What is used is counted from the objects that are there, at every question: a quota can't be wrong about them.
//! `status.used` is kept by a controller.

mod scopes;
mod usage;

use serde_json::{Map, Value};

use super::{
    Api, Status,
    json::{items, text},
    quantity::{Amounts, Quantity, amounts},
};
use crate::{
    resources::Resource,
    store::{Store, Stored},
};

const RESOURCE: &str = "resourcequotas";

/// Since this minor version a quota that wants more said of resources names the containers that are silent.
const NAMED: u32 = 24;

/// Whether a change of an object can make it count for more.
pub(super) fn concerns_changes(resource: &Resource) -> bool {
    matches!(resource.store.as_str(), "persistentvolumeclaims" | "services")
}

/// Refuses an object that would use more than a quota of its namespace leaves; a changed one counts for what it uses
/// more than before.
pub(super) fn admit(
    api: &Api,
    resource: &Resource,
    old: Option<&Value>,
    object: &Value,
) -> Result<(), Status> {
    let namespace = text(&object["metadata"]["namespace"]);
    let before = old.map(|old| usage::of(&resource.store, old)).unwrap_or_default();
    for quota in quotas(api, namespace) {
        let quota = quota.value();
        if !scopes::covers(quota, &resource.store, object) {
            continue;
        }
        let hard = amounts(&quota["spec"]["hard"]);
        let name = text(&object["metadata"]["name"]);
        let label = text(&quota["metadata"]["name"]);
        if let Some(missing) = unspecified(&hard, resource, object, api.options().release.since(NAMED)) {
            let why = format!("failed quota: {label}: must specify {missing}");
            return Err(Status::forbidden(resource, name, &why));
        }
        let more = |(name, amount): (String, Quantity)| {
            let before = before.get(&name).copied().unwrap_or_default();
            (name, amount.minus(before))
        };
        let asked: Amounts = usage::of(&resource.store, object)
            .into_iter()
            .map(more)
            .filter(|(name, amount)| hard.contains_key(name) && amount.is_positive())
            .collect();
        let used = used(api.store(), quota);
        let beyond = |name: &&String| {
            let sum = used.get(*name).copied().unwrap_or_default().plus(asked[*name]);
            hard.get(*name).is_some_and(|hard| sum > *hard)
        };
        let beyond: Vec<&String> = asked.keys().filter(beyond).collect();
        if !beyond.is_empty() {
            let list = |amounts: &Amounts| {
                let one =
                    |name: &&String| format!("{name}={}", amounts.get(*name).copied().unwrap_or_default());
                beyond.iter().map(one).collect::<Vec<_>>().join(",")
            };
            let (asked, used, hard) = (list(&asked), list(&used), list(&hard));
            let why = format!("exceeded quota: {label}, requested: {asked}, used: {used}, limited: {hard}");
            return Err(Status::forbidden(resource, name, &why));
        }
    }
    Ok(())
}

/// The quotas of a namespace.
pub(super) fn quotas(api: &Api, namespace: &str) -> Vec<std::sync::Arc<Stored>> {
    api.list(RESOURCE, Some(namespace))
}

/// What the objects of a quota's namespace use of what it limits.
pub(crate) fn used(store: &Store, quota: &Value) -> Amounts {
    let hard = amounts(&quota["spec"]["hard"]);
    let namespace = text(&quota["metadata"]["namespace"]);
    let mut used: Amounts = hard.keys().map(|name| (name.clone(), Quantity::default())).collect();
    for resource in store.resources() {
        if !usage::concerns(&resource, &hard) {
            continue;
        }
        for object in store.list(&resource, Some(namespace)).0 {
            if !scopes::covers(quota, &resource, object.value()) {
                continue;
            }
            for (name, amount) in usage::of(&resource, object.value()) {
                if let Some(sum) = used.get_mut(&name) {
                    *sum = sum.plus(amount);
                }
            }
        }
    }
    used
}

/// Amounts as objects have them.
pub(crate) fn written(amounts: &Amounts) -> Value {
    let all = amounts.iter().map(|(name, amount)| (name.clone(), Value::from(amount.to_string())));
    Value::Object(all.collect::<Map<String, Value>>())
}

/// What a pod's containers have to say, where a quota limits it, and don't.
fn unspecified(hard: &Amounts, resource: &Resource, pod: &Value, with_names: bool) -> Option<String> {
    if resource.store != "pods" {
        return None;
    }
    let mut missing: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in hard.keys() {
        let Some((list, what)) = usage::compute(name) else { continue };
        let containers = ["containers", "initContainers"].iter().flat_map(|l| items(&pod["spec"][*l]));
        let silent: Vec<&str> = containers
            .filter(|c| c["resources"][list].get(what).is_none())
            .map(|c| text(&c["name"]))
            .collect();
        if !silent.is_empty() {
            missing.push((name, silent));
        }
    }
    if missing.is_empty() {
        return None;
    }
    Some(if with_names {
        let of = |(name, silent): &(&str, Vec<&str>)| format!("{name} for: {}", silent.join(","));
        missing.iter().map(of).collect::<Vec<_>>().join("; ")
    } else {
        missing.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",")
    })
}

#[cfg(test)]
mod tests;
