//! Endpoints, ingresses and network policies: ports, addresses, and what a kind of each needs.
//!
//! The rules are those of `ValidateEndpoints` in Kubernetes' core validation, and of its
//! networking validation.

use std::net::IpAddr;

use serde_json::Value;

use super::pod::port_number;
use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

pub(super) const NETWORK: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
pub(super) const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// Complaints about an object of a resource, if it is one of these.
pub(super) fn content(resource: &str, object: &Value, errors: &mut Errors) {
    match resource {
        "endpoints" => endpoints(object, errors),
        "ingresses.networking.k8s.io" => ingress(&object["spec"], errors),
        "networkpolicies.networking.k8s.io" => policy(&object["spec"], errors),
        _ => {}
    }
}

/// A port by its number or its name.
pub(super) fn named_port(field: FieldPath<'_>, port: &Value, errors: &mut Errors) {
    match port {
        Value::String(_) => names::check_port(field, port, errors),
        _ => port_number(field, port, errors),
    }
}

fn endpoints(object: &Value, errors: &mut Errors) {
    for (s, subset) in items(&object["subsets"]).iter().enumerate() {
        let path = format_args!("subsets[{s}]");
        if items(&subset["addresses"]).is_empty() && items(&subset["notReadyAddresses"]).is_empty() {
            errors.required(path, "must specify `addresses` or `notReadyAddresses`");
        }
        for list in ["addresses", "notReadyAddresses"] {
            for (index, address) in items(&subset[list]).iter().enumerate() {
                endpoint(&format_args!("{path}.{list}[{index}].ip"), &address["ip"], errors);
            }
        }
        let several = items(&subset["ports"]).len() > 1;
        for (index, port) in items(&subset["ports"]).iter().enumerate() {
            let path = format_args!("{path}.ports[{index}]");
            if several && text(&port["name"]).is_empty() {
                errors.required(format_args!("{path}.name"), "");
            }
            port_number(&format_args!("{path}.port"), &port["port"], errors);
        }
    }
}

fn endpoint(field: FieldPath<'_>, address: &Value, errors: &mut Errors) {
    match text(address).parse::<IpAddr>() {
        Err(_) => names::check_address(field, address, errors),
        Ok(parsed) if parsed.is_unspecified() => {
            errors.invalid(field, address, &format!("may not be unspecified ({parsed})"));
        }
        Ok(parsed) if parsed.is_loopback() => {
            errors.invalid(field, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
        }
        Ok(_) => {}
    }
}

fn ingress(spec: &Value, errors: &mut Errors) {
    let types = ["Exact", "ImplementationSpecific", "Prefix"];
    if items(&spec["rules"]).is_empty() && spec["defaultBackend"].is_null() && spec["backend"].is_null() {
        errors.invalid("spec", spec, "either `defaultBackend` or `rules` must be specified");
    }
    if spec["defaultBackend"].is_object() {
        backend(&"spec.defaultBackend", &spec["defaultBackend"], errors);
    }
    for (r, rule) in items(&spec["rules"]).iter().enumerate() {
        let host = text(&rule["host"]);
        let bare = host.strip_prefix("*.").unwrap_or(host);
        if !bare.is_empty() {
            names::check_subdomain(&format_args!("spec.rules[{r}].host"), &bare.into(), errors);
        }
        for (p, path) in items(&rule["http"]["paths"]).iter().enumerate() {
            let field = format_args!("spec.rules[{r}].http.paths[{p}]");
            match path["pathType"].as_str() {
                None => errors.required(format_args!("{field}.pathType"), "pathType must be specified"),
                Some(kind) if !types.contains(&kind) => {
                    errors.unsupported(format_args!("{field}.pathType"), &path["pathType"], &types);
                }
                Some("ImplementationSpecific") => {}
                Some(_) if !text(&path["path"]).starts_with('/') => {
                    errors.invalid(format_args!("{field}.path"), &path["path"], "must be an absolute path");
                }
                Some(_) => {}
            }
            backend(&format_args!("{field}.backend"), &path["backend"], errors);
        }
    }
    if !text(&spec["ingressClassName"]).is_empty() {
        names::check_subdomain(&"spec.ingressClassName", &spec["ingressClassName"], errors);
    }
}

fn backend(path: FieldPath<'_>, backend: &Value, errors: &mut Errors) {
    let service = &backend["service"];
    if !service.is_object() {
        return;
    }
    let name = &service["name"];
    if text(name).is_empty() {
        errors.required(format_args!("{path}.service.name"), "");
    } else {
        names::check_label(&format_args!("{path}.service.name"), name, errors);
    }
    let (number, named) = (service["port"]["number"].as_i64().unwrap_or(0), text(&service["port"]["name"]));
    match (number, named) {
        (0, "") => errors.required(path, "port name or number is required"),
        (0, _) => {
            names::check_port(&format_args!("{path}.service.port.name"), &service["port"]["name"], errors);
        }
        (_, "") => {
            port_number(&format_args!("{path}.service.port.number"), &service["port"]["number"], errors);
        }
        _ => errors.invalid(path, &"".into(), "cannot set both port name & port number"),
    }
}

fn policy(spec: &Value, errors: &mut Errors) {
    super::scheduling::label_selector(&"spec.podSelector", &spec["podSelector"], errors);
    for (list, peers) in [("ingress", "from"), ("egress", "to")] {
        for (r, rule) in items(&spec[list]).iter().enumerate() {
            let path = format_args!("spec.{list}[{r}]");
            for (index, port) in items(&rule["ports"]).iter().enumerate() {
                let path = format_args!("{path}.ports[{index}]");
                if !matches!(text(&port["protocol"]), "" | "SCTP" | "TCP" | "UDP") {
                    errors.unsupported(format_args!("{path}.protocol"), &port["protocol"], &PROTOCOLS);
                }
                if !port["port"].is_null() {
                    named_port(&format_args!("{path}.port"), &port["port"], errors);
                }
            }
            for (index, peer) in items(&rule[peers]).iter().enumerate() {
                self::peer(&format_args!("{path}.{peers}[{index}]"), peer, errors);
            }
        }
    }
    let types = ["Ingress", "Egress"];
    for (index, kind) in items(&spec["policyTypes"]).iter().enumerate() {
        if !types.contains(&text(kind)) {
            errors.unsupported(format_args!("spec.policyTypes[{index}]"), kind, &types);
        }
    }
}

fn peer(path: FieldPath<'_>, peer: &Value, errors: &mut Errors) {
    let selectors = ["podSelector", "namespaceSelector"];
    let selects = selectors.into_iter().filter(|selector| peer[*selector].is_object());
    for selector in selects.clone() {
        super::scheduling::label_selector(&format_args!("{path}.{selector}"), &peer[selector], errors);
    }
    let (block, selects) = (&peer["ipBlock"], selects.count() > 0);
    match (block.is_object(), selects) {
        (false, false) => errors.required(path, "must specify a peer"),
        (true, true) => {
            errors.forbidden(path, "may not specify both ipBlock and another peer");
        }
        _ => {}
    }
    if block.is_object() && !is_network(text(&block["cidr"])) {
        let field = format_args!("{path}.ipBlock.cidr");
        match text(&block["cidr"]) {
            "" => errors.required(field, ""),
            _ => errors.invalid(field, &block["cidr"], NETWORK),
        }
    }
}

pub(super) fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= most)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(resource: &str, object: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        content(resource, object, &mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_of_endpoints() {
        let of = |ip: &str| told("endpoints", &json!({"subsets": [{"addresses": [{"ip": ip}]}]}));
        assert_eq!(of("10.0.0.1"), [""; 0]);
        assert!(of("127.0.0.1")[0].ends_with("may not be in the loopback range (127.0.0.0/8, ::1/128)"));
        assert!(
            of("x")[0].starts_with("subsets[0].addresses[0].ip: Invalid value: \"x\": must be a valid IP")
        );
        assert_eq!(
            told("endpoints", &json!({"subsets": [{}]})),
            ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]
        );
    }

    #[test]
    fn backends_of_ingresses() {
        let with = |port: Value| {
            let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": port}}});
            told("ingresses.networking.k8s.io", &json!({"spec": {"rules": [{"http": {"paths": [path]}}]}}))
        };
        assert_eq!(with(json!({"number": 80})), [""; 0]);
        assert_eq!(
            with(json!({})),
            ["spec.rules[0].http.paths[0].backend: Required value: port name or number is required"]
        );
        assert_eq!(with(json!({"number": 80, "name": "a"})).len(), 1);
    }

    #[test]
    fn peers_of_policies() {
        let from = |peer: Value| {
            told("networkpolicies.networking.k8s.io", &json!({"spec": {"ingress": [{"from": [peer]}]}}))
        };
        assert_eq!(from(json!({"podSelector": {}})), [""; 0]);
        assert_eq!(from(json!({"ipBlock": {"cidr": "10.0.0.0/8"}})), [""; 0]);
        assert_eq!(from(json!({})), ["spec.ingress[0].from[0]: Required value: must specify a peer"]);
        assert!(from(json!({"ipBlock": {"cidr": "10.0.0.0/33"}}))[0].contains("must be a valid CIDR"));
        assert_eq!(
            told("networkpolicies.networking.k8s.io", &json!({"spec": {"policyTypes": ["Foo"]}})),
            ["spec.policyTypes[0]: Unsupported value: \"Foo\": supported values: \"Ingress\", \"Egress\""]
        );
    }
}
