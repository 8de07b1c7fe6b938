//! What can be wrong with the parts of a pod that have rules of their own: ports, tolerations, DNS, aliases of hosts.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pod::port_number;
use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

/// Complaints about the ports of a container.
pub(super) fn ports(path: FieldPath<'_>, container: &Value, errors: &mut Errors) {
    let mut taken = BTreeSet::new();
    for (index, port) in items(&container["ports"]).iter().enumerate() {
        let path = format_args!("{path}.ports[{index}]");
        let name = text(&port["name"]);
        if !name.is_empty() {
            names::check_port(&format_args!("{path}.name"), &port["name"], errors);
            if !taken.insert(name) {
                errors.duplicate(format_args!("{path}.name"), &port["name"]);
            }
        }
        match port["containerPort"].as_i64() {
            Some(0) => errors.required(format_args!("{path}.containerPort"), ""),
            _ => port_number(&format_args!("{path}.containerPort"), &port["containerPort"], errors),
        }
        if port["hostPort"].as_i64().is_some_and(|port| port != 0) {
            port_number(&format_args!("{path}.hostPort"), &port["hostPort"], errors);
        }
        let protocols = ["SCTP", "TCP", "UDP"];
        if !matches!(text(&port["protocol"]), "" | "SCTP" | "TCP" | "UDP") {
            errors.unsupported(format_args!("{path}.protocol"), &port["protocol"], &protocols);
        }
    }
}

/// Since this minor version the port of the host is the one that is wrong when the two differ, and the value of a toleration
/// is shown, not all of it.
const OTHER_PORT: u32 = 28;
const VALUE_SHOWN: u32 = 32;

/// Complaints about the ports of containers that have the network of their host: they are the host's
/// (`validatePodHostNetworkDeps`).
pub(super) fn host_network(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    if spec["hostNetwork"] != true {
        return;
    }
    let (wrong, right) = if errors.release().since(OTHER_PORT) {
        ("hostPort", "containerPort")
    } else {
        ("containerPort", "hostPort")
    };
    for (at, container) in items(&spec["containers"]).iter().enumerate() {
        for (index, port) in items(&container["ports"]).iter().enumerate() {
            if port["hostPort"].as_i64().is_some_and(|host| host != 0 && port["containerPort"] != host) {
                let field = format_args!("{path}.containers[{at}].ports[{index}].{wrong}");
                let why = format!("must match `{right}` when `hostNetwork` is true");
                errors.invalid(field, &port[wrong], &why);
            }
        }
    }
}

/// Complaints about what a pod puts up with (`ValidateTolerations`).
pub(super) fn tolerations(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    for (index, toleration) in items(&spec["tolerations"]).iter().enumerate() {
        let path = format_args!("{path}.tolerations[{index}]");
        let (key, operator) = (&toleration["key"], &toleration["operator"]);
        let (value, effect) = (&toleration["value"], &toleration["effect"]);
        if !text(key).is_empty() {
            names::check_qualified(&format_args!("{path}.key"), key, errors);
        } else if operator != "Exists" {
            let why =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(format_args!("{path}.operator"), &text(operator).into(), why);
        }
        if !toleration["tolerationSeconds"].is_null() && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(format_args!("{path}.effect"), &text(effect).into(), why);
        }
        let field = format_args!("{path}.operator");
        match text(operator) {
            "Exists" if !text(value).is_empty() => {
                let why = "value must be empty when `operator` is 'Exists'";
                if errors.release().since(VALUE_SHOWN) {
                    errors.invalid(field, value, why);
                } else {
                    errors.invalid_shown(field, &as_its_type(toleration), why);
                }
            }
            "" | "Equal" => names::check_label_value(&field, value, errors),
            "Exists" | "Gt" | "Lt" => {}
            _ => errors.unsupported(field, operator, &["Equal", "Exists"]),
        }
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        if !text(effect).is_empty() && !effects.contains(&text(effect)) {
            errors.unsupported(format_args!("{path}.effect"), effect, &effects);
        }
    }
}

/// The toleration as Go prints the API server's own type. Where a number lies in memory can't be told.
fn as_its_type(toleration: &Value) -> String {
    let [key, operator, value, effect] =
        ["key", "operator", "value", "effect"].map(|field| text(&toleration[field]));
    format!(
        "core.Toleration{{Key:{key:?}, Operator:{operator:?}, Value:{value:?}, Effect:{effect:?}, TolerationSeconds:(*int64)(nil)}}"
    )
}

/// How many name servers and search paths a pod may have, and how long these may be together: what the C library reads.
const MOST_SERVERS: usize = 3;
const MOST_SEARCHES: usize = 32;
const LONGEST_SEARCHES: usize = 2048;

/// Complaints about a pod's own name servers (`validatePodDNSConfig`).
pub(super) fn dns(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    let (config, path) = (&spec["dnsConfig"], format_args!("{path}.dnsConfig"));
    let servers = items(&config["nameservers"]);
    if spec["dnsPolicy"] == "None" {
        if !config.is_object() {
            return errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.is_empty() {
            let need = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return errors.required(format_args!("{path}.nameservers"), need);
        }
    }
    if servers.len() > MOST_SERVERS {
        let why = format!("must not have more than {MOST_SERVERS} nameservers");
        errors.invalid(format_args!("{path}.nameservers"), &config["nameservers"], &why);
    }
    for (index, server) in servers.iter().enumerate() {
        names::check_address(&format_args!("{path}.nameservers[{index}]"), server, errors);
    }
    let (field, searches) = (format_args!("{path}.searches"), items(&config["searches"]));
    if searches.len() > MOST_SEARCHES {
        let why = format!("must not have more than {MOST_SEARCHES} search paths");
        errors.invalid(field, &config["searches"], &why);
    }
    let length = searches.iter().map(|search| text(search).len() + 1).sum::<usize>();
    if length > LONGEST_SEARCHES + 1 {
        let why = format!(
            "must not have more than {LONGEST_SEARCHES} characters (including spaces) in the search list"
        );
        errors.invalid(field, &config["searches"], &why);
    }
    for (index, option) in items(&config["options"]).iter().enumerate() {
        if text(&option["name"]).is_empty() {
            errors.required(format_args!("{path}.options[{index}]"), "must not be empty");
        }
    }
}

/// Complaints about the system that a pod says it is for (`validateOS`).
pub(super) fn operating_system(path: FieldPath<'_>, os: &Value, errors: &mut Errors) {
    let (name, known) = (&os["name"], ["linux", "windows"]);
    if !os.is_object() {
        return;
    }
    match text(name) {
        "" => errors.required(format_args!("{path}.name"), "cannot be empty"),
        other if !known.contains(&other) => errors.unsupported(path, name, &known),
        _ => {}
    }
}

/// Complaints about the lines that a pod adds to its `/etc/hosts`.
pub(super) fn host_aliases(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    for (index, alias) in items(&spec["hostAliases"]).iter().enumerate() {
        let path = format_args!("{path}.hostAliases[{index}]");
        names::check_address(&format_args!("{path}.ip"), &alias["ip"], errors);
        for (index, name) in items(&alias["hostnames"]).iter().enumerate() {
            names::check_subdomain(&format_args!("{path}.hostnames[{index}]"), name, errors);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaints(check: fn(FieldPath<'_>, &Value, &mut Errors), value: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        check(&"c", value, &mut errors);
        errors.into_vec().iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    #[test]
    fn ports_are_ports_and_have_names_of_their_own() {
        let container = json!({"ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 0},
            {"containerPort": 81, "hostPort": 70_000, "name": "web"}]});
        assert_eq!(
            complaints(ports, &container),
            [
                "c.ports[1].containerPort: Required value",
                "c.ports[2].name: Duplicate value: \"web\"",
                "c.ports[2].hostPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            ]
        );
        let spec = json!({"hostNetwork": true, "containers": [container]});
        let of = |minor: u32| {
            let mut errors = Errors::of(crate::release::Release::minor(minor));
            host_network(&"c", &spec, &mut errors);
            errors.into_vec().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let why = "must match `hostPort` when `hostNetwork` is true";
        assert_eq!(of(20), [format!("c.containers[0].ports[2].containerPort: Invalid value: 81: {why}")]);
        let why = "must match `containerPort` when `hostNetwork` is true";
        assert_eq!(of(36), [format!("c.containers[0].ports[2].hostPort: Invalid value: 70000: {why}")]);
        assert_eq!(complaints(host_network, &json!({"containers": [container]})), Vec::<String>::new());
    }

    #[test]
    fn pods_with_no_dns_bring_their_own() {
        assert_eq!(complaints(dns, &json!({"dnsPolicy": "ClusterFirst"})), [""; 0]);
        let why = "c.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None";
        assert_eq!(complaints(dns, &json!({"dnsPolicy": "None"})), [why]);
        let spec = json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1", "x"]}});
        let told = complaints(dns, &spec);
        assert!(
            told[0]
                .starts_with("c.dnsConfig.nameservers[1]: Invalid value: \"x\": must be a valid IP address")
        );
        let limits = json!({"dnsConfig": {"nameservers": ["::1", "::2", "::3", "::4"], "searches": vec!["a".repeat(70); 33],
            "options": [{"value": "x"}]}});
        let told = complaints(dns, &limits);
        assert!(told[0].ends_with("\"::4\"]: must not have more than 3 nameservers"), "{told:?}");
        assert!(told[1].ends_with("must not have more than 32 search paths"), "{told:?}");
        assert!(
            told[2]
                .ends_with("must not have more than 2048 characters (including spaces) in the search list")
        );
        assert_eq!(told[3..], ["c.dnsConfig.options[0]: Required value: must not be empty"]);
        assert_eq!(complaints(operating_system, &json!({"name": "linux"})), [""; 0]);
        let word = "c: Unsupported value: \"plan9\": supported values: \"linux\", \"windows\"";
        assert_eq!(complaints(operating_system, &json!({"name": "plan9"})), [word]);
        assert_eq!(complaints(operating_system, &json!({})), ["c.name: Required value: cannot be empty"]);
        let spec = json!({"hostAliases": [{"ip": "::1", "hostnames": ["a.b"]}, {"ip": "1.2.3", "hostnames": ["A_"]}]});
        let told = complaints(host_aliases, &spec);
        assert!(told[0].starts_with("c.hostAliases[1].ip: Invalid value: \"1.2.3\": must be a valid IP"));
        assert!(
            told[1].starts_with(
                "c.hostAliases[1].hostnames[0]: Invalid value: \"A_\": a lowercase RFC 1123 sub"
            )
        );
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn tolerations_make_sense() {
        let spec = json!({"tolerations": [{"operator": "Exists"}, {"operator": "Foo", "key": "k"}, {"key": ""},
            {"key": "k", "effect": "Never"}, {"key": "k", "effect": "NoSchedule", "tolerationSeconds": 3},
            {"key": "k", "operator": "Exists", "value": "x"}]});
        let told = complaints(tolerations, &spec);
        assert_eq!(told.len(), 5, "{told:?}");
        assert_eq!(
            told[4],
            "c.tolerations[5].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'"
        );
        assert_eq!(
            told[0],
            "c.tolerations[1].operator: Unsupported value: \"Foo\": supported values: \"Equal\", \"Exists\""
        );
        assert!(
            told[1].starts_with("c.tolerations[2].operator: Invalid value: \"\": operator must be Exists")
        );
        assert!(told[2].starts_with("c.tolerations[3].effect: Unsupported value: \"Never\""));
        assert!(
            told[3].starts_with("c.tolerations[4].effect: Invalid value: \"NoSchedule\": effect must be")
        );
    }
}
