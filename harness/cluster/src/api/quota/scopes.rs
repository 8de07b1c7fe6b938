//! Which objects a quota with scopes is about: pods of a kind.

use serde_json::{Value, json};

use crate::api::json::{items, text};

/// Whether a quota covers an object: all of its scopes have to.
pub(super) fn covers(quota: &Value, resource: &str, object: &Value) -> bool {
    let plain = items(&quota["spec"]["scopes"]);
    let selected = items(&quota["spec"]["scopeSelector"]["matchExpressions"]);
    if plain.is_empty() && selected.is_empty() {
        return true;
    }
    resource == "pods"
        && plain.iter().all(|scope| in_scope(object, &json!({"scopeName": scope, "operator": "Exists"})))
        && selected.iter().all(|requirement| in_scope(object, requirement))
}

fn in_scope(pod: &Value, requirement: &Value) -> bool {
    let spec = &pod["spec"];
    let best_effort = pod["status"]["qosClass"] == "BestEffort";
    let terminating = spec["activeDeadlineSeconds"].as_i64().is_some_and(|seconds| seconds >= 0);
    match text(&requirement["scopeName"]) {
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        "Terminating" => terminating,
        "NotTerminating" => !terminating,
        "PriorityClass" => {
            let class = text(&spec["priorityClassName"]);
            let listed = items(&requirement["values"]).iter().any(|value| value == class);
            match text(&requirement["operator"]) {
                "In" => listed,
                "NotIn" => !listed,
                "DoesNotExist" => class.is_empty(),
                _ => !class.is_empty(),
            }
        }
        _ => false,
    }
}
