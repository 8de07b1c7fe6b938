//! Pods and the specs of pods: required fields, references inside the spec, and what may change later.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{environment, gates, parts, probes, scheduling, security};
use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names, quantity,
};

/// What may change in the spec of a pod.
const MUTABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Complaints about the spec of a pod or template.
pub(super) fn spec(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    let volumes: BTreeSet<&str> = items(&spec["volumes"]).iter().map(|v| text(&v["name"])).collect();
    volumes_are_sound(path, spec, errors);
    let containers = items(&spec["containers"]);
    if containers.is_empty() {
        errors.required(format_args!("{path}.containers"), "");
    }
    let mut seen = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        for (index, container) in items(&spec[list]).iter().enumerate() {
            let path = format_args!("{path}.{list}[{index}]");
            let name = &container["name"];
            if text(name).is_empty() {
                errors.required(format_args!("{path}.name"), "");
            } else {
                names::check_label(&format_args!("{path}.name"), name, errors);
                if !seen.insert(text(name)) {
                    errors.duplicate(format_args!("{path}.name"), name);
                }
            }
            self::container(&path, container, &volumes, errors);
            if list == "containers" || container["restartPolicy"] == "Always" {
                probes::check(&path, container, errors);
            } else {
                probes::none_before(&path, container, errors);
            }
        }
    }
    let policies = ["Always", "OnFailure", "Never"];
    if !policies.contains(&text(&spec["restartPolicy"])) {
        errors.unsupported(format_args!("{path}.restartPolicy"), &spec["restartPolicy"], &policies);
    }
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    if !policies.contains(&text(&spec["dnsPolicy"])) {
        errors.unsupported(format_args!("{path}.dnsPolicy"), &spec["dnsPolicy"], &policies);
    }
    parts::host_network(path, spec, errors);
    security::of_pod(path, spec, errors);
    scheduling::check(path, spec, errors);
    parts::dns(path, spec, errors);
    for (index, gate) in items(&spec["readinessGates"]).iter().enumerate() {
        let field = format_args!("{path}.readinessGates[{index}].conditionType");
        names::check_qualified(&field, &text(&gate["conditionType"]).into(), errors);
    }
    for (field, check) in NAMES {
        if !text(&spec[field]).is_empty() {
            check(&format_args!("{path}.{field}"), &spec[field], errors);
        }
    }
    gates::check(path, spec, errors);
    parts::tolerations(path, spec, errors);
    parts::host_aliases(path, spec, errors);
    if let Some(seconds) = spec["activeDeadlineSeconds"].as_i64().filter(|s| *s < 1) {
        let detail = "must be between 1 and 2147483647, inclusive";
        errors.invalid(format_args!("{path}.activeDeadlineSeconds"), &json!(seconds), detail);
    }
}

/// Complains about a field with a value that won't do.
type Check = fn(FieldPath<'_>, &Value, &mut Errors);

/// Fields of a pod's spec that name something, and what names there are good.
const NAMES: [(&str, Check); 6] = [
    ("serviceAccountName", names::check_subdomain),
    ("nodeName", names::check_subdomain),
    ("hostname", names::check_label),
    ("subdomain", names::check_label),
    ("priorityClassName", names::check_subdomain),
    ("runtimeClassName", names::check_subdomain),
];

/// What volumes of a kind have to say.
const NEEDED: [(&str, &str); 5] = [
    ("configMap", "name"),
    ("hostPath", "path"),
    ("nfs", "server"),
    ("persistentVolumeClaim", "claimName"),
    ("secret", "secretName"),
];

fn volumes_are_sound(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, volume) in items(&spec["volumes"]).iter().enumerate() {
        let path = format_args!("{path}.volumes[{index}]");
        if text(&volume["name"]).is_empty() {
            errors.required(format_args!("{path}.name"), "");
        } else {
            names::check_label(&format_args!("{path}.name"), &volume["name"], errors);
        }
        if !seen.insert(text(&volume["name"])) {
            errors.duplicate(format_args!("{path}.name"), &volume["name"]);
        }
        let sources: Vec<&String> =
            volume.as_object().into_iter().flat_map(|v| v.keys()).filter(|k| *k != "name").collect();
        for source in sources.iter().skip(1) {
            errors.forbidden(format_args!("{path}.{source}"), "may not specify more than 1 volume type");
        }
        for source in ["configMap", "secret"] {
            for (index, item) in items(&volume[source]["items"]).iter().enumerate() {
                for field in ["key", "path"].into_iter().filter(|field| text(&item[*field]).is_empty()) {
                    errors.required(format_args!("{path}.{source}.items[{index}].{field}"), "");
                }
            }
        }
        for (source, field) in NEEDED {
            if volume[source].is_object() && text(&volume[source][field]).is_empty() {
                errors.required(format_args!("{path}.{source}.{field}"), "");
            }
        }
    }
}

/// Complaints about one container.
pub(super) fn container(
    path: FieldPath<'_>,
    container: &Value,
    volumes: &BTreeSet<&str>,
    errors: &mut Errors,
) {
    let image = &container["image"];
    if text(image).is_empty() {
        errors.required(format_args!("{path}.image"), "");
    } else if text(image).trim() != text(image) {
        errors.invalid(format_args!("{path}.image"), image, "must not have leading or trailing whitespace");
    }
    let policies = ["Always", "IfNotPresent", "Never"];
    if !policies.contains(&text(&container["imagePullPolicy"])) {
        errors.unsupported(format_args!("{path}.imagePullPolicy"), &container["imagePullPolicy"], &policies);
    }
    parts::ports(path, container, errors);
    let mut places = BTreeSet::new();
    for (index, mount) in items(&container["volumeMounts"]).iter().enumerate() {
        let all = format_args!("{path}.volumeMounts");
        let path = format_args!("{all}[{index}]");
        if !volumes.contains(text(&mount["name"])) {
            errors.not_found(format_args!("{path}.name"), &mount["name"]);
        }
        if text(&mount["mountPath"]).is_empty() {
            errors.required(format_args!("{path}.mountPath"), "");
        }
        if !places.insert(text(&mount["mountPath"])) {
            errors.invalid(format_args!("{path}.mountPath"), &mount["mountPath"], "must be unique");
        }
        let part = &mount["subPath"];
        if text(part).starts_with('/') {
            errors.invalid(format_args!("{all}.subPath"), part, "must be a relative path");
        }
        if text(part).split('/').any(|step| step == "..") {
            errors.invalid(format_args!("{all}.subPath"), part, "must not contain '..'");
        }
    }
    environment::check(path, container, errors);
    let policy = &container["terminationMessagePolicy"];
    if !matches!(text(policy), "" | "File" | "FallbackToLogsOnError") {
        let why = "must be 'File' or 'FallbackToLogsOnError'";
        errors.invalid(format_args!("{path}.terminationMessagePolicy"), policy, why);
    }
    resources(path, &container["resources"], errors);
    security::of_container(path, container, errors);
}

/// Complaints about a port number.
pub(super) fn port_number(field: FieldPath<'_>, port: &Value, errors: &mut Errors) {
    match port.as_i64() {
        None => errors.required(field, ""),
        Some(1..=65535) => {}
        Some(_) => errors.invalid(field, port, "must be between 1 and 65535, inclusive"),
    }
}

fn resources(path: FieldPath<'_>, resources: &Value, errors: &mut Errors) {
    for what in ["limits", "requests"] {
        for (name, value) in resources[what].as_object().into_iter().flatten() {
            resource_name(&format_args!("{path}.resources.{what}[{name}]"), name, errors);
            if quantity::value(value).is_some_and(|v| v < 0.0) {
                let field = format_args!("{path}.resources.{what}[{name}]");
                errors.invalid(field, value, "must be greater than or equal to 0");
            }
        }
    }
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let Some(limit) = resources["limits"].get(name) else { continue };
        if quantity::value(request) > quantity::value(limit) {
            let field = format_args!("{path}.resources.requests");
            let shown = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
            errors.invalid(field, request, &format!("must be less than or equal to {name} limit of {shown}"));
        }
    }
}

/// What a container can ask for, besides huge pages and what has a domain.
const OF_CONTAINERS: [&str; 3] = ["cpu", "ephemeral-storage", "memory"];

/// What else is counted somewhere under a name without a domain.
const OF_QUOTAS: [&str; 13] = [
    "configmaps",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
];

fn resource_name(field: FieldPath<'_>, name: &str, errors: &mut Errors) {
    let value = Value::from(name);
    names::check_qualified(field, &value, errors);
    if name.contains('/') || name.starts_with("hugepages-") || OF_CONTAINERS.contains(&name) {
        return;
    }
    if !OF_QUOTAS.contains(&name) {
        errors.invalid(field, &value, "must be a standard resource type or fully qualified");
    }
    errors.invalid(field, &value, "must be a standard resource for containers");
}

/// Complaints about a change of a pod.
pub(super) fn change(old: &Value, new: &Value, errors: &mut Errors) {
    for list in ["containers", "initContainers"] {
        if items(&old["spec"][list]).len() != items(&new["spec"][list]).len() {
            errors.forbidden(format_args!("spec.{list}"), "pod updates may not add or remove containers");
            return;
        }
    }
    let mut allowed = new["spec"].clone();
    for list in ["containers", "initContainers"] {
        for (index, was) in items(&old["spec"][list]).iter().enumerate() {
            allowed[list][index]["image"] = was["image"].clone();
        }
    }
    if let Some(why) = deadline_change(&old["spec"], &new["spec"]) {
        errors.invalid("spec.activeDeadlineSeconds", &new["spec"]["activeDeadlineSeconds"], why);
        return;
    }
    gates::change(&old["spec"], &new["spec"], &mut allowed, errors);
    let only_added =
        items(&old["spec"]["tolerations"]).iter().all(|t| items(&new["spec"]["tolerations"]).contains(t));
    let grace = |pod: &Value| pod["spec"]["terminationGracePeriodSeconds"].as_i64();
    let may_change = [
        ("activeDeadlineSeconds", true),
        ("tolerations", only_added),
        ("terminationGracePeriodSeconds", grace(old).is_some_and(|was| was < 0) && grace(new) == Some(1)),
    ];
    for (field, _) in may_change.into_iter().filter(|(_, may)| *may) {
        match old["spec"].get(field) {
            Some(was) => allowed[field] = was.clone(),
            None => drop(allowed.as_object_mut().and_then(|a| a.remove(field))),
        }
    }
    if allowed != old["spec"] {
        errors.forbidden("spec", &format!("{MUTABLE}\n{}", difference(&old["spec"], &allowed)));
    }
}

/// Why the time that a pod may be active can't be changed so: it can only get shorter.
fn deadline_change(old: &Value, new: &Value) -> Option<&'static str> {
    match (old["activeDeadlineSeconds"].as_i64(), new["activeDeadlineSeconds"].as_i64()) {
        (Some(before), Some(now)) if now > before => Some("must be less than or equal to previous value"),
        (_, Some(now)) if !(0..=i64::from(i32::MAX)).contains(&now) => {
            Some("must be between 0 and 2147483647, inclusive")
        }
        (Some(_), None) => Some("must not update from a positive integer to nil value"),
        _ => None,
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
