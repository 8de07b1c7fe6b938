//! What the API refuses to store, in its own words.

pub(super) mod certificates;
pub(super) mod cron_job;
mod environment;
mod ephemeral;
mod gates;
mod metadata;
mod network;
mod parts;
mod pod;
mod policy;
mod probes;
mod rbac;
mod scheduling;
mod secret;
mod security;
mod status;
mod storage;
mod webhooks;
pub(super) mod wording;
mod workload;

use serde_json::Value;

use super::{invalid::Errors, json::text, names};
use crate::resources::Resource;

/// Complaints about an object that is to be created.
pub(super) fn new_object(resource: &Resource, object: &Value, errors: &mut Errors) {
    names::check_name(resource, &object["metadata"]["name"], errors);
    if resource.store == "pods" {
        ephemeral::none_yet(object, errors);
    }
    content(resource, object, None, errors);
}

/// Complaints about a new status.
pub(super) fn changed_status(resource: &Resource, object: &Value, errors: &mut Errors) {
    status::counters(&resource.store, &object["status"], errors);
}

/// Complaints about a change of a pod's ephemeral containers.
pub(super) fn changed_ephemeral(old: &Value, new: &Value, errors: &mut Errors) {
    ephemeral::change(old, new, errors);
}

/// Complaints about a change.
pub(super) fn changed_object(resource: &Resource, old: &Value, new: &Value, errors: &mut Errors) {
    metadata::change(&old["metadata"], &new["metadata"], errors);
    match resource.store.as_str() {
        "pods" => pod::change(old, new, errors),
        "secrets" => secret::change(old, new, errors),
        "configmaps" => immutable_data(old, new, errors),
        "persistentvolumeclaims" => storage::claim_change(old, new, errors),
        "persistentvolumes" => storage::volume_change(old, new, errors),
        "services" => network::service_change(&old["spec"], &new["spec"], errors),
        "runtimeclasses.node.k8s.io" if old["handler"] != new["handler"] => {
            errors.invalid("handler", &new["handler"], "field is immutable");
        }
        "deployments.apps" | "replicasets.apps" | "daemonsets.apps" => {
            workload::selector_stays(old, new, errors);
        }
        "statefulsets.apps" => workload::stateful_set_change(old, new, errors),
        "jobs.batch" => workload::job_change(old, new, errors),
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io"
            if old["roleRef"] != new["roleRef"] =>
        {
            errors.invalid("roleRef", &new["roleRef"], "cannot change roleRef");
        }
        other => policy::change(other, old, new, errors),
    }
    content(resource, new, Some(old), errors);
}

fn content(resource: &Resource, object: &Value, old: Option<&Value>, errors: &mut Errors) {
    metadata::check(&object["metadata"], errors);
    match resource.store.as_str() {
        "pods" => pod::spec(&"spec", &object["spec"], errors),
        "secrets" => secret::content(object, errors),
        "configmaps" => {
            for field in ["data", "binaryData"] {
                secret::keys(&field, &object[field], errors);
            }
        }
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
        "jobs.batch" => workload::job(&"spec", &object["spec"], errors),
        "cronjobs.batch" => cron_job::cron_job(object, old, errors),
        "events" => event(object, errors),
        "roles.rbac.authorization.k8s.io" => rbac::role(object, errors),
        "clusterroles.rbac.authorization.k8s.io" => rbac::cluster_role(object, errors),
        "rolebindings.rbac.authorization.k8s.io" => rbac::binding(object, true, errors),
        "clusterrolebindings.rbac.authorization.k8s.io" => rbac::binding(object, false, errors),
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
