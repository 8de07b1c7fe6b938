//! The kubelet that the recorded servers had: a stub that writes pods' statuses through the API, as their image says.
//! It runs nothing, and a pod that is to go is gone at once.

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use pulldrill_clock::real;
use serde_json::{Value, json};

/// The program that was the kubelet of the recorded servers, as the managers of fields have it.
const MANAGER: &str = "Python-urllib";

/// The address of every pod.
const ADDRESS: &str = "10.1.0.5";

/// Plays kubelet for all pods that have a node, until it is dropped.
pub(crate) async fn run(client: Client) {
    let changes = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
    let changes = changes.default_backoff().applied_objects();
    pin_mut!(changes);
    while let Some(change) = changes.next().await {
        let Ok(pod) = change else { continue };
        let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
        let name = pod.name_any();
        // Whoever else was faster has made it unnecessary.
        if pod.metadata.deletion_timestamp.is_some() {
            drop(pods.delete(&name, &DeleteParams::default().grace_period(0)).await);
        } else if has_node(&pod) && !is_handled(&pod) {
            let patch = Patch::Strategic(status(&pod));
            drop(
                pods.patch_status(
                    &name,
                    &PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() },
                    &patch,
                )
                .await,
            );
        }
    }
}

fn has_node(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
}

/// Whether a pod has the status that it is to have.
pub(crate) fn is_handled(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some())
}

fn status(pod: &Pod) -> Value {
    let now = real::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let images: Vec<(&str, &str)> =
        containers.map(|c| (c.name.as_str(), c.image.as_deref().unwrap_or_default())).collect();
    let (phase, reason) = match images.first() {
        Some((_, image)) if image.starts_with("bad/") => ("Pending", Some("ContainersNotReady")),
        Some((_, image)) if image.starts_with("done:") => ("Succeeded", Some("PodCompleted")),
        _ => ("Running", None),
    };
    let condition = |kind: &str, reason: Option<&str>| {
        let status = if reason.is_some() { "False" } else { "True" };
        json!({"type": kind, "status": status, "reason": reason, "lastTransitionTime": now})
    };
    let running = phase == "Running";
    let statuses: Vec<Value> = images
        .iter()
        .map(|(name, image)| {
            let state = match phase {
                "Pending" => json!({"waiting": {"reason": "ImagePullBackOff",
                    "message": format!("Back-off pulling image {image:?}")}}),
                "Succeeded" => json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now,
                    "finishedAt": now}}),
                _ => json!({"running": {"startedAt": now}}),
            };
            let pulled = phase != "Pending";
            json!({"name": name, "image": image, "imageID": if pulled { "docker.io/x@sha256:1" } else { "" },
                "containerID": pulled.then_some("containerd://abc"), "ready": running, "started": running,
                "restartCount": 0, "state": state, "lastState": {}})
        })
        .collect();
    let conditions =
        [condition("Initialized", None), condition("Ready", reason), condition("ContainersReady", reason)];
    json!({"status": {"phase": phase, "conditions": conditions, "containerStatuses": statuses,
        "hostIP": "127.0.0.1", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}], "startTime": now}})
}
