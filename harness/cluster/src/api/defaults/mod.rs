//! What the API fills in where a client says nothing. Admission, which depends on other objects, is not here.

mod autoscaler;
mod limits;
mod network;
mod pod;
mod volumes;
mod workload;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::json::{default, default_text, items_mut};
use crate::resources::Resource;

/// Fills in the defaults of an object's kind.
pub(super) fn apply(resource: &Resource, object: &mut Value) {
    match resource.store.as_str() {
        "pods" => pod::pod(object),
        "deployments.apps" => workload::deployment(object),
        "replicasets.apps" | "replicationcontrollers" => workload::replica_set(object),
        "statefulsets.apps" => workload::stateful_set(object),
        "daemonsets.apps" => workload::daemon_set(object),
        "jobs.batch" => workload::job(object),
        "cronjobs.batch" => workload::cron_job(object),
        "horizontalpodautoscalers.autoscaling" => autoscaler::autoscaler(object),
        "secrets" => secret(object),
        "limitranges" => limits::limit_range(object),
        "namespaces" => namespace_label(object),
        "nodes" => node(object),
        "services" => network::service(object),
        "networkpolicies.networking.k8s.io" => network::policy(object),
        "persistentvolumeclaims" => default(&mut object["spec"], "volumeMode", "Filesystem"),
        "persistentvolumes" => volume(object),
        "storageclasses.storage.k8s.io" => storage_class(object),
        "endpointslices.discovery.k8s.io" => items_mut(object, "ports").for_each(endpoint_port),
        "priorityclasses.scheduling.k8s.io" => default(object, "preemptionPolicy", "PreemptLowerPriority"),
        "apiservices.apiregistration.k8s.io" if object["spec"]["service"].is_object() => {
            default(&mut object["spec"]["service"], "port", 443);
        }
        "mutatingwebhookconfigurations.admissionregistration.k8s.io" => webhooks(object, true),
        "validatingwebhookconfigurations.admissionregistration.k8s.io" => webhooks(object, false),
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => {
            role_binding(object);
        }
        _ => {}
    }
}

/// Fills in the class of a pod whose resources admission has changed.
pub(super) fn qos_class(pod: &mut Value) {
    pod::set_qos_class(pod);
}

/// Fills in what the server makes up for a new object, which is nobody's: unlike a default, no manager owns it.
pub(super) fn generate(resource: &Resource, object: &mut Value) {
    match resource.store.as_str() {
        "jobs.batch" => workload::job_selector(object),
        "namespaces" => {
            default(object, "spec", json!({}));
            default(&mut object["spec"], "finalizers", json!(["kubernetes"]));
        }
        "services" => network::families(object),
        "pods" => pod::note_gates(object),
        "nodes" => node_info(object),
        _ => {}
    }
}

/// What is known of a node's machine and always written.
const NODE_INFO: [&str; 10] = [
    "architecture",
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "kubeletVersion",
    "machineID",
    "operatingSystem",
    "osImage",
    "systemUUID",
];

fn node(object: &mut Value) {
    default(object, "spec", json!({}));
    let only = object["spec"]["podCIDR"].clone();
    if only.as_str().is_some_and(|only| !only.is_empty()) {
        default(&mut object["spec"], "podCIDRs", json!([only]));
    }
}

/// Fields of a node's status that are there from the start, if only empty.
fn node_info(object: &mut Value) {
    default(object, "status", json!({}));
    let status = &mut object["status"];
    default(status, "daemonEndpoints", json!({"kubeletEndpoint": {"Port": 0}}));
    default(status, "nodeInfo", json!({}));
    for field in NODE_INFO {
        default(&mut status["nodeInfo"], field, "");
    }
}

fn secret(object: &mut Value) {
    default_text(object, "type", "Opaque");
    let Some(plain) = object.as_object_mut().and_then(|o| o.remove("stringData")) else { return };
    for (key, value) in plain.as_object().into_iter().flatten() {
        default(object, "data", json!({}));
        object["data"][key.as_str()] = STANDARD.encode(value.as_str().unwrap_or_default()).into();
    }
}

fn namespace_label(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    default(&mut object["metadata"], "labels", json!({}));
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
}

/// `SetDefaults_EndpointPort` of Kubernetes: kubectl counts on both fields.
fn endpoint_port(port: &mut Value) {
    default(port, "name", "");
    default(port, "protocol", "TCP");
}

fn volume(object: &mut Value) {
    default_text(&mut object["spec"], "persistentVolumeReclaimPolicy", "Retain");
    default(&mut object["spec"], "volumeMode", "Filesystem");
    volumes::source(&mut object["spec"]);
}

fn storage_class(object: &mut Value) {
    default_text(object, "reclaimPolicy", "Delete");
    default_text(object, "volumeBindingMode", "Immediate");
}

fn webhooks(configuration: &mut Value, mutating: bool) {
    for webhook in items_mut(configuration, "webhooks") {
        default_text(webhook, "failurePolicy", "Fail");
        default_text(webhook, "matchPolicy", "Equivalent");
        default(webhook, "namespaceSelector", json!({}));
        default(webhook, "objectSelector", json!({}));
        default(webhook, "timeoutSeconds", 10);
        if mutating {
            default_text(webhook, "reinvocationPolicy", "Never");
        }
        for rule in items_mut(webhook, "rules") {
            default_text(rule, "scope", "*");
        }
        if webhook["clientConfig"]["service"].is_object() {
            default(&mut webhook["clientConfig"]["service"], "port", 443);
        }
    }
}

fn role_binding(object: &mut Value) {
    default_text(&mut object["roleRef"], "apiGroup", "rbac.authorization.k8s.io");
    for subject in items_mut(object, "subjects") {
        if matches!(subject["kind"].as_str(), Some("User" | "Group")) {
            default_text(subject, "apiGroup", "rbac.authorization.k8s.io");
        }
    }
}

#[cfg(test)]
mod tests;
