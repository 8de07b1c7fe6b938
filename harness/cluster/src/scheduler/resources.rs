//! Whether a node has room for a pod: number of pods, resources, and ports of the node.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{fit::Misfit, load::Node};
use crate::{
    api::quantity::{self, Quantity},
    controllers::json::{int, items, text},
};

/// What a pod asks for.
pub(super) fn requests(pod: &Value) -> BTreeMap<String, Quantity> {
    quantity::of_pod(pod, "requests")
}

/// The ports of the node that a pod wants, with protocol and address.
pub(super) fn host_ports(pod: &Value) -> Vec<String> {
    let ports = items(&pod["spec"]["containers"]).iter().flat_map(|c| items(&c["ports"]));
    ports
        .filter(|port| int(&port["hostPort"]) > 0)
        .map(|port| format!("{}/{}", port["protocol"].as_str().unwrap_or("TCP"), int(&port["hostPort"])))
        .collect()
}

/// Why a node has no room for a pod. A node that does not say what it has, has enough.
pub(super) fn misfits(pod: &Value, node: &Value, taken: Option<&Node>) -> Vec<Misfit> {
    if let Some(taken) = taken
        && host_ports(pod).iter().any(|port| taken.ports.contains_key(port))
    {
        return vec![Misfit::Ports];
    }
    let Some(allocatable) = node["status"]["allocatable"].as_object() else { return Vec::new() };
    let has = |name: &str| allocatable.get(name).and_then(Quantity::read).unwrap_or_default();
    let mut misfits = Vec::new();
    let pods = i64::try_from(taken.map_or(0, |taken| taken.pods)).unwrap_or(i64::MAX);
    if Quantity::of(pods.saturating_add(1)) > has("pods") {
        misfits.push(Misfit::TooManyPods);
    }
    for (name, wanted) in requests(pod) {
        let used = taken.and_then(|taken| taken.requested.get(&name)).copied().unwrap_or_default();
        if wanted.is_positive() && wanted > has(&name) {
            misfits.push(Misfit::NeverEnough(name));
        } else if wanted.is_positive() && wanted > has(&name).minus(used) {
            misfits.push(Misfit::Insufficient(name));
        }
    }
    misfits
}

/// How much a node's taints speak against a pod that may run there all the same.
pub(super) fn soft_taints(pod: &Value, node: &Value) -> i64 {
    let taints = items(&node["spec"]["taints"]).iter();
    let bad = taints
        .filter(|t| text(&t["effect"]) == "PreferNoSchedule" && !super::fit::tolerated(&pod["spec"], t));
    i64::try_from(bad.count()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_resource_that_is_short_is_told() {
        let node = json!({"status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "1"}}});
        let pod = |requests: Value| json!({"spec": {"containers": [{"resources": {"requests": requests}}]}});
        let mut taken = Node { pods: 0, ..Node::default() };
        taken.requested.insert("cpu".into(), Quantity::parse("1500m").unwrap());
        let short = |name: &str| Misfit::Insufficient(name.into());
        let never = |name: &str| Misfit::NeverEnough(name.into());
        let cases = [
            (json!({"cpu": "500m"}), vec![]),
            (json!({"cpu": "501m", "memory": "2Gi"}), vec![short("cpu"), never("memory")]),
            (json!({"example.com/gpu": 1}), vec![never("example.com/gpu")]),
            (json!({}), vec![]),
        ];
        for (requests, expected) in cases {
            assert_eq!(misfits(&pod(requests.clone()), &node, Some(&taken)), expected, "{requests}");
        }
        taken.pods = 1;
        assert_eq!(misfits(&pod(json!({})), &node, Some(&taken)), [Misfit::TooManyPods]);
        assert_eq!(misfits(&pod(json!({"cpu": "99"})), &json!({"spec": {}}), None), []);
        let ported = json!({"spec": {"containers": [{"ports": [{"containerPort": 1, "hostPort": 80}]}]}});
        taken.ports.insert("TCP/80".into(), 1);
        assert_eq!(misfits(&ported, &node, Some(&taken)), [Misfit::Ports]);
    }
}
