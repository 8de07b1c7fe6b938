//! Deployments, ReplicaSets, StatefulSets, DaemonSets and Jobs.

use serde_json::{Value, json};

use super::{metadata, pod, scheduling};
use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    selector,
};

pub(super) const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
    '93%', regex used for validation is '[0-9]+%')";

const STATEFUL_SET: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
    'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are \
    forbidden";

pub(super) fn not_negative(field: FieldPath<'_>, value: &Value, errors: &mut Errors) {
    if value.as_i64().is_some_and(|n| n < 0) {
        errors.invalid(field, value, "must be greater than or equal to 0");
    }
}

/// Complaints about the selector and the pod template of an owner (`deployment`) whose pods are restarted for ever; it
/// is called `kind` in what is not for its pods.
fn template((owner, kind): (&str, &str), spec: &Value, errors: &mut Errors) {
    let selector = &spec["selector"];
    let labels = &spec["template"]["metadata"]["labels"];
    if selector.is_null() {
        errors.required("spec.selector", "");
    } else if selector.as_object().is_some_and(serde_json::Map::is_empty) {
        errors.invalid("spec.selector", selector, &format!("empty selector is invalid for {owner}"));
    }
    // Without a selector nothing fits.
    let fits = !selector.is_null() && selector::Selector::of_object(selector).matches(labels);
    if !fits {
        let labels = if labels.is_null() { json!({}) } else { labels.clone() };
        errors.invalid(
            "spec.template.metadata.labels",
            &labels,
            "`selector` does not match template `labels`",
        );
    }
    scheduling::label_selector(&"spec.selector", selector, errors);
    metadata::of_template(&"spec.template", &spec["template"]["metadata"], errors);
    pod::spec(&"spec.template.spec", &spec["template"]["spec"], errors);
    always_restarts(spec, errors);
    if !spec["template"]["spec"]["activeDeadlineSeconds"].is_null() {
        let why = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.forbidden("spec.template.spec.activeDeadlineSeconds", &why);
    }
}

fn always_restarts(spec: &Value, errors: &mut Errors) {
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if matches!(text(policy), "OnFailure" | "Never") {
        errors.unsupported("spec.template.spec.restartPolicy", policy, &["Always"]);
    }
}

/// Complaints about a Deployment.
pub(super) fn deployment(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    not_negative(&"spec.replicas", &spec["replicas"], errors);
    template(("deployment", "ReplicaSet"), spec, errors);
    let strategy = &spec["strategy"];
    match text(&strategy["type"]) {
        "Recreate" if !strategy["rollingUpdate"].is_null() => errors.forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        ),
        "RollingUpdate" => rolling(&"spec.strategy.rollingUpdate", &strategy["rollingUpdate"], errors),
        "Recreate" => {}
        _ => errors.unsupported("spec.strategy.type", &strategy["type"], &["Recreate", "RollingUpdate"]),
    }
    not_negative(&"spec.minReadySeconds", &spec["minReadySeconds"], errors);
    not_negative(&"spec.revisionHistoryLimit", &spec["revisionHistoryLimit"], errors);
    let ready = spec["minReadySeconds"].as_i64().unwrap_or(0);
    if spec["progressDeadlineSeconds"].as_i64().is_some_and(|deadline| deadline <= ready) {
        let detail = "must be greater than minReadySeconds";
        errors.invalid("spec.progressDeadlineSeconds", &spec["progressDeadlineSeconds"], detail);
    }
}

fn rolling(path: FieldPath<'_>, rolling: &Value, errors: &mut Errors) {
    for field in ["maxUnavailable", "maxSurge"] {
        let (value, field) = (&rolling[field], format!("{path}.{field}"));
        not_negative(&field, value, errors);
        let percent = |t: &str| t.strip_suffix('%').is_some_and(|n| n.parse::<u32>().is_ok());
        if value.as_str().is_some_and(|t| !percent(t)) {
            errors.invalid(field, value, PERCENT);
        }
    }
    let zero = |value: &Value| *value == 0 || *value == "0%";
    if zero(&rolling["maxUnavailable"]) && zero(&rolling["maxSurge"]) {
        let detail = "may not be 0 when `maxSurge` is 0";
        errors.invalid(format_args!("{path}.maxUnavailable"), &rolling["maxUnavailable"], detail);
    }
}

/// Complaints about a ReplicaSet.
pub(super) fn replica_set(object: &Value, errors: &mut Errors) {
    not_negative(&"spec.replicas", &object["spec"]["replicas"], errors);
    template(("replicaset", "ReplicaSet"), &object["spec"], errors);
}

/// Complaints about the spec of a ReplicationController, whose selector is nothing but labels.
pub(super) fn replication_controller(spec: &Value, errors: &mut Errors) {
    let (selector, template) = (&spec["selector"], &spec["template"]);
    not_negative(&"spec.minReadySeconds", &spec["minReadySeconds"], errors);
    let labels = selector.as_object().filter(|labels| !labels.is_empty());
    if labels.is_none() {
        errors.required("spec.selector", "");
    }
    not_negative(&"spec.replicas", &spec["replicas"], errors);
    let own = &template["metadata"]["labels"];
    if labels.is_some_and(|labels| labels.iter().any(|(key, value)| own.get(key) != Some(value))) {
        let own = if own.is_null() { json!({}) } else { own.clone() };
        errors.invalid("spec.template.metadata.labels", &own, "`selector` does not match template `labels`");
    }
    metadata::of_template(&"spec.template", &template["metadata"], errors);
    pod::spec(&"spec.template.spec", &template["spec"], errors);
    always_restarts(spec, errors);
    if !template["spec"]["activeDeadlineSeconds"].is_null() {
        let why = "activeDeadlineSeconds in ReplicationController is not Supported";
        errors.forbidden("spec.template.spec.activeDeadlineSeconds", why);
    }
}

/// Complaints about a StatefulSet.
pub(super) fn stateful_set(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let policy = &spec["podManagementPolicy"];
    if !matches!(text(policy), "OrderedReady" | "Parallel") {
        errors.invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'");
    }
    let strategy = &spec["updateStrategy"];
    match text(&strategy["type"]) {
        "RollingUpdate" => {
            let partition = &strategy["rollingUpdate"]["partition"];
            not_negative(&"spec.updateStrategy.rollingUpdate.partition", partition, errors);
        }
        "OnDelete" => {}
        _ => errors.invalid("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'"),
    }
    not_negative(&"spec.replicas", &spec["replicas"], errors);
    template(("statefulset", "StatefulSet"), spec, errors);
}

/// Complaints about a DaemonSet.
pub(super) fn daemon_set(object: &Value, errors: &mut Errors) {
    template(("daemonset", "DaemonSet"), &object["spec"], errors);
    let strategy = &object["spec"]["updateStrategy"];
    match text(&strategy["type"]) {
        "RollingUpdate" => rolling_daemons(&strategy["rollingUpdate"], errors),
        "OnDelete" => {}
        _ => errors.unsupported("spec.updateStrategy", strategy, &["RollingUpdate", "OnDelete"]),
    }
    not_negative(&"spec.minReadySeconds", &object["spec"]["minReadySeconds"], errors);
    not_negative(&"spec.revisionHistoryLimit", &object["spec"]["revisionHistoryLimit"], errors);
}

fn rolling_daemons(rolling: &Value, errors: &mut Errors) {
    let zero = |value: &Value| *value == 0 || *value == "0%";
    let path = "spec.updateStrategy.rollingUpdate.maxUnavailable";
    if zero(&rolling["maxUnavailable"]) && (rolling["maxSurge"].is_null() || zero(&rolling["maxSurge"])) {
        errors.invalid(path, &rolling["maxUnavailable"], "cannot be 0 when `maxSurge` is 0");
    }
}

/// Complaints about the spec of a Job.
pub(super) fn job(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    for field in ["parallelism", "completions", "backoffLimit", "activeDeadlineSeconds"] {
        not_negative(&format_args!("{path}.{field}"), &spec[field], errors);
    }
    metadata::of_template(&format_args!("{path}.template"), &spec["template"]["metadata"], errors);
    let template = &spec["template"]["spec"];
    pod::spec(&format_args!("{path}.template.spec"), template, errors);
    if text(&template["restartPolicy"]) == "Always" {
        let field = format_args!("{path}.template.spec.restartPolicy");
        errors.required(field, "valid values: \"OnFailure\", \"Never\"");
    }
}

/// The selector of a workload can't change.
pub(super) fn selector_stays(old: &Value, new: &Value, errors: &mut Errors) {
    if old["spec"]["selector"] != new["spec"]["selector"] {
        errors.invalid("spec.selector", &new["spec"]["selector"], "field is immutable");
    }
}

/// Most of a StatefulSet can't change.
pub(super) fn stateful_set_change(old: &Value, new: &Value, errors: &mut Errors) {
    let fixed = |object: &Value| {
        let mut spec = object["spec"].clone();
        for field in [
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
        ] {
            spec.as_object_mut().and_then(|s| s.remove(field));
        }
        spec
    };
    if fixed(old) != fixed(new) {
        errors.forbidden("spec", STATEFUL_SET);
    }
}

/// The template of a Job can't change (unless it is suspended and has never started).
pub(super) fn job_change(old: &Value, new: &Value, errors: &mut Errors) {
    let held = old["spec"]["suspend"] == true && items(&old["status"]["conditions"]).is_empty();
    for field in ["template", "selector", "completions"] {
        if old["spec"][field] != new["spec"][field] && !(held && field == "template") {
            errors.invalid(format_args!("spec.{field}"), &new["spec"][field], "field is immutable");
        }
    }
}
