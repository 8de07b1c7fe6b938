//! Amounts of resources in objects: by their names, and what a pod asks for as a whole.

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use crate::quantity::Quantity;

/// Amounts by the names of resources.
pub(crate) type Amounts = BTreeMap<String, Quantity>;

/// The amounts that a map of an object holds.
pub(crate) fn amounts(map: &Value) -> Amounts {
    let map = map.as_object().into_iter().flatten();
    map.filter_map(|(name, quantity)| Some((name.clone(), Quantity::read(quantity)?))).collect()
}

/// What a pod asks for as a whole (`requests` or `limits`): its containers together, or an init container that wants
/// more. Those that run beside the others count with them.
pub(crate) fn of_pod(pod: &Value, what: &str) -> Amounts {
    let list = |list: &str| pod["spec"][list].as_array().map(Vec::as_slice).unwrap_or_default();
    let stays = |container: &&Value| container["restartPolicy"] == "Always";
    let mut all = Amounts::new();
    for container in list("containers").iter().chain(list("initContainers").iter().filter(stays)) {
        for (name, amount) in amounts(&container["resources"][what]) {
            let sum = all.get(&name).copied().unwrap_or_default().plus(amount);
            all.insert(name, sum);
        }
    }
    for container in list("initContainers").iter().filter(|c| !stays(c)) {
        for (name, amount) in amounts(&container["resources"][what]) {
            let most = all.get(&name).copied().filter(|sum| *sum >= amount).unwrap_or(amount);
            all.insert(name, most);
        }
    }
    all
}
