//! Defaults of pods and of pod templates.

use serde_json::{Value, json};

use super::volumes;
use crate::api::json::{default, default_text, fields, items, items_mut, object_mut, push, text};

/// Defaults of a pod.
pub(super) fn pod(object: &mut Value) {
    spec(&mut object["spec"], false);
    if object["status"]["qosClass"].is_null() {
        set_qos_class(object);
    }
}

/// Fills in the class of a pod whose resources have been settled.
pub(super) fn set_qos_class(pod: &mut Value) {
    pod["status"]["qosClass"] = qos_class(&pod["spec"]).into();
}

/// Defaults of the spec of a pod, or of a template.
pub(super) fn spec(spec: &mut Value, template: bool) {
    if fields(spec).is_none() {
        return;
    }
    default_text(spec, "restartPolicy", "Always");
    default_text(spec, "dnsPolicy", "ClusterFirst");
    default_text(spec, "schedulerName", "default-scheduler");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "securityContext", json!({}));
    if !template {
        default(spec, "enableServiceLinks", true);
    }
    // The old name of the field goes on being written beside the new one.
    let account = [&spec["serviceAccountName"], &spec["serviceAccount"]].map(text);
    let account = account.into_iter().find(|a| !a.is_empty()).map(str::to_owned);
    if let Some(account) = account {
        default_text(spec, "serviceAccountName", account.as_str());
        spec["serviceAccount"] = spec["serviceAccountName"].clone();
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        items_mut(spec, list).for_each(container);
    }
    items_mut(spec, "volumes").for_each(volumes::of_pod);
    if !template && spec["hostNetwork"] == true {
        host_ports(spec);
    }
}

/// On the network of the host the ports of containers are the host's.
fn host_ports(spec: &mut Value) {
    for list in ["initContainers", "containers"] {
        for port in items_mut(spec, list).flat_map(|container| items_mut(container, "ports")) {
            let number = port["containerPort"].clone();
            default(port, "hostPort", number);
        }
    }
}

fn container(container: &mut Value) {
    let policy = pull_policy(text(&container["image"]));
    default_text(container, "imagePullPolicy", policy);
    default_text(container, "terminationMessagePath", "/dev/termination-log");
    default_text(container, "terminationMessagePolicy", "File");
    default(container, "resources", json!({}));
    if let Some(resources) = object_mut(container, "resources")
        && let Some(limits) = resources["limits"].as_object().filter(|limits| !limits.is_empty()).cloned()
    {
        default(resources, "requests", json!({}));
        for (name, limit) in &limits {
            default(&mut resources["requests"], name, limit.clone());
        }
    }
    for port in items_mut(container, "ports") {
        default_text(port, "protocol", "TCP");
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = object_mut(container, probe) {
            for (field, value) in [
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            ] {
                default(probe, field, value);
            }
            if let Some(call) = object_mut(probe, "grpc") {
                default(call, "service", "");
            }
            http_get(probe);
        }
    }
    if let Some(lifecycle) = object_mut(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            object_mut(lifecycle, hook).map(http_get);
        }
    }
    for variable in items_mut(container, "env") {
        object_mut(variable, "valueFrom").map(volumes::downward);
    }
}

/// What a probe or a hook asks for.
fn http_get(handler: &mut Value) {
    if let Some(get) = object_mut(handler, "httpGet") {
        default_text(get, "path", "/");
        default_text(get, "scheme", "HTTP");
    }
}

/// Whether an image is asked for anew at each start: when its tag is absent or `latest`.
pub(super) fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

/// How well a pod is protected from others.
fn qos_class(spec: &Value) -> &'static str {
    let containers: Vec<&Value> =
        ["containers", "initContainers"].iter().flat_map(|l| items(&spec[*l])).collect();
    let resources = |c: &Value, what: &str, name: &str| c["resources"][what].get(name).cloned();
    let nothing = containers.iter().all(|c| {
        ["requests", "limits"].iter().all(|w| ["cpu", "memory"].iter().all(|n| resources(c, w, n).is_none()))
    });
    let guaranteed = containers.iter().all(|c| {
        ["cpu", "memory"].iter().all(|n| {
            let limit = resources(c, "limits", n);
            limit.is_some() && limit == resources(c, "requests", n)
        })
    });
    match (nothing, guaranteed) {
        (true, _) => "BestEffort",
        (_, true) => "Guaranteed",
        _ => "Burstable",
    }
}

/// A pod that is held back by gates says so from the start; the scheduler does not look at it.
pub(super) fn note_gates(pod: &mut Value) {
    if items(&pod["spec"]["schedulingGates"]).is_empty() {
        return;
    }
    let scheduled = |condition: &Value| condition["type"] == "PodScheduled";
    if !items(&pod["status"]["conditions"]).iter().any(scheduled) {
        let gated = json!({"type": "PodScheduled", "status": "False", "lastProbeTime": null, "lastTransitionTime": null,
            "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates"});
        push(&mut pod["status"], "conditions", gated);
    }
}
