//! The most usual mistakes in objects that limit, protect or store: budgets, limits, priorities, autoscalers, storage. The words are those of Kubernetes' validation packages.

use serde_json::Value;

use super::super::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    quantity::{Quantity, amounts},
};

/// The largest priority that a class of a user's can have.
const HIGHEST: i64 = 1_000_000_000;
const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// Complaints about an object of a resource.
pub(super) fn content(resource: &str, object: &Value, errors: &mut Errors) {
    match resource {
        "poddisruptionbudgets.policy" => budget(&object["spec"], errors),
        "priorityclasses.scheduling.k8s.io" => priority_class(object, errors),
        "horizontalpodautoscalers.autoscaling" => autoscaler(&object["spec"], errors),
        "persistentvolumeclaims" => claim(&object["spec"], errors),
        "storageclasses.storage.k8s.io" => storage_class(object, errors),
        "apiservices.apiregistration.k8s.io" => api_service(object, errors),
        "resourcequotas" => {
            for (name, amount) in amounts(&object["spec"]["hard"]) {
                not_negative(&format_args!("spec.hard[{name}]"), amount, errors);
            }
        }
        "limitranges" => {
            for (index, limit) in items(&object["spec"]["limits"]).iter().enumerate() {
                limits(&format_args!("spec.limits[{index}]"), limit, errors);
            }
        }
        _ => {}
    }
}

/// Complaints about a change of such an object.
pub(super) fn change(resource: &str, old: &Value, new: &Value, errors: &mut Errors) {
    if resource == "priorityclasses.scheduling.k8s.io" && old["value"] != new["value"] {
        errors.forbidden("value", "may not be changed in an update.");
    }
    if resource == "storageclasses.storage.k8s.io" {
        for field in ["parameters", "provisioner", "reclaimPolicy"] {
            if old[field] != new[field] {
                errors.forbidden(field, &format!("updates to {field} are forbidden."));
            }
        }
        if old["volumeBindingMode"] != new["volumeBindingMode"] {
            errors.invalid("volumeBindingMode", &new["volumeBindingMode"], "field is immutable");
        }
    }
}

fn not_negative(field: FieldPath<'_>, amount: Quantity, errors: &mut Errors) {
    if amount < Quantity::default() {
        errors.invalid(field, &amount.to_string().into(), NOT_NEGATIVE);
    }
}

fn budget(spec: &Value, errors: &mut Errors) {
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        errors.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set");
    }
    for field in ["minAvailable", "maxUnavailable"] {
        let (path, value) = (format_args!("spec.{field}"), &spec[field]);
        if value.as_i64().is_some_and(|n| n < 0) {
            errors.invalid(path, value, NOT_NEGATIVE);
        } else if let Some(percent) = value.as_str() {
            match percent.strip_suffix('%').map(str::parse::<u32>) {
                Some(Ok(0..=100)) => {}
                Some(Ok(_)) => errors.invalid(path, value, "must not be greater than 100%"),
                _ => errors.invalid(path, value, super::rollout::PERCENT),
            }
        }
    }
}

fn priority_class(object: &Value, errors: &mut Errors) {
    let name = &object["metadata"]["name"];
    if matches!(text(name), "system-node-critical" | "system-cluster-critical") {
        return;
    }
    if text(name).starts_with("system-") {
        let why = format!(
            "priority class names with 'system-' prefix are reserved for system use only. error: {} is not a known \
             system priority class",
            text(name)
        );
        errors.forbidden("metadata.name", &why);
    }
    let (policy, policies) = (text(&object["preemptionPolicy"]), ["PreemptLowerPriority", "Never"]);
    if !policy.is_empty() && !policies.contains(&policy) {
        errors.unsupported("preemptionPolicy", &policy.into(), &policies);
    }
    if object["value"].as_i64().is_some_and(|value| value > HIGHEST) {
        let why = format!("maximum allowed value of a user defined priority is {HIGHEST}");
        errors.forbidden("value", &why);
    }
}

fn autoscaler(spec: &Value, errors: &mut Errors) {
    let (least, most) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64().unwrap_or(0));
    if least.is_some_and(|least| least < 1) {
        errors.invalid("spec.minReplicas", &spec["minReplicas"], "must be greater than or equal to 1");
    }
    if most < 1 {
        errors.invalid("spec.maxReplicas", &most.into(), "must be greater than 0");
    }
    if least.is_some_and(|least| most < least) {
        errors.invalid("spec.maxReplicas", &most.into(), "must be greater than or equal to `minReplicas`");
    }
    for field in ["kind", "name"] {
        if text(&spec["scaleTargetRef"][field]).is_empty() {
            errors.required(format_args!("spec.scaleTargetRef.{field}"), "");
        }
    }
}

fn api_service(service: &Value, errors: &mut Errors) {
    let (name, spec) = (&service["metadata"]["name"], &service["spec"]);
    let wanted = format!("{}.{}", text(&spec["version"]), text(&spec["group"]));
    if *name != *wanted {
        let why = format!("must be `spec.version+\".\"+spec.group`: {wanted:?}");
        errors.invalid("metadata.name", name, &why);
    }
    for (field, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let rank = spec[field].as_i64().unwrap_or(0);
        if !(1..=most).contains(&rank) {
            errors.invalid(
                format_args!("spec.{field}"),
                &rank.into(),
                &format!("must be positive and less than {most}"),
            );
        }
    }
}

fn storage_class(class: &Value, errors: &mut Errors) {
    if text(&class["provisioner"]).is_empty() {
        errors.required("provisioner", "");
    }
    for (field, supported) in [
        ("reclaimPolicy", ["Delete", "Retain"]),
        ("volumeBindingMode", ["Immediate", "WaitForFirstConsumer"]),
    ] {
        if !class[field].is_null() && !supported.contains(&text(&class[field])) {
            errors.unsupported(field, &class[field], &supported);
        }
    }
}

fn claim(spec: &Value, errors: &mut Errors) {
    super::storage::access_modes(spec, "at least 1 access mode is required", errors);
    match Quantity::read(&spec["resources"]["requests"]["storage"]) {
        None => errors.required("spec.resources[storage]", ""),
        Some(amount) if !amount.is_positive() => {
            let amount = amount.to_string().into();
            errors.invalid("spec.resources[storage]", &amount, "must be greater than zero");
        }
        Some(_) => {}
    }
}

fn limits(field: FieldPath<'_>, limit: &Value, errors: &mut Errors) {
    let [least, most] = ["min", "max"].map(|list| amounts(&limit[list]));
    let [usual, asked] = ["default", "defaultRequest"].map(|list| amounts(&limit[list]));
    for (lower, low, upper, high) in [
        ("min", &least, "max", &most),
        ("min", &least, "defaultRequest", &asked),
        ("min", &least, "default", &usual),
        ("defaultRequest", &asked, "max", &most),
        ("defaultRequest", &asked, "default", &usual),
        ("default", &usual, "max", &most),
    ] {
        let words = |list: &str| match list {
            "defaultRequest" => "default request".to_owned(),
            other => other.to_owned(),
        };
        for (name, amount) in low {
            if let Some(bound) = high.get(name).filter(|bound| amount > *bound) {
                let why =
                    format!("{} value {amount} is greater than {} value {bound}", words(lower), words(upper));
                errors.invalid(format_args!("{field}.{lower}[{name}]"), &amount.to_string().into(), &why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaints(resource: &str, object: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        content(resource, object, &mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn usual_mistakes_are_named() {
        let cases = [
            (
                "poddisruptionbudgets.policy",
                json!({"spec": {"minAvailable": "120%"}}),
                vec!["spec.minAvailable: Invalid value: \"120%\": must not be greater than 100%"],
            ),
            (
                "poddisruptionbudgets.policy",
                json!({"spec": {"minAvailable": 1, "maxUnavailable": 1}}),
                vec![
                    "spec: Invalid value: {\"maxUnavailable\":1,\"minAvailable\":1}: minAvailable and maxUnavailable cannot be \
                      both set",
                ],
            ),
            (
                "poddisruptionbudgets.policy",
                json!({"spec": {"maxUnavailable": -1}}),
                vec!["spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0"],
            ),
            (
                "priorityclasses.scheduling.k8s.io",
                json!({"metadata": {"name": "high"}, "value": 2_000_000_000}),
                vec!["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
            ),
            (
                "horizontalpodautoscalers.autoscaling",
                json!({"spec": {"minReplicas": 3, "maxReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}}),
                vec!["spec.maxReplicas: Invalid value: 1: must be greater than or equal to `minReplicas`"],
            ),
            (
                "persistentvolumeclaims",
                json!({"spec": {}}),
                vec![
                    "spec.accessModes: Required value: at least 1 access mode is required",
                    "spec.resources[storage]: Required value",
                ],
            ),
            ("storageclasses.storage.k8s.io", json!({}), vec!["provisioner: Required value"]),
            (
                "limitranges",
                json!({"spec": {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}}),
                vec![
                    "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1",
                ],
            ),
            (
                "resourcequotas",
                json!({"spec": {"hard": {"pods": "-1"}}}),
                vec!["spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0"],
            ),
            ("resourcequotas", json!({"spec": {"hard": {"pods": "1"}}}), vec![]),
        ];
        for (resource, object, expected) in cases {
            assert_eq!(complaints(resource, &object), expected, "{resource} {object}");
        }
    }
}
