//! What is accepted but worth a warning.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    invalid::FieldPath,
    json::{items, text},
    quantity::Quantity,
};
use crate::resources::Resource;

/// The warnings about an object as a client sent it.
pub(super) fn about(resource: &Resource, object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let (path, spec) = match resource.store.as_str() {
        "pods" => ("spec", &object["spec"]),
        "cronjobs.batch" => (
            "spec.jobTemplate.spec.template.spec",
            &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        ),
        _ => ("spec.template.spec", &object["spec"]["template"]["spec"]),
    };
    let mut names = BTreeSet::new();
    for (index, secret) in items(&spec["imagePullSecrets"]).iter().enumerate() {
        let name = text(&secret["name"]);
        if name.is_empty() {
            warnings.push(format!("{path}.imagePullSecrets[{index}].name: invalid empty name \"\""));
        } else if !names.insert(name) {
            warnings.push(format!("{path}.imagePullSecrets[{index}].name: duplicate name \"{name}\""));
        }
    }
    for list in ["initContainers", "containers"] {
        for (index, container) in items(&spec[list]).iter().enumerate() {
            let path = format_args!("{path}.{list}[{index}]");
            fractions(&path, &container["resources"], &mut warnings);
            same_ports(&path, items(&container["ports"]), &mut warnings);
            let mut seen = BTreeSet::new();
            for (number, variable) in items(&container["env"]).iter().enumerate() {
                let name = text(&variable["name"]);
                if !seen.insert(name) {
                    warnings.push(format!(
                        "{path}.env[{number}]: hides previous definition of \"{name}\", which may \
                         be dropped when using apply"
                    ));
                }
            }
        }
    }
    warnings
}

/// Parts of a byte, which nobody can have.
fn fractions(path: FieldPath<'_>, resources: &Value, warnings: &mut Vec<String>) {
    for (what, name, asked) in ["limits", "requests"].into_iter().flat_map(|what| {
        let asked = &resources[what];
        ["memory", "ephemeral-storage"].map(|name| (what, name, &asked[name]))
    }) {
        if Quantity::read(asked).is_some_and(|quantity| !quantity.is_whole()) {
            let shown = asked.as_str().map_or_else(|| asked.to_string(), str::to_owned);
            warnings.push(format!(
                "{path}.resources.{what}[{name}]: fractional byte value {shown:?} is invalid, must be an integer"
            ));
        }
    }
}

/// Ports that a container names twice.
fn same_ports(path: FieldPath<'_>, ports: &[Value], warnings: &mut Vec<String>) {
    let is = |port: &Value| {
        let protocol = match text(&port["protocol"]) {
            "" => "TCP",
            protocol => protocol,
        };
        (
            port["containerPort"].clone(),
            protocol.to_owned(),
            port["hostPort"].clone(),
            text(&port["hostIP"]).to_owned(),
        )
    };
    for (index, port) in ports.iter().enumerate() {
        if let Some(first) = ports[..index].iter().position(|earlier| is(earlier) == is(port)) {
            warnings
                .push(format!("{path}.ports[{index}]: duplicate port definition with {path}.ports[{first}]"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources::Resources;

    #[test]
    fn what_is_odd_is_told_with_its_place() {
        let pods = Resources::default().stored("pods").unwrap();
        let pod = json!({"spec": {"imagePullSecrets": [{"name": "a"}, {"name": ""}, {"name": "a"}], "containers": [{
            "env": [{"name": "A"}, {"name": "B"}, {"name": "A"}],
            "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}, {"containerPort": 80, "protocol": "TCP"}],
            "resources": {"requests": {"memory": "100m", "cpu": "100m"}, "limits": {"memory": "1Gi"}}}]}});
        let container = "spec.containers[0]";
        let mut told = about(&pods, &pod);
        told.sort();
        assert_eq!(
            told,
            [
                format!(
                    "{container}.env[2]: hides previous definition of \"A\", which may be dropped when using apply"
                ),
                format!("{container}.ports[2]: duplicate port definition with {container}.ports[0]"),
                format!(
                    "{container}.resources.requests[memory]: fractional byte value \"100m\" is invalid, must be an integer"
                ),
                "spec.imagePullSecrets[1].name: invalid empty name \"\"".to_owned(),
                "spec.imagePullSecrets[2].name: duplicate name \"a\"".to_owned(),
            ]
        );
        assert!(about(&pods, &json!({"spec": 1})).is_empty());
    }
}
