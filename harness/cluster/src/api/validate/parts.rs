//! What can be wrong with the parts of a pod that have rules of their own: ports, probes, variables, tolerations.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pod::port_number;
use crate::api::{
    invalid::Errors,
    json::{items, text},
};

/// What a probe or a hook can do; it has to do one of these things.
const HANDLERS: [&str; 5] = ["exec", "grpc", "httpGet", "sleep", "tcpSocket"];

/// Where the value of a variable can come from.
const SOURCES: [&str; 5] = ["configMapKeyRef", "fieldRef", "fileKeyRef", "resourceFieldRef", "secretKeyRef"];

const NOT_NEGATIVE: [&str; 5] =
    ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];

/// Complaints about the ports of a container.
pub(super) fn ports(path: &str, container: &Value, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    for (index, port) in items(&container["ports"]).iter().enumerate() {
        let path = format!("{path}.ports[{index}]");
        let name = text(&port["name"]);
        if !name.is_empty() && !names.insert(name) {
            errors.duplicate(format!("{path}.name"), &port["name"]);
        }
        match port["containerPort"].as_i64() {
            Some(0) => errors.required(format!("{path}.containerPort"), ""),
            _ => port_number(&format!("{path}.containerPort"), &port["containerPort"], errors),
        }
        if port["hostPort"].as_i64().is_some_and(|port| port != 0) {
            port_number(&format!("{path}.hostPort"), &port["hostPort"], errors);
        }
    }
}

/// Complaints about the ports of containers that have the network of their host: they are the host's.
pub(super) fn host_network(path: &str, spec: &Value, errors: &mut Errors) {
    if spec["hostNetwork"] != true {
        return;
    }
    for (at, container) in items(&spec["containers"]).iter().enumerate() {
        for (index, port) in items(&container["ports"]).iter().enumerate() {
            if port["hostPort"].as_i64().is_some_and(|host| host != 0 && port["containerPort"] != host) {
                let field = format!("{path}.containers[{at}].ports[{index}].containerPort");
                let why = "must match `hostPort` when `hostNetwork` is true";
                errors.invalid(field, &port["containerPort"], why);
            }
        }
    }
}

/// Complaints about the probes and hooks of a container.
pub(super) fn probes(path: &str, container: &Value, errors: &mut Errors) {
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = &container[name];
        if !probe.is_object() {
            continue;
        }
        let path = format!("{path}.{name}");
        handler(&path, probe, errors);
        for field in NOT_NEGATIVE.into_iter().filter(|field| probe[*field].as_i64().is_some_and(|n| n < 0)) {
            errors.invalid(format!("{path}.{field}"), &probe[field], "must be greater than or equal to 0");
        }
    }
    for name in ["postStart", "preStop"] {
        let hook = &container["lifecycle"][name];
        if hook.is_object() {
            handler(&format!("{path}.lifecycle.{name}"), hook, errors);
        }
    }
}

fn handler(path: &str, of: &Value, errors: &mut Errors) {
    let mut given = HANDLERS.into_iter().filter(|handler| of[*handler].is_object());
    if given.next().is_none() {
        errors.required(path, "must specify a handler type");
    }
    for more in given {
        errors.forbidden(format!("{path}.{more}"), "may not specify more than 1 handler type");
    }
}

/// Complaints about the variables of a container.
pub(super) fn variables(path: &str, container: &Value, errors: &mut Errors) {
    for (index, variable) in items(&container["env"]).iter().enumerate() {
        let path = format!("{path}.env[{index}]");
        if text(&variable["name"]).is_empty() {
            errors.required(format!("{path}.name"), "");
        }
        let from = &variable["valueFrom"];
        if !from.is_object() {
            continue;
        }
        let (path, nothing) = (format!("{path}.valueFrom"), Value::from(""));
        match SOURCES.into_iter().filter(|source| from[*source].is_object()).count() {
            0 => errors.invalid(
                path,
                &nothing,
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            ),
            _ if !text(&variable["value"]).is_empty() => {
                errors.invalid(path, &nothing, "may not be specified when `value` is not empty");
            }
            1 => {}
            _ => errors.invalid(path, &nothing, "may not have more than one field specified at a time"),
        }
    }
}

/// Complaints about what a pod puts up with.
pub(super) fn tolerations(path: &str, spec: &Value, errors: &mut Errors) {
    for (index, toleration) in items(&spec["tolerations"]).iter().enumerate() {
        let path = format!("{path}.tolerations[{index}]");
        let (operator, effect) = (&toleration["operator"], &toleration["effect"]);
        if text(&toleration["key"]).is_empty() && operator != "Exists" {
            let why =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(format!("{path}.operator"), &text(operator).into(), why);
        }
        if !toleration["tolerationSeconds"].is_null() && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(format!("{path}.effect"), &text(effect).into(), why);
        }
        let operators = ["Equal", "Exists"];
        if !matches!(text(operator), "" | "Equal" | "Exists" | "Gt" | "Lt") {
            errors.unsupported(format!("{path}.operator"), operator, &operators);
        }
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        if !text(effect).is_empty() && !effects.contains(&text(effect)) {
            errors.unsupported(format!("{path}.effect"), effect, &effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaints(check: fn(&str, &Value, &mut Errors), value: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        check("c", value, &mut errors);
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
        let why = "must match `hostPort` when `hostNetwork` is true";
        let told = complaints(host_network, &spec);
        assert_eq!(told, [format!("c.containers[0].ports[2].containerPort: Invalid value: 81: {why}")]);
        assert_eq!(complaints(host_network, &json!({"containers": [container]})), Vec::<String>::new());
    }

    #[test]
    fn probes_and_hooks_do_one_thing() {
        let container = json!({"livenessProbe": {}, "readinessProbe": {"exec": {}, "httpGet": {}},
            "startupProbe": {"grpc": {}, "periodSeconds": -1}, "lifecycle": {"preStop": {}}});
        assert_eq!(
            complaints(probes, &container),
            [
                "c.livenessProbe: Required value: must specify a handler type",
                "c.readinessProbe.httpGet: Forbidden: may not specify more than 1 handler type",
                "c.startupProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
                "c.lifecycle.preStop: Required value: must specify a handler type",
            ]
        );
    }

    #[test]
    fn variables_have_one_value() {
        let reference = json!({"name": "s", "key": "k"});
        let container = json!({"env": [{"name": "A"}, {"name": "B", "valueFrom": {}},
            {"name": "C", "value": "x", "valueFrom": {"secretKeyRef": reference}},
            {"name": "D", "valueFrom": {"secretKeyRef": reference, "configMapKeyRef": reference}}, {"value": "x"}]});
        let told = complaints(variables, &container);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(
            told[0].starts_with("c.env[1].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`")
        );
        assert!(told[1].ends_with("may not be specified when `value` is not empty"));
        assert!(told[2].ends_with("may not have more than one field specified at a time"));
        assert_eq!(told[3], "c.env[4].name: Required value");
    }

    #[test]
    fn tolerations_make_sense() {
        let spec = json!({"tolerations": [{"operator": "Exists"}, {"operator": "Foo", "key": "k"}, {"key": ""},
            {"key": "k", "effect": "Never"}, {"key": "k", "effect": "NoSchedule", "tolerationSeconds": 3}]});
        let told = complaints(tolerations, &spec);
        assert_eq!(told.len(), 4, "{told:?}");
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
