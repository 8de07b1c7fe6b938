//! Defaults of Services and network policies.

use serde_json::{Value, json};

use crate::api::json::{default, default_text, is_nothing, items_mut};

/// How long a client keeps its endpoint, in seconds.
const AFFINITY: i64 = 10_800;

/// Defaults of a Service (`SetDefaults_Service` in Kubernetes' core defaults).
pub(super) fn service(object: &mut Value) {
    default(object, "spec", json!({}));
    let spec = &mut object["spec"];
    default_text(spec, "type", "ClusterIP");
    default_text(spec, "sessionAffinity", "None");
    match spec["sessionAffinity"].as_str() {
        Some("None") => drop(spec.as_object_mut().map(|spec| spec.remove("sessionAffinityConfig"))),
        Some("ClientIP") if spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].is_null() => {
            spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": AFFINITY}});
        }
        _ => {}
    }
    if spec["type"] != "ExternalName" {
        default_text(spec, "internalTrafficPolicy", "Cluster");
    }
    if matches!(spec["type"].as_str(), Some("NodePort" | "LoadBalancer")) {
        default_text(spec, "externalTrafficPolicy", "Cluster");
    }
    if spec["type"] == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    for port in items_mut(spec, "ports") {
        default_text(port, "protocol", "TCP");
        let number = port["port"].clone();
        default(port, "targetPort", number);
    }
}

/// The kinds of addresses of a new Service.
pub(super) fn families(object: &mut Value) {
    let spec = &mut object["spec"];
    if spec["type"] != "ExternalName" {
        default(spec, "ipFamilies", json!(["IPv4"]));
        default_text(spec, "ipFamilyPolicy", "SingleStack");
    }
}

/// Defaults of a NetworkPolicy: it is about what comes in, and about what goes out when it says something of that
/// (`SetDefaults_NetworkPolicy` in Kubernetes' networking defaults).
pub(super) fn policy(object: &mut Value) {
    default(object, "spec", json!({}));
    let spec = &mut object["spec"];
    if is_nothing(&spec["policyTypes"]) {
        let types =
            if is_nothing(&spec["egress"]) { json!(["Ingress"]) } else { json!(["Ingress", "Egress"]) };
        spec["policyTypes"] = types;
    }
    for list in ["ingress", "egress"] {
        for port in items_mut(spec, list).flat_map(|rule| items_mut(rule, "ports")) {
            default_text(port, "protocol", "TCP");
        }
    }
}
