//! The containers of pods: what each needs, in the order in which the API server looks.
//!
//! The rules are those of `validateContainers`, `validateInitContainers` and `validateContainerCommon` in Kubernetes'
//! core validation.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{environment, parts, probes, resources, security, volumes};
use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

/// Since this minor version containers have policies of their own for being started again.
const OWN_POLICIES: u32 = 35;

/// Since this minor version a policy for the last message is one of several, as other policies are.
const MESSAGE_POLICIES: u32 = 24;

/// Complaints about the containers of a pod's spec, and those that come before them.
pub(super) fn all(path: FieldPath<'_>, spec: &Value, volumes: &BTreeSet<&str>, errors: &mut Errors) {
    let containers = items(&spec["containers"]);
    if containers.is_empty() {
        errors.required(format_args!("{path}.containers"), "");
    }
    let mut taken = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = format_args!("{path}.containers[{index}]");
        common(&path, container, volumes, errors);
        own_name(&path, container, &mut taken, errors);
        probes::check(&path, container, errors);
    }
    for (index, container) in items(&spec["initContainers"]).iter().enumerate() {
        let path = format_args!("{path}.initContainers[{index}]");
        common(&path, container, volumes, errors);
        restart_policy(&format_args!("{path}.restartPolicy"), &container["restartPolicy"], errors);
        own_name(&path, container, &mut taken, errors);
        if container["restartPolicy"] == "Always" {
            probes::check(&path, container, errors);
        } else {
            probes::none_before(&path, container, errors);
        }
    }
}

/// Complaints about what all kinds of containers have.
pub(super) fn common(path: FieldPath<'_>, container: &Value, volumes: &BTreeSet<&str>, errors: &mut Errors) {
    let name = &container["name"];
    if text(name).is_empty() {
        errors.required(format_args!("{path}.name"), "");
    } else {
        names::check_label(&format_args!("{path}.name"), name, errors);
    }
    if text(&container["image"]).is_empty() {
        errors.required(format_args!("{path}.image"), "");
    }
    message_policy(
        &format_args!("{path}.terminationMessagePolicy"),
        &container["terminationMessagePolicy"],
        errors,
    );
    parts::ports(path, container, errors);
    environment::check(path, container, errors);
    volumes::mounts(path, container, volumes, errors);
    let policies = ["Always", "IfNotPresent", "Never"];
    if !policies.contains(&text(&container["imagePullPolicy"])) {
        errors.unsupported(format_args!("{path}.imagePullPolicy"), &container["imagePullPolicy"], &policies);
    }
    resources::check(&format_args!("{path}.resources"), &container["resources"], errors);
    security::of_container(path, container, errors);
}

fn message_policy(field: FieldPath<'_>, policy: &Value, errors: &mut Errors) {
    let policies = ["File", "FallbackToLogsOnError"];
    if text(policy).is_empty() || policies.contains(&text(policy)) {
        return;
    }
    if errors.release().since(MESSAGE_POLICIES) {
        errors.unsupported(field, policy, &policies);
    } else {
        errors.invalid(field, policy, "must be 'File' or 'FallbackToLogsOnError'");
    }
}

/// Whether a container that comes before the others is started again.
fn restart_policy(field: FieldPath<'_>, policy: &Value, errors: &mut Errors) {
    let known = ["Always", "Never", "OnFailure"];
    let known = if errors.release().since(OWN_POLICIES) { &known[..] } else { &known[..1] };
    if !policy.is_null() && !known.contains(&text(policy)) {
        errors.unsupported(field, policy, known);
    }
}

fn own_name<'a>(
    path: FieldPath<'_>,
    container: &'a Value,
    taken: &mut BTreeSet<&'a str>,
    errors: &mut Errors,
) {
    let name = text(&container["name"]);
    if !name.is_empty() && !taken.insert(name) {
        errors.duplicate(format_args!("{path}.name"), &container["name"]);
    }
}

/// Complaints about the containers of a pod that templates are spared (`validateContainersOnlyForPod`).
pub(super) fn only_for_pods(spec: &Value, errors: &mut Errors) {
    for list in ["containers", "initContainers"] {
        for (index, container) in items(&spec[list]).iter().enumerate() {
            image_only_for_pods(&format_args!("spec.{list}[{index}].image"), &container["image"], errors);
        }
    }
}

/// Complaints about blanks around the image of a pod's container.
pub(super) fn image_only_for_pods(field: FieldPath<'_>, image: &Value, errors: &mut Errors) {
    if text(image).trim() != text(image) {
        errors.invalid(field, image, "must not have leading or trailing whitespace");
    }
}
