//! Pods, and the specs of pods in the order in which the API server looks at them, and what may change later.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{container, ephemeral, gates, metadata, parts, scheduling, security, volumes};
use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

/// What may change in the spec of a pod.
const MUTABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Complaints about the spec of a pod.
pub(super) fn check(object: &Value, errors: &mut Errors) {
    spec(&"spec", &object["spec"], &Value::Null, errors);
    container::only_for_pods(&object["spec"], errors);
}

/// Complaints about a template for pods (`ValidatePodTemplateSpec`). Of its pods each gets its own volumes from the
/// `claims` of a StatefulSet; they can be mounted under the names of these.
pub(super) fn template(path: FieldPath<'_>, template: &Value, claims: &Value, errors: &mut Errors) {
    metadata::of_template(path, &template["metadata"], errors);
    spec(&format_args!("{path}.spec"), &template["spec"], claims, errors);
    if !items(&template["spec"]["ephemeralContainers"]).is_empty() {
        let why = "ephemeral containers not allowed in pod template";
        errors.forbidden(format_args!("{path}.spec.ephemeralContainers"), why);
    }
}

/// `ValidatePodSpec` of Kubernetes' core validation.
fn spec(path: FieldPath<'_>, spec: &Value, claims: &Value, errors: &mut Errors) {
    let mut volumes = volumes::check(path, spec, errors);
    volumes.extend(items(claims).iter().map(|claim| text(&claim["metadata"]["name"])));
    container::all(path, spec, &volumes, errors);
    ephemeral::check(path, spec, &volumes, errors);
    parts::host_network(path, spec, errors);
    for (field, policies) in POLICIES {
        if !policies.contains(&text(&spec[field])) {
            errors.unsupported(format_args!("{path}.{field}"), &text(&spec[field]).into(), policies);
        }
    }
    scheduling::node_selector(path, spec, errors);
    security::of_pod(path, spec, errors);
    scheduling::affinity(path, spec, errors);
    parts::dns(path, spec, errors);
    for (index, gate) in items(&spec["readinessGates"]).iter().enumerate() {
        let field = format_args!("{path}.readinessGates[{index}].conditionType");
        names::check_qualified(&field, &text(&gate["conditionType"]).into(), errors);
    }
    gates::check(path, spec, errors);
    scheduling::spreads(path, spec, errors);
    for (field, check) in NAMES {
        if !text(&spec[field]).is_empty() {
            check(&format_args!("{path}.{field}"), &spec[field], errors);
        }
        if field == "nodeName" {
            deadline(&format_args!("{path}.activeDeadlineSeconds"), &spec["activeDeadlineSeconds"], errors);
        }
        if field == "subdomain" {
            parts::tolerations(path, spec, errors);
            parts::host_aliases(path, spec, errors);
        }
    }
    parts::operating_system(&format_args!("{path}.os"), &spec["os"], errors);
}

fn deadline(field: FieldPath<'_>, seconds: &Value, errors: &mut Errors) {
    if seconds.as_i64().is_some_and(|seconds| !(1..=i64::from(i32::MAX)).contains(&seconds)) {
        errors.invalid(field, seconds, "must be between 1 and 2147483647, inclusive");
    }
}

/// Fields of a pod's spec with one of a few values.
const POLICIES: [(&str, &[&str]); 2] = [
    ("restartPolicy", &["Always", "OnFailure", "Never"]),
    ("dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]),
];

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

/// Complaints about a port number.
pub(super) fn port_number(field: FieldPath<'_>, port: &Value, errors: &mut Errors) {
    match port.as_i64() {
        None => errors.required(field, ""),
        Some(1..=65535) => {}
        Some(_) => errors.invalid(field, port, "must be between 1 and 65535, inclusive"),
    }
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
