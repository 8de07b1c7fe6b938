//! What a look at somebody's cluster shows: its nodes and their runtimes, and which ports are taken. It changes
//! nothing.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Node, Service};
use kube::{Api, Client, ResourceExt, api::ListParams};
use pulldrill_cluster::{dialect::Dialect, network::Cidr};

use super::ports::Taken;
use crate::LabError;

/// A node, as far as drills are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeSeen {
    /// Its name.
    pub(crate) name: String,
    /// The kubelet's version: `v1.36.1`.
    pub(crate) kubelet: String,
    /// The runtime with its version: `containerd://2.1.4`.
    pub(crate) runtime: String,
    /// Why no drill's pod comes to it; nothing when they do.
    pub(crate) unused: Option<String>,
}

/// All nodes; fails when there is none for drills.
pub(crate) async fn nodes(client: &Client) -> Result<Vec<NodeSeen>, LabError> {
    let api: Api<Node> = Api::all(client.clone());
    let list = api
        .list(&ListParams::default())
        .await
        .map_err(|error| LabError::part("cluster", format!("nodes: {error}")))?;
    let nodes: Vec<NodeSeen> = list.items.iter().map(seen).collect();
    if nodes.iter().any(|node| node.unused.is_none()) {
        return Ok(nodes);
    }
    let why = |node: &NodeSeen| format!("{}: {}", node.name, node.unused.as_deref().unwrap_or_default());
    let why: Vec<String> = nodes.iter().map(why).collect();
    Err(LabError::Invalid(format!("the cluster has no node for drills ({})", why.join("; "))))
}

fn seen(node: &Node) -> NodeSeen {
    let info = node.status.as_ref().and_then(|status| status.node_info.as_ref());
    let text = |of: fn(&k8s_openapi::api::core::v1::NodeSystemInfo) -> &String| {
        info.map(of).cloned().unwrap_or_default()
    };
    NodeSeen {
        name: node.name_any(),
        kubelet: text(|info| &info.kubelet_version),
        runtime: text(|info| &info.container_runtime_version),
        unused: unused(node, &text(|info| &info.operating_system)),
    }
}

fn unused(node: &Node, system: &str) -> Option<String> {
    let spec = node.spec.as_ref();
    let ready = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    if !ready.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") {
        return Some("it is not ready".into());
    }
    if spec.is_some_and(|spec| spec.unschedulable == Some(true)) {
        return Some("it is cordoned".into());
    }
    if !matches!(system, "linux" | "") {
        return Some(format!("it runs {system}"));
    }
    let mut taints = spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    let taint = taints.find(|taint| taint.effect != "PreferNoSchedule");
    taint.map(|taint| format!("it has the taint {}:{}", taint.key, taint.effect))
}

/// Those of the nodes that drills use.
pub(crate) fn used(nodes: &[NodeSeen]) -> impl Iterator<Item = &NodeSeen> {
    nodes.iter().filter(|node| node.unused.is_none())
}

/// What the nodes are, each kind once.
pub(crate) fn summary(nodes: &[NodeSeen]) -> String {
    let kinds: BTreeSet<String> =
        used(nodes).map(|node| format!("{} on {}", node.kubelet, node.runtime)).collect();
    format!("{} nodes for drills: {}", used(nodes).count(), kinds.into_iter().collect::<Vec<_>>().join(", "))
}

/// The nodes in the words of a dialect's name, and whether recordings prove that they talk so.
pub(crate) fn dialect(nodes: &[NodeSeen]) -> (String, bool) {
    let short = |version: &str| {
        let digits = version.trim_start_matches('v').split('.').take(2).collect::<Vec<_>>();
        digits.join(".")
    };
    let name = used(nodes).next().map(|node| {
        let (runtime, version) = node.runtime.split_once("://").unwrap_or((&node.runtime, ""));
        format!("k8s-{}-{runtime}-{}", short(&node.kubelet), short(version))
    });
    let name = name.unwrap_or_default();
    let proven = Dialect::named(&name).is_some_and(|dialect| dialect.verified);
    (name, proven)
}

/// Which ports are taken, as far as the account may see it.
pub(crate) async fn taken(client: &Client) -> Taken {
    let services: Api<Service> = Api::all(client.clone());
    let services = services.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
    let ports = services.iter().filter_map(|service| service.spec.as_ref()?.ports.as_ref()).flatten();
    let in_use = ports.filter_map(|port| u16::try_from(port.node_port?).ok()).collect();
    let nodes: Api<Node> = Api::all(client.clone());
    let nodes = nodes.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
    let images = nodes.iter().filter_map(|node| node.status.as_ref()?.images.as_ref()).flatten();
    let names = images.flat_map(|image| image.names.iter().flatten());
    let port = |name: &String| name.strip_prefix("localhost:")?.split_once('/')?.0.parse().ok();
    Taken { in_use, remembered: names.filter_map(port).collect() }
}

/// The addresses and networks that the cluster uses, as far as its objects tell.
pub(crate) async fn networks(client: &Client) -> Vec<Cidr> {
    let nodes: Api<Node> = Api::all(client.clone());
    let nodes = nodes.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
    let of_pods = nodes.iter().filter_map(|node| node.spec.as_ref()?.pod_cidrs.clone()).flatten();
    let addresses = nodes.iter().filter_map(|node| node.status.as_ref()?.addresses.as_ref()).flatten();
    let services: Api<Service> = Api::all(client.clone());
    let services = services.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
    let of_services = services.iter().filter_map(|service| service.spec.as_ref()?.cluster_ip.clone());
    let texts = of_pods.chain(addresses.map(|address| address.address.clone())).chain(of_services);
    texts.filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, spec: &serde_json::Value, ready: &str) -> NodeSeen {
        let node = json!({
            "metadata": {"name": name}, "spec": spec,
            "status": {
                "conditions": [{"type": "Ready", "status": ready}],
                "nodeInfo": {
                    "kubeletVersion": "v1.20.2", "containerRuntimeVersion": "containerd://1.7.24", "operatingSystem": "linux",
                    "architecture": "", "bootID": "", "kernelVersion": "", "kubeProxyVersion": "", "machineID": "",
                    "osImage": "", "systemUUID": "",
                },
            },
        });
        seen(&serde_json::from_value(node).unwrap())
    }

    #[test]
    fn nodes_that_no_pod_of_a_drill_comes_to_are_told_with_the_reason() {
        let control =
            json!({"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]});
        let nodes = [
            node("a", &control, "True"),
            node("b", &json!({"unschedulable": true}), "True"),
            node("c", &json!({}), "False"),
            node("d", &json!({"taints": [{"key": "x", "effect": "PreferNoSchedule"}]}), "True"),
        ];
        let reasons: Vec<bool> = nodes.iter().map(|node| node.unused.is_some()).collect();
        assert_eq!(reasons, [true, true, true, false]);
        assert!(nodes[0].unused.as_ref().unwrap().contains("control-plane"));
        assert_eq!(dialect(&nodes), ("k8s-1.20-containerd-1.7".into(), true));
        assert_eq!(summary(&nodes), "1 nodes for drills: v1.20.2 on containerd://1.7.24");
    }
}
