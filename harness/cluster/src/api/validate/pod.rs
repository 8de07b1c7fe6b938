//! Pods and the specs of pods: required fields, references inside the spec, and what may change later.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::parts;
use crate::api::{
    invalid::Errors,
    json::{items, text},
    names, quantity,
};

/// What may change in the spec of a pod.
const MUTABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Complaints about the spec of a pod or template.
pub(super) fn spec(path: &str, spec: &Value, errors: &mut Errors) {
    let volumes: BTreeSet<&str> = items(&spec["volumes"]).iter().map(|v| text(&v["name"])).collect();
    volumes_are_sound(path, spec, errors);
    let containers = items(&spec["containers"]);
    if containers.is_empty() {
        errors.required(format!("{path}.containers"), "");
    }
    let mut seen = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        for (index, container) in items(&spec[list]).iter().enumerate() {
            let path = format!("{path}.{list}[{index}]");
            let name = &container["name"];
            if text(name).is_empty() {
                errors.required(format!("{path}.name"), "");
            } else {
                names::check_label(&format!("{path}.name"), name, errors);
                if !seen.insert(text(name)) {
                    errors.duplicate(format!("{path}.name"), name);
                }
            }
            self::container(&path, container, &volumes, errors);
        }
    }
    let policies = ["Always", "OnFailure", "Never"];
    if !policies.contains(&text(&spec["restartPolicy"])) {
        errors.unsupported(format!("{path}.restartPolicy"), &spec["restartPolicy"], &policies);
    }
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    if !policies.contains(&text(&spec["dnsPolicy"])) {
        errors.unsupported(format!("{path}.dnsPolicy"), &spec["dnsPolicy"], &policies);
    }
    parts::host_network(path, spec, errors);
    parts::tolerations(path, spec, errors);
    if let Some(seconds) = spec["activeDeadlineSeconds"].as_i64().filter(|s| *s < 1) {
        let detail = "must be between 1 and 2147483647, inclusive";
        errors.invalid(format!("{path}.activeDeadlineSeconds"), &json!(seconds), detail);
    }
}

fn volumes_are_sound(path: &str, spec: &Value, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, volume) in items(&spec["volumes"]).iter().enumerate() {
        let path = format!("{path}.volumes[{index}]");
        if text(&volume["name"]).is_empty() {
            errors.required(format!("{path}.name"), "");
        } else {
            names::check_label(&format!("{path}.name"), &volume["name"], errors);
        }
        if !seen.insert(text(&volume["name"])) {
            errors.duplicate(format!("{path}.name"), &volume["name"]);
        }
        let sources: Vec<&String> =
            volume.as_object().into_iter().flat_map(|v| v.keys()).filter(|k| *k != "name").collect();
        for source in sources.iter().skip(1) {
            errors.forbidden(format!("{path}.{source}"), "may not specify more than 1 volume type");
        }
    }
}

/// Complaints about one container.
pub(super) fn container(path: &str, container: &Value, volumes: &BTreeSet<&str>, errors: &mut Errors) {
    let image = &container["image"];
    if text(image).is_empty() {
        errors.required(format!("{path}.image"), "");
    } else if text(image).trim() != text(image) {
        errors.invalid(format!("{path}.image"), image, "must not have leading or trailing whitespace");
    }
    let policies = ["Always", "IfNotPresent", "Never"];
    if !policies.contains(&text(&container["imagePullPolicy"])) {
        errors.unsupported(format!("{path}.imagePullPolicy"), &container["imagePullPolicy"], &policies);
    }
    parts::ports(path, container, errors);
    for (index, mount) in items(&container["volumeMounts"]).iter().enumerate() {
        let path = format!("{path}.volumeMounts[{index}]");
        if !volumes.contains(text(&mount["name"])) {
            errors.not_found(format!("{path}.name"), &mount["name"]);
        }
        if text(&mount["mountPath"]).is_empty() {
            errors.required(format!("{path}.mountPath"), "");
        }
    }
    parts::variables(path, container, errors);
    parts::probes(path, container, errors);
    resources(path, &container["resources"], errors);
}

/// Complaints about a port number.
pub(super) fn port_number(field: &str, port: &Value, errors: &mut Errors) {
    match port.as_i64() {
        None => errors.required(field, ""),
        Some(1..=65535) => {}
        Some(_) => errors.invalid(field, port, "must be between 1 and 65535, inclusive"),
    }
}

fn resources(path: &str, resources: &Value, errors: &mut Errors) {
    for what in ["limits", "requests"] {
        for (name, value) in resources[what].as_object().into_iter().flatten() {
            if quantity::value(value).is_some_and(|v| v < 0.0) {
                let field = format!("{path}.resources.{what}[{name}]");
                errors.invalid(field, value, "must be greater than or equal to 0");
            }
        }
    }
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let Some(limit) = resources["limits"].get(name) else { continue };
        if quantity::value(request) > quantity::value(limit) {
            let field = format!("{path}.resources.requests");
            let shown = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
            errors.invalid(field, request, &format!("must be less than or equal to {name} limit of {shown}"));
        }
    }
}

/// Complaints about a change of a pod.
pub(super) fn change(old: &Value, new: &Value, errors: &mut Errors) {
    for list in ["containers", "initContainers"] {
        if items(&old["spec"][list]).len() != items(&new["spec"][list]).len() {
            errors.forbidden(format!("spec.{list}"), "pod updates may not add or remove containers");
            return;
        }
    }
    let mut allowed = new["spec"].clone();
    for list in ["containers", "initContainers"] {
        for (index, was) in items(&old["spec"][list]).iter().enumerate() {
            allowed[list][index]["image"] = was["image"].clone();
        }
    }
    for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] {
        let only_added =
            items(&old["spec"]["tolerations"]).iter().all(|t| items(&new["spec"]["tolerations"]).contains(t));
        if field == "tolerations" && !only_added {
            continue;
        }
        match old["spec"].get(field) {
            Some(was) => allowed[field] = was.clone(),
            None => drop(allowed.as_object_mut().and_then(|a| a.remove(field))),
        }
    }
    if allowed != old["spec"] {
        errors.forbidden("spec", &format!("{MUTABLE}\n{}", difference(&old["spec"], &allowed)));
    }
}

/// What the two specs don't have in common, field by field.
pub(super) fn difference(old: &Value, new: &Value) -> String {
    let keys: BTreeSet<&String> =
        [old, new].iter().filter_map(|v| v.as_object()).flat_map(serde_json::Map::keys).collect();
    let mut text = String::new();
    for key in keys.into_iter().filter(|k| old.get(k.as_str()) != new.get(k.as_str())) {
        for (sign, side) in [('-', old), ('+', new)] {
            if let Some(value) = side.get(key) {
                text.push_str(&format!("{sign} \t{key}: {value}\n"));
            }
        }
    }
    text
}
