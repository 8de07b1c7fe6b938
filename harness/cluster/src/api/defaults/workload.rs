//! Defaults of Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and CronJobs.

use serde_json::{Value, json};

use super::pod;
use crate::api::json::{default, default_text, is_nothing, items_mut, object_mut, text};

/// The template inside a workload.
fn template(spec: &mut Value) {
    default(spec, "template", json!({}));
    default(&mut spec["template"], "metadata", json!({}));
    if let Some(meta) = spec["template"]["metadata"].as_object_mut() {
        meta.retain(|_, value| !value.is_null());
    }
    pod::spec(&mut spec["template"]["spec"], true);
}

pub(super) fn deployment(object: &mut Value) {
    let spec = &mut object["spec"];
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    default(spec, "strategy", json!({}));
    let strategy = &mut spec["strategy"];
    default_text(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        default(strategy, "rollingUpdate", json!({}));
        default(&mut strategy["rollingUpdate"], "maxSurge", "25%");
        default(&mut strategy["rollingUpdate"], "maxUnavailable", "25%");
    }
    template(spec);
}

pub(super) fn replica_set(object: &mut Value) {
    let labels = object["spec"]["template"]["metadata"]["labels"].clone();
    if object["kind"] == "ReplicationController" && labels.is_object() {
        let without = |value: &Value| value.as_object().is_none_or(serde_json::Map::is_empty);
        if without(&object["spec"]["selector"]) {
            object["spec"]["selector"] = labels.clone();
        }
        if without(&object["metadata"]["labels"]) {
            object["metadata"]["labels"] = labels;
        }
    }
    default(&mut object["spec"], "replicas", 1);
    template(&mut object["spec"]);
}

pub(super) fn stateful_set(object: &mut Value) {
    let spec = &mut object["spec"];
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "serviceName", "");
    default_text(spec, "podManagementPolicy", "OrderedReady");
    default(spec, "updateStrategy", json!({}));
    default_text(&mut spec["updateStrategy"], "type", "RollingUpdate");
    if spec["updateStrategy"]["type"] == "RollingUpdate" {
        default(&mut spec["updateStrategy"], "rollingUpdate", json!({}));
        default(&mut spec["updateStrategy"]["rollingUpdate"], "partition", 0);
    }
    default(spec, "persistentVolumeClaimRetentionPolicy", json!({}));
    for case in ["whenDeleted", "whenScaled"] {
        default_text(&mut spec["persistentVolumeClaimRetentionPolicy"], case, "Retain");
    }
    items_mut(spec, "volumeClaimTemplates").for_each(claim_template);
    template(spec);
}

/// A template is a whole claim: it is of a kind, and has a status.
fn claim_template(claim: &mut Value) {
    default_text(claim, "apiVersion", "v1");
    default_text(claim, "kind", "PersistentVolumeClaim");
    default_text(&mut claim["spec"], "volumeMode", "Filesystem");
    default_text(&mut claim["status"], "phase", "Pending");
}

pub(super) fn daemon_set(object: &mut Value) {
    let spec = &mut object["spec"];
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "updateStrategy", json!({}));
    default_text(&mut spec["updateStrategy"], "type", "RollingUpdate");
    if spec["updateStrategy"]["type"] == "RollingUpdate" {
        default(&mut spec["updateStrategy"], "rollingUpdate", json!({}));
        default(&mut spec["updateStrategy"]["rollingUpdate"], "maxSurge", 0);
        default(&mut spec["updateStrategy"]["rollingUpdate"], "maxUnavailable", 1);
    }
    template(spec);
}

pub(super) fn job(object: &mut Value) {
    job_spec(&mut object["spec"]);
}

/// A job finds its pods by its own uid, unless it says how (`generateSelector` of Kubernetes' job strategy). What a client
/// has put there itself stays, for validation to refuse.
pub(super) fn job_selector(object: &mut Value) {
    let (uid, name) = (object["metadata"]["uid"].clone(), object["metadata"]["name"].clone());
    let live = !text(&object["metadata"]["resourceVersion"]).is_empty();
    let spec = &mut object["spec"];
    let chosen = spec["selector"].is_object();
    if spec["manualSelector"] == true || text(&uid).is_empty() || chosen && live {
        return;
    }
    default(spec, "selector", json!({}));
    default(&mut spec["selector"], "matchLabels", json!({}));
    default(&mut spec["selector"]["matchLabels"], "batch.kubernetes.io/controller-uid", uid.clone());
    default(&mut spec["template"], "metadata", json!({}));
    default(&mut spec["template"]["metadata"], "labels", json!({}));
    let labels = &mut spec["template"]["metadata"]["labels"];
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        default(labels, key, value.clone());
    }
    if is_nothing(&object["metadata"]["labels"]) {
        object["metadata"]["labels"] = object["spec"]["template"]["metadata"]["labels"].clone();
    }
}

fn job_spec(spec: &mut Value) {
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        default(spec, "completions", 1);
    }
    default(spec, "parallelism", 1);
    // Where each number has a limit of its own, that of all together is out of reach.
    let limit = if spec["backoffLimitPerIndex"].is_null() { 6 } else { i32::MAX };
    default(spec, "backoffLimit", limit);
    default_text(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    let replaced = if spec["podFailurePolicy"].is_object() { "Failed" } else { "TerminatingOrFailed" };
    default_text(spec, "podReplacementPolicy", replaced);
    default(spec, "manualSelector", false);
    job_template(spec);
}

/// A job's template has no default restart policy: the user has to choose one.
fn job_template(spec: &mut Value) {
    let rules =
        object_mut(spec, "podFailurePolicy").into_iter().flat_map(|policy| items_mut(policy, "rules"));
    for condition in rules.flat_map(|rule| items_mut(rule, "onPodConditions")) {
        default_text(condition, "status", "True");
    }
    let chosen = !text(&spec["template"]["spec"]["restartPolicy"]).is_empty();
    template(spec);
    if !chosen && spec["template"]["spec"].is_object() {
        spec["template"]["spec"]["restartPolicy"] = "Always".into();
    }
}

pub(super) fn cron_job(object: &mut Value) {
    let spec = &mut object["spec"];
    default_text(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3);
    default(spec, "failedJobsHistoryLimit", 1);
    default(&mut spec["jobTemplate"], "metadata", json!({}));
    if !spec["jobTemplate"]["spec"].is_null() {
        job_template(&mut spec["jobTemplate"]["spec"]);
    }
}
