//! Services: ports, addresses, and what a kind of Service needs.
//!
//! The rules are those of `ValidateService` in Kubernetes' core validation.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::Value;

use super::{
    network::{NETWORK, PROTOCOLS, is_network, named_port},
    pod::port_number,
};
use crate::api::{
    invalid::Errors,
    json::{is_nothing, items, text},
    names,
};

/// How many seconds a client can keep its endpoint.
const LONGEST_AFFINITY: i64 = 86_400;

/// Complaints about the spec of a Service.
pub(super) fn content(spec: &Value, errors: &mut Errors) {
    let (kind, address) = (text(&spec["type"]), &spec["clusterIP"]);
    let headless = address == "None";
    let before = errors.len();
    addresses(spec, errors);
    if errors.len() > before {
        return;
    }
    let ports = items(&spec["ports"]);
    if ports.is_empty() && !headless && kind != "ExternalName" {
        errors.required("spec.ports", "");
    }
    match kind {
        "NodePort" | "LoadBalancer" if headless => {
            let why = format!("may not be set to 'None' for {kind} services");
            errors.invalid("spec.clusterIPs[0]", address, &why);
        }
        "ExternalName" => external_name(&spec["externalName"], errors),
        _ => {}
    }
    service_ports(ports, errors);
    names::check_labels(&"spec.selector", &spec["selector"], errors);
    let affinities = ["ClientIP", "None"];
    if !affinities.contains(&text(&spec["sessionAffinity"])) {
        errors.unsupported("spec.sessionAffinity", &spec["sessionAffinity"], &affinities);
    }
    affinity(spec, errors);
    for (index, address) in items(&spec["externalIPs"]).iter().enumerate() {
        names::check_address(&format_args!("spec.externalIPs[{index}]"), address, errors);
    }
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !types.contains(&kind) {
        errors.unsupported("spec.type", &spec["type"], &types);
    }
    source_ranges(kind, items(&spec["loadBalancerSourceRanges"]), errors);
    external_traffic(kind, &spec["externalTrafficPolicy"], items(&spec["externalIPs"]).is_empty(), errors);
    let (policy, policies) = (&spec["internalTrafficPolicy"], ["Cluster", "Local"]);
    if !policy.is_null() && !policies.contains(&text(policy)) {
        errors.unsupported("spec.internalTrafficPolicy", policy, &policies);
    }
}

/// How long a client keeps its endpoint (`validateClientIPAffinityConfig`).
fn affinity(spec: &Value, errors: &mut Errors) {
    let (config, field) = (&spec["sessionAffinityConfig"], "spec.sessionAffinityConfig");
    match text(&spec["sessionAffinity"]) {
        "ClientIP" => {
            let seconds = &config["clientIP"]["timeoutSeconds"];
            if seconds.as_i64().is_some_and(|seconds| !(1..=LONGEST_AFFINITY).contains(&seconds)) {
                let why = format!("must be greater than 0 and less than {LONGEST_AFFINITY}");
                errors.invalid(format_args!("{field}.clientIP.timeoutSeconds"), seconds, &why);
            }
        }
        "None" if !config.is_null() => {
            errors.forbidden(field, "must not be set when session affinity is None");
        }
        _ => {}
    }
}

/// The kinds of addresses that a Service has. They are given out before all else is looked at, so that these complaints
/// come alone (`ValidateServiceClusterIPsRelatedFields`); the cluster has one kind.
fn addresses(spec: &Value, errors: &mut Errors) {
    if spec["type"] == "ExternalName" {
        return;
    }
    let (families, known, before) = (items(&spec["ipFamilies"]), ["IPv4", "IPv6"], errors.len());
    for (index, family) in families.iter().enumerate() {
        let field = format_args!("spec.ipFamilies[{index}]");
        if !known.contains(&text(family)) {
            errors.unsupported(field, family, &known);
        }
        if families[..index].contains(family) {
            errors.duplicate(field, family);
        }
    }
    let (policy, policies) =
        (&spec["ipFamilyPolicy"], ["PreferDualStack", "RequireDualStack", "SingleStack"]);
    if !policy.is_null() && !policies.contains(&text(policy)) {
        errors.unsupported("spec.ipFamilyPolicy", policy, &policies);
    }
    let address = &spec["clusterIP"];
    if !matches!(text(address), "" | "None") && text(address).parse::<IpAddr>().is_err() {
        names::check_address(&"spec.clusterIPs[0]", address, errors);
    }
    let nobodys = address == "None" && is_nothing(&spec["selector"]);
    if errors.len() > before || nobodys {
        return;
    }
    if policy == "RequireDualStack" {
        let why = "this cluster is not configured for dual-stack services";
        errors.invalid("spec.ipFamilyPolicy", policy, why);
    }
    for (index, family) in families.iter().enumerate().filter(|(_, family)| *family != "IPv4") {
        errors.invalid(format_args!("spec.ipFamilies[{index}]"), family, "not configured on this cluster");
    }
}

/// Who may come through a load balancer. Its path in the API server begins with a capital.
fn source_ranges(kind: &str, ranges: &[Value], errors: &mut Errors) {
    let field = "spec.LoadBalancerSourceRanges";
    if !ranges.is_empty() && kind != "LoadBalancer" {
        errors.forbidden(field, "may only be used when `type` is 'LoadBalancer'");
    }
    for (index, range) in ranges.iter().enumerate() {
        let range = text(range).trim();
        if !is_network(range) {
            errors.invalid(format_args!("{field}[{index}]"), &range.into(), NETWORK);
        }
    }
}

/// Complaints about a change of a Service's spec: its address stays as long as it has one.
pub(super) fn change(old: &Value, new: &Value, errors: &mut Errors) {
    let headless = |spec: &Value| spec["clusterIP"] == "None";
    let named = |spec: &Value| spec["type"] == "ExternalName";
    if named(old) || named(new) || headless(old) && headless(new) {
        return;
    }
    let (was, is) = (items(&old["clusterIPs"]), items(&new["clusterIPs"]));
    if is.is_empty() && !was.is_empty() {
        errors.invalid("spec.clusterIPs[0]", &new["clusterIPs"], "primary clusterIP can not be unset");
    }
    for (index, _) in was.iter().zip(is).enumerate().filter(|(_, (was, is))| was != is) {
        errors.invalid(
            format_args!("spec.clusterIPs[{index}]"),
            &new["clusterIPs"],
            "may not change once set",
        );
    }
}

fn external_name(name: &Value, errors: &mut Errors) {
    // A dot at the end makes it no other name.
    let bare = text(name).strip_suffix('.').unwrap_or(text(name));
    if bare.is_empty() {
        errors.required("spec.externalName", "");
    } else {
        names::check_subdomain(&"spec.externalName", &bare.into(), errors);
    }
}

fn service_ports(ports: &[Value], errors: &mut Errors) {
    let (mut taken, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in ports.iter().enumerate() {
        let path = format_args!("spec.ports[{index}]");
        let name = &port["name"];
        if text(name).is_empty() {
            if ports.len() > 1 {
                errors.required(format_args!("{path}.name"), "");
            }
        } else {
            names::check_label(&format_args!("{path}.name"), name, errors);
            if !taken.insert(text(name)) {
                errors.duplicate(format_args!("{path}.name"), name);
            }
        }
        port_number(&format_args!("{path}.port"), &port["port"], errors);
        if !PROTOCOLS.contains(&text(&port["protocol"])) {
            errors.unsupported(format_args!("{path}.protocol"), &port["protocol"], &PROTOCOLS);
        }
        named_port(&format_args!("{path}.targetPort"), &port["targetPort"], errors);
        if !numbers.insert((text(&port["protocol"]), port["port"].as_i64())) {
            errors.duplicate(path, &serde_json::json!({"port": port["port"], "protocol": port["protocol"]}));
        }
    }
}

fn external_traffic(kind: &str, policy: &Value, inside_only: bool, errors: &mut Errors) {
    let field = "spec.externalTrafficPolicy";
    let policies = ["Cluster", "Local"];
    if text(policy).is_empty() {
        return;
    }
    if !matches!(kind, "NodePort" | "LoadBalancer") && inside_only {
        errors.invalid(field, policy, "may only be set for externally-accessible services");
    } else if !policies.contains(&text(policy)) {
        errors.unsupported(field, policy, &policies);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_service(more: &Value) -> Vec<String> {
        let port = json!({"port": 80, "protocol": "TCP", "targetPort": 80});
        let mut spec = json!({"type": "ClusterIP", "sessionAffinity": "None", "ports": [port]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut errors = Errors::default();
        content(&spec, &mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ports_of_services() {
        let port = |name: &str, number: u32| json!({"name": name, "port": number, "protocol": "TCP", "targetPort": 80});
        assert_eq!(of_service(&json!({"ports": [port("", 80)]})), [""; 0]);
        assert_eq!(
            of_service(&json!({"ports": [port("", 80), port("", 81)]})),
            ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"]
        );
        assert_eq!(
            of_service(&json!({"ports": [port("a", 80), port("a", 81)]})),
            ["spec.ports[1].name: Duplicate value: \"a\""]
        );
        assert!(
            of_service(&json!({"ports": [port("a", 80), port("b", 80)]}))[0]
                .starts_with("spec.ports[1]: Duplicate value: ")
        );
        let mut named = port("", 80);
        named["targetPort"] = json!("a_b");
        assert!(
            of_service(&json!({"ports": [named]}))[0]
                .starts_with("spec.ports[0].targetPort: Invalid value: \"a_b\": must")
        );
    }

    #[test]
    fn kinds_of_services() {
        assert_eq!(
            of_service(&json!({"type": "NodePort", "clusterIP": "None"})),
            ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"]
        );
        assert_eq!(
            of_service(&json!({"type": "ExternalName", "ports": []})),
            ["spec.externalName: Required value"]
        );
        assert_eq!(
            of_service(&json!({"type": "ExternalName", "externalName": "a.b.", "ports": []})),
            [""; 0]
        );
        assert!(
            of_service(&json!({"clusterIP": "x"}))[0]
                .starts_with("spec.clusterIPs[0]: Invalid value: \"x\": must be a valid IP address")
        );
        assert_eq!(
            of_service(&json!({"externalTrafficPolicy": "Local"})),
            [
                "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services"
            ]
        );
    }

    #[test]
    fn what_a_cluster_can_do_for_services() {
        let field = "spec.LoadBalancerSourceRanges";
        for (more, told) in [
            (json!({"ipFamilyPolicy": "RequireDualStack"}),
                vec!["spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services".into()]),
            (json!({"ipFamilyPolicy": "PreferDualStack"}), vec![]),
            (json!({"ipFamilyPolicy": "RequireDualStack", "clusterIP": "None", "ipFamilies": ["IPv6"]}), vec![]),
            (json!({"ipFamilies": ["IPv6"], "type": "Odd"}),
                vec!["spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster".into()]),
            (json!({"ipFamilyPolicy": "Both"}),
                vec!["spec.ipFamilyPolicy: Unsupported value: \"Both\": supported values: \"PreferDualStack\", \"RequireDualStack\", \"SingleStack\"".into()]),
            (json!({"internalTrafficPolicy": "Far"}),
                vec!["spec.internalTrafficPolicy: Unsupported value: \"Far\": supported values: \"Cluster\", \"Local\"".to_owned()]),
            (json!({"loadBalancerSourceRanges": ["10.0.0.0/8"]}),
                vec![format!("{field}: Forbidden: may only be used when `type` is 'LoadBalancer'")]),
            (json!({"type": "LoadBalancer", "loadBalancerSourceRanges": [" 10.0.0.0/8", "10.0.0.0"]}),
                vec![format!("{field}[1]: Invalid value: \"10.0.0.0\": {NETWORK}")]),
            (json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}}),
                vec!["spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400".into()]),
            (json!({"ipFamilies": ["IPv4", "IPv4", "IPv5"]}),
                vec!["spec.ipFamilies[1]: Duplicate value: \"IPv4\"".into(),
                    "spec.ipFamilies[2]: Unsupported value: \"IPv5\": supported values: \"IPv4\", \"IPv6\"".into()]),
        ] {
            assert_eq!(of_service(&more), told, "{more}");
        }
    }
}
