//! Which nodes a pod may run on: cordons, taints, node selectors and required node affinity.

use serde_json::Value;

use crate::controllers::{
    json::{items, text},
    meta::name,
    selector::expression,
};

/// The taint that a cordoned node also carries.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Why a pod may not run on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The node is cordoned.
    Unschedulable,
    /// The pod's node selector or affinity wants another node.
    Affinity,
    /// The node has a taint that the pod does not tolerate.
    Taint {
        /// The taint's key.
        key: String,
        /// The taint's value.
        value: String,
        /// Whether it also drives away what runs.
        no_execute: bool,
    },
    /// Another pod has a port of the node that the pod wants.
    Ports,
    /// The node runs as many pods as it may.
    TooManyPods,
    /// The node has too little left of a resource.
    Insufficient(String),
    /// The node has less of a resource than the pod asks for, even when it is empty.
    NeverEnough(String),
    /// No pod that the pod wants to be with is in the node's domain.
    PodAffinity,
    /// A pod that the pod does not want to be with is there.
    PodAntiAffinity,
    /// A pod is there that does not want to be with this one.
    ExistingAntiAffinity,
    /// The pods would be spread too unevenly.
    Spread,
    /// The node is in no domain over which the pods are spread.
    SpreadLabel,
}

impl Misfit {
    /// Whether it could help that other pods go.
    pub(crate) fn is_curable(&self) -> bool {
        match self {
            Self::Unschedulable
            | Self::Affinity
            | Self::Taint { .. }
            | Self::PodAffinity
            | Self::NeverEnough(_)
            | Self::SpreadLabel => false,
            Self::Ports
            | Self::TooManyPods
            | Self::Insufficient(_)
            | Self::PodAntiAffinity
            | Self::ExistingAntiAffinity
            | Self::Spread => true,
        }
    }
}

/// The first reason why `pod` may not run on `node`.
pub(crate) fn misfit(pod: &Value, node: &Value) -> Option<Misfit> {
    let spec = &pod["spec"];
    let cordon = serde_json::json!({"key": UNSCHEDULABLE, "effect": "NoSchedule"});
    if node["spec"]["unschedulable"] == true && !tolerated(spec, &cordon) {
        return Some(Misfit::Unschedulable);
    }
    let taint = items(&node["spec"]["taints"])
        .iter()
        .find(|t| matches!(text(&t["effect"]), "NoSchedule" | "NoExecute") && !tolerated(spec, t));
    if let Some(taint) = taint {
        return Some(Misfit::Taint {
            key: text(&taint["key"]).to_owned(),
            value: text(&taint["value"]).to_owned(),
            no_execute: taint["effect"] == "NoExecute",
        });
    }
    (!selected(spec, node)).then_some(Misfit::Affinity)
}

pub(super) fn tolerated(spec: &Value, taint: &Value) -> bool {
    items(&spec["tolerations"]).iter().any(|toleration| tolerates(toleration, taint))
}

/// Whether a toleration is for a taint.
pub(crate) fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let (key, effect) = (text(&toleration["key"]), text(&toleration["effect"]));
    let exists = text(&toleration["operator"]) == "Exists";
    (effect.is_empty() || effect == text(&taint["effect"]))
        && if key.is_empty() { exists } else { key == text(&taint["key"]) }
        && (exists || text(&toleration["value"]) == text(&taint["value"]))
}

/// Whether node selector and required affinity accept the node.
pub(crate) fn selected(spec: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let selector = spec["nodeSelector"].as_object();
    if !selector.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value)) {
        return false;
    }
    let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    if !required.is_object() {
        return true;
    }
    items(&required["nodeSelectorTerms"]).iter().any(|term| term_matches(term, node))
}

/// Whether a node selector term accepts the node; an empty one accepts none.
pub(super) fn term_matches(term: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let (labelled, named) = (items(&term["matchExpressions"]), items(&term["matchFields"]));
    !(labelled.is_empty() && named.is_empty())
        && labelled.iter().all(|e| expression(e, labels.get(text(&e["key"])).and_then(Value::as_str)))
        && named.iter().all(|e| text(&e["key"]) == "metadata.name" && expression(e, Some(name(node))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_are_refused_for_the_right_reason() {
        let node = json!({"metadata": {"name": "n1", "labels": {"disk": "ssd"}}, "spec": {}});
        let cordoned = json!({"metadata": {"name": "n1"}, "spec": {"unschedulable": true}});
        let tainted = json!({"metadata": {"name": "n1"}, "spec": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]}});
        let soft = json!({"metadata": {"name": "n1"}, "spec": {"taints": [{"key": "a", "effect": "PreferNoSchedule"}]}});
        let plain = json!({"spec": {}});
        let pod = |spec: Value| json!({"spec": spec});
        let affine = |field: &str, key: &str, value: &str| {
            pod(json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [{field: [{"key": key, "operator": "In", "values": [value]}]}]}}}}))
        };
        let taint = Some(Misfit::Taint { key: "a".into(), value: "b".into(), no_execute: false });
        let cases = [
            (plain.clone(), &node, None),
            (plain.clone(), &soft, None),
            (plain.clone(), &cordoned, Some(Misfit::Unschedulable)),
            (plain, &tainted, taint.clone()),
            (pod(json!({"tolerations": [{"operator": "Exists"}]})), &tainted, None),
            (pod(json!({"tolerations": [{"key": "a", "value": "b"}]})), &tainted, None),
            (pod(json!({"tolerations": [{"key": "a", "value": "c"}]})), &tainted, taint),
            (pod(json!({"tolerations": [{"key": UNSCHEDULABLE, "operator": "Exists"}]})), &cordoned, None),
            (pod(json!({"nodeSelector": {"disk": "ssd"}})), &node, None),
            (pod(json!({"nodeSelector": {"disk": "hdd"}})), &node, Some(Misfit::Affinity)),
            (affine("matchExpressions", "disk", "ssd"), &node, None),
            (affine("matchExpressions", "disk", "hdd"), &node, Some(Misfit::Affinity)),
            (affine("matchFields", "metadata.name", "n1"), &node, None),
            (affine("matchFields", "metadata.name", "n2"), &node, Some(Misfit::Affinity)),
        ];
        for (pod, node, expected) in cases {
            assert_eq!(misfit(&pod, node), expected, "{pod} on {node}");
        }
    }
}
