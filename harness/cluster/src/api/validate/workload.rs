//! Deployments, ReplicaSets, StatefulSets and DaemonSets: selectors and templates, and how they roll out.
//!
//! The rules are those of Kubernetes' apps validation.

use serde_json::Value;

use super::{metadata, pod, rollout, scheduling, shown};
use crate::api::{
    invalid::{Errors, FieldPath},
    json::text,
    selector::Selector,
};

const STATEFUL_SET: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
    'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are \
    forbidden";

/// Since this minor version the pods that a StatefulSet wants are looked at before they are made.
const STATEFUL_PODS: u32 = 34;

pub(super) fn not_negative(field: FieldPath<'_>, value: &Value, errors: &mut Errors) {
    if value.as_i64().is_some_and(|n| n < 0) {
        errors.invalid(field, value, "must be greater than or equal to 0");
    }
}

/// Complaints about the selector of an `owner`, then its template: nothing of that is looked at under a selector that makes
/// no sense, of which is said that it is `malformed`.
fn selector_and_template(
    spec: &Value,
    (owner, malformed): (&str, &str),
    template: impl FnOnce(&mut Errors),
    errors: &mut Errors,
) {
    let (selector, field) = (&spec["selector"], "spec.selector");
    let before = errors.len();
    let mut bad = false;
    if selector.is_null() {
        errors.required(field, "");
    } else {
        scheduling::label_selector(&field, selector, errors);
        bad = errors.len() > before;
        if selector.as_object().is_some_and(serde_json::Map::is_empty) {
            let shown = shown::selector(selector, errors);
            errors.invalid_shown(field, &shown, &format!("empty selector is invalid for {owner}"));
        }
    }
    if bad {
        return errors.invalid_shown(field, &shown::selector(selector, errors), malformed);
    }
    // Without a selector nothing fits.
    let labels = &spec["template"]["metadata"]["labels"];
    if selector.is_null() || !Selector::of_object(selector).matches(labels) {
        labels_differ(labels, errors);
    }
    template(errors);
}

/// The labels of a template are not those of its selector.
pub(super) fn labels_differ(labels: &Value, errors: &mut Errors) {
    let (field, why) = ("spec.template.metadata.labels", "`selector` does not match template `labels`");
    errors.invalid_shown(field, &shown::labels(labels, errors), why);
}

/// Complaints about a template whose pods are restarted for ever; its owner is called `kind`.
fn lasting(kind: &str, spec: &Value, errors: &mut Errors) {
    pod::template(&"spec.template", &spec["template"], &Value::Null, errors);
    always_restarts(kind, spec, errors);
}

fn always_restarts(kind: &str, spec: &Value, errors: &mut Errors) {
    let spec = &spec["template"]["spec"];
    if spec["restartPolicy"] != "Always" {
        let policy = text(&spec["restartPolicy"]).into();
        errors.unsupported("spec.template.spec.restartPolicy", &policy, &["Always"]);
    }
    if !spec["activeDeadlineSeconds"].is_null() {
        let why = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.forbidden("spec.template.spec.activeDeadlineSeconds", &why);
    }
}

/// Complaints about a Deployment.
pub(super) fn deployment(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    not_negative(&"spec.replicas", &spec["replicas"], errors);
    let named = ("deployment", "invalid label selector");
    selector_and_template(spec, named, |errors| lasting("ReplicaSet", spec, errors), errors);
    rollout::of_deployment(&spec["strategy"], errors);
    for field in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        not_negative(&format_args!("spec.{field}"), &spec[field], errors);
    }
    let ready = spec["minReadySeconds"].as_i64().unwrap_or(0);
    if spec["progressDeadlineSeconds"].as_i64().is_some_and(|deadline| deadline <= ready) {
        let detail = "must be greater than minReadySeconds";
        errors.invalid("spec.progressDeadlineSeconds", &spec["progressDeadlineSeconds"], detail);
    }
}

/// Complaints about a ReplicaSet. What is said of its empty selector is what is said of a Deployment's.
pub(super) fn replica_set(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    not_negative(&"spec.replicas", &spec["replicas"], errors);
    not_negative(&"spec.minReadySeconds", &spec["minReadySeconds"], errors);
    let named = ("deployment", "invalid label selector");
    selector_and_template(spec, named, |errors| lasting("ReplicaSet", spec, errors), errors);
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
        labels_differ(own, errors);
    }
    lasting("ReplicationController", spec, errors);
}

/// Complaints about a StatefulSet. Before its pods were looked at, only the metadata of its template was.
pub(super) fn stateful_set(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let policy = &spec["podManagementPolicy"];
    if !matches!(text(policy), "OrderedReady" | "Parallel") {
        errors.invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'");
    }
    rollout::of_stateful_set(&spec["updateStrategy"], errors);
    let retention = &spec["persistentVolumeClaimRetentionPolicy"];
    for field in ["whenDeleted", "whenScaled"].into_iter().filter(|_| retention.is_object()) {
        let policies = ["Retain", "Delete"];
        if !policies.contains(&text(&retention[field])) {
            let path = format_args!("spec.persistentVolumeClaimRetentionPolicy.{field}");
            errors.unsupported(path, &text(&retention[field]).into(), &policies);
        }
    }
    for field in ["/replicas", "/minReadySeconds", "/ordinals/start"] {
        let value = spec.pointer(field).unwrap_or(&Value::Null);
        not_negative(&format_args!("spec{}", field.replace('/', ".")), value, errors);
    }
    let template = |errors: &mut Errors| {
        if errors.release().since(STATEFUL_PODS) {
            pod::template(&"spec.template", &spec["template"], &spec["volumeClaimTemplates"], errors);
        } else {
            metadata::of_template(&"spec.template", &spec["template"]["metadata"], errors);
        }
    };
    selector_and_template(spec, ("statefulset", ""), template, errors);
    always_restarts("StatefulSet", spec, errors);
}

/// Complaints about a DaemonSet. A selector that is not there or makes no sense is no reason not to look at the template.
pub(super) fn daemon_set(object: &Value, errors: &mut Errors) {
    let (spec, selector) = (&object["spec"], &object["spec"]["selector"]);
    let labels = &spec["template"]["metadata"]["labels"];
    let before = errors.len();
    scheduling::label_selector(&"spec.selector", selector, errors);
    let sound = errors.len() == before;
    if sound && (selector.is_null() || !Selector::of_object(selector).matches(labels)) {
        labels_differ(labels, errors);
    }
    if selector.as_object().is_some_and(serde_json::Map::is_empty) {
        let shown = shown::selector(selector, errors);
        errors.invalid_shown("spec.selector", &shown, "empty selector is invalid for daemonset");
    }
    lasting("DaemonSet", spec, errors);
    not_negative(&"spec.minReadySeconds", &spec["minReadySeconds"], errors);
    rollout::of_daemon_set(&spec["updateStrategy"], errors);
    not_negative(&"spec.revisionHistoryLimit", &spec["revisionHistoryLimit"], errors);
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

#[cfg(test)]
mod tests;
