//! What a pod takes on from the runtime class that it names: what that costs, and where it can run.

use serde_json::Value;

use crate::{
    api::{
        Api, Status,
        json::{default, fields, items, push, text},
    },
    resources::Resource,
    store::Key,
};

const CLASSES: &str = "runtimeclasses.node.k8s.io";

/// Gives a pod the overhead, node selector and tolerations of its class.
///
/// # Errors
/// 403 for a class that is not there, or that contradicts the pod.
pub(super) fn take_on(api: &Api, resource: &Resource, pod: &mut Value) -> Result<(), Status> {
    let name = text(&pod["metadata"]["name"]).to_owned();
    let refused = |why: &str| Err(Status::forbidden(resource, &name, why));
    let spec = &mut pod["spec"];
    let Some(class) = spec["runtimeClassName"].as_str() else {
        let cost = spec["overhead"].as_object().is_some_and(|cost| !cost.is_empty());
        return if cost {
            refused("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
        } else {
            Ok(())
        };
    };
    let Some(found) = api.store().get(CLASSES, &Key::new("", class)) else {
        return refused(&format!("pod rejected: RuntimeClass {class:?} not found"));
    };
    let class = found.value();
    let cost = &class["overhead"]["podFixed"];
    if cost.is_object() {
        if !spec["overhead"].is_null() && spec["overhead"] != *cost {
            return refused("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
        }
        default(spec, "overhead", cost.clone());
    }
    let scheduling = &class["scheduling"];
    for (key, of_class) in scheduling["nodeSelector"].as_object().into_iter().flatten() {
        let Some(selector) = fields(&mut spec["nodeSelector"]) else { continue };
        match selector.get(key) {
            Some(of_pod) if of_pod != of_class => {
                return refused(&format!(
                    "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                    text(of_class),
                    text(of_pod)
                ));
            }
            _ => drop(selector.insert(key.clone(), of_class.clone())),
        }
    }
    for toleration in items(&scheduling["tolerations"]) {
        if !items(&spec["tolerations"]).contains(toleration) {
            push(spec, "tolerations", toleration.clone());
        }
    }
    Ok(())
}
