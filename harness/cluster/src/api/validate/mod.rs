//! What the API refuses to store, in its own words.

pub(super) mod certificates;
mod config_map;
mod container;
pub(super) mod cron_job;
mod environment;
mod ephemeral;
mod failure_policy;
mod gates;
mod job;
mod metadata;
mod network;
mod parts;
mod pod;
mod policy;
mod probes;
mod rbac;
mod resources;
mod rollout;
mod scheduling;
mod secret;
mod security;
mod service;
mod shown;
mod status;
mod storage;
mod volumes;
mod webhooks;
pub(super) mod wording;
mod workload;

use serde_json::Value;

pub(super) use self::metadata::DELETION;
use super::{invalid::Errors, json::text, names};
use crate::resources::Resource;

/// Complaints about an object that is to be created.
pub(super) fn new_object(resource: &Resource, object: &Value, errors: &mut Errors) {
    names::check_generated(resource, &object["metadata"]["generateName"], errors);
    names::check_name(resource, &object["metadata"]["name"], errors);
    content(resource, object, None, errors);
    if resource.store == "pods" {
        ephemeral::none_yet(object, errors);
        gates::no_node_yet(&object["spec"], errors);
    }
}

/// Complaints about a new status.
pub(super) fn changed_status(resource: &Resource, object: &Value, errors: &mut Errors) {
    status::counters(&resource.store, &object["status"], errors);
}

/// Complaints about a change of a pod's ephemeral containers.
pub(super) fn changed_ephemeral(old: &Value, new: &Value, errors: &mut Errors) {
    ephemeral::change(old, new, errors);
}

/// Complaints about a change: of most kinds the new object is looked at first, then what is new in it.
pub(super) fn changed_object(resource: &Resource, old: &Value, new: &Value, errors: &mut Errors) {
    metadata::change(&old["metadata"], &new["metadata"], errors);
    match resource.store.as_str() {
        "secrets" => secret::change(old, new, errors),
        "configmaps" => immutable_data(old, new, errors),
        "services" => service::change(&old["spec"], &new["spec"], errors),
        other => policy::change(other, old, new, errors),
    }
    content(resource, new, Some(old), errors);
    match resource.store.as_str() {
        "pods" => pod::change(old, new, errors),
        "persistentvolumeclaims" => storage::claim_change(old, new, errors),
        "persistentvolumes" => storage::volume_change(old, new, errors),
        "statefulsets.apps" => workload::stateful_set_change(old, new, errors),
        "jobs.batch" => job::change(old, new, errors),
        other => {
            for (_, field, shown, why) in STAYING.iter().filter(|(store, ..)| *store == other) {
                let (was, is) = (old.pointer(field), new.pointer(field));
                if was != is {
                    let path = field.trim_start_matches('/').replace('/', ".");
                    let shown = shown(is.unwrap_or(&Value::Null), errors);
                    errors.invalid_shown(path, &shown, why);
                }
            }
        }
    }
}

/// How a value is shown in a complaint about it.
type Shown = fn(&Value, &Errors) -> String;

/// Fields (JSON pointers) that stay what they are, by the resource's name in the store, and what is said when they don't.
const STAYING: [(&str, &str, Shown, &str); 6] = [
    ("daemonsets.apps", "/spec/selector", shown::selector, "field is immutable"),
    ("deployments.apps", "/spec/selector", shown::selector, "field is immutable"),
    ("replicasets.apps", "/spec/selector", shown::selector, "field is immutable"),
    ("runtimeclasses.node.k8s.io", "/handler", shown::plain, "field is immutable"),
    ("rolebindings.rbac.authorization.k8s.io", "/roleRef", shown::role, "cannot change roleRef"),
    ("clusterrolebindings.rbac.authorization.k8s.io", "/roleRef", shown::role, "cannot change roleRef"),
];

fn content(resource: &Resource, object: &Value, old: Option<&Value>, errors: &mut Errors) {
    metadata::check(&object["metadata"], errors);
    match resource.store.as_str() {
        "pods" => pod::check(object, errors),
        "secrets" => secret::content(object, errors),
        "configmaps" => config_map::content(object, errors),
        "deployments.apps" => workload::deployment(object, errors),
        "replicasets.apps" => workload::replica_set(object, errors),
        "replicationcontrollers" => workload::replication_controller(&object["spec"], errors),
        "mutatingwebhookconfigurations.admissionregistration.k8s.io"
        | "validatingwebhookconfigurations.admissionregistration.k8s.io" => {
            webhooks::configuration(object, errors);
        }
        "persistentvolumes" => storage::volume(&object["spec"], errors),
        "statefulsets.apps" => workload::stateful_set(object, errors),
        "daemonsets.apps" => workload::daemon_set(object, errors),
        "jobs.batch" => job::job(object, old.is_none(), errors),
        "cronjobs.batch" => cron_job::cron_job(object, old, errors),
        "events" => event(object, errors),
        "roles.rbac.authorization.k8s.io" => rbac::role(object, errors),
        "clusterroles.rbac.authorization.k8s.io" => rbac::cluster_role(object, errors),
        "rolebindings.rbac.authorization.k8s.io" => rbac::binding(object, true, errors),
        "clusterrolebindings.rbac.authorization.k8s.io" => rbac::binding(object, false, errors),
        "services" => service::content(&object["spec"], errors),
        other => {
            network::content(other, object, errors);
            policy::content(other, object, errors);
        }
    }
}

fn immutable_data(old: &Value, new: &Value, errors: &mut Errors) {
    if old["immutable"] == true {
        if new["immutable"] != true {
            errors.forbidden("immutable", "field is immutable when `immutable` is set");
        }
        for field in ["data", "binaryData"].into_iter().filter(|f| old[*f] != new[*f]) {
            errors.forbidden(field, "field is immutable when `immutable` is set");
        }
    }
}

fn event(object: &Value, errors: &mut Errors) {
    let involved = &object["involvedObject"]["namespace"];
    let own = text(&object["metadata"]["namespace"]);
    let fits = if text(involved).is_empty() { own == "default" } else { text(involved) == own };
    if !fits {
        errors.invalid("involvedObject.namespace", involved, "does not match event.namespace");
    }
}

#[cfg(test)]
mod tests;
