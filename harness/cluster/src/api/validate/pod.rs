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
    if !deadline_change(&old["spec"], &new["spec"], errors) {
        return;
    }
    tolerations_change(items(&old["spec"]["tolerations"]), items(&new["spec"]["tolerations"]), errors);
    gates::change(&old["spec"], &new["spec"], &mut allowed, errors);
    let grace = |pod: &Value| pod["spec"]["terminationGracePeriodSeconds"].as_i64();
    let may_change = [
        ("activeDeadlineSeconds", true),
        ("tolerations", true),
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

/// The time that a pod may be active can only get shorter. After a number that can't be nothing more is looked at.
fn deadline_change(old: &Value, new: &Value, errors: &mut Errors) -> bool {
    let (field, value) = ("spec.activeDeadlineSeconds", &new["activeDeadlineSeconds"]);
    let why = match (old["activeDeadlineSeconds"].as_i64(), value.as_i64()) {
        (_, Some(now)) if !(0..=i64::from(i32::MAX)).contains(&now) => {
            "must be between 0 and 2147483647, inclusive"
        }
        (Some(before), Some(now)) if now > before => "must be less than or equal to previous value",
        (Some(_), None) => {
            errors.invalid(field, value, "must not update from a positive integer to nil value");
            return true;
        }
        _ => return true,
    };
    errors.invalid(field, value, why);
    false
}

/// What a pod puts up with stays, but for how long; more can be added (`validateOnlyAddedTolerations`).
fn tolerations_change(old: &[Value], new: &[Value], errors: &mut Errors) {
    let same = |was: &Value, is: &Value| {
        ["key", "operator", "value", "effect"].iter().all(|field| was[*field] == is[*field])
    };
    if !old.iter().all(|was| new.iter().any(|is| same(was, is))) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        errors.forbidden("spec.tolerations", why);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn little_of_a_pod_can_change() {
        let toleration = |key: &str, seconds: i64| json!({"key": key, "effect": "NoExecute", "tolerationSeconds": seconds});
        let stays = "existing toleration can not be modified except its tolerationSeconds";
        let of = |field: &str, value: Value| json!({"spec": {"containers": [], (field): value}});
        let deadline = "spec.activeDeadlineSeconds: Invalid value";
        for (old, new, words) in [
            (
                of("tolerations", json!([toleration("a", 1)])),
                of("tolerations", json!([toleration("b", 1), toleration("a", 2)])),
                vec![],
            ),
            (
                of("tolerations", json!([toleration("a", 1)])),
                of("tolerations", json!([toleration("b", 1)])),
                vec![format!("spec.tolerations: Forbidden: {stays}")],
            ),
            (of("activeDeadlineSeconds", json!(5)), of("activeDeadlineSeconds", json!(4)), vec![]),
            (
                of("activeDeadlineSeconds", json!(5)),
                of("activeDeadlineSeconds", json!(6)),
                vec![format!("{deadline}: 6: must be less than or equal to previous value")],
            ),
            (
                of("activeDeadlineSeconds", json!(5)),
                of("activeDeadlineSeconds", json!(-1)),
                vec![format!("{deadline}: -1: must be between 0 and 2147483647, inclusive")],
            ),
            (
                of("activeDeadlineSeconds", json!(5)),
                of("activeDeadlineSeconds", json!(null)),
                vec![format!("{deadline}: null: must not update from a positive integer to nil value")],
            ),
        ] {
            let mut errors = Errors::default();
            change(&old, &new, &mut errors);
            let told: Vec<String> = errors.into_vec().iter().map(ToString::to_string).collect();
            assert_eq!(told, words, "{new}");
        }
    }
}
