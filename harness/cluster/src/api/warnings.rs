//! What is accepted but worth a warning.

use std::collections::BTreeSet;

use serde_json::Value;

use super::json::{items, text};
use crate::resources::Resource;

/// The warnings about an object as a client sent it.
pub(super) fn about(resource: &Resource, object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    match object["apiVersion"].as_str() {
        Some("batch/v1beta1") => warnings
            .push("batch/v1beta1 CronJob is deprecated in v1.21+, unavailable in v1.25+; use batch/v1 CronJob".into()),
        Some("policy/v1beta1") => warnings.push(
            "policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+; use policy/v1 \
             PodDisruptionBudget"
                .into(),
        ),
        _ => {}
    }
    if resource.store == "endpoints" {
        warnings.push("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".into());
    }
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
            let mut seen = BTreeSet::new();
            for (number, variable) in items(&container["env"]).iter().enumerate() {
                let name = text(&variable["name"]);
                if !seen.insert(name) {
                    warnings.push(format!(
                        "{path}.{list}[{index}].env[{number}]: hides previous definition of \"{name}\", which may \
                         be dropped when using apply"
                    ));
                }
            }
        }
    }
    warnings
}
