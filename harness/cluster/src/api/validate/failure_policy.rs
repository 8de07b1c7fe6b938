//! What becomes of a Job whose pods fail, by how they fail (`spec.podFailurePolicy`).
//!
//! The rules are those of `validatePodFailurePolicy` in Kubernetes' batch validation.

use serde_json::Value;

use super::job::MOST_RULES;
use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

/// How many exit codes a rule may name.
const MOST_CODES: usize = 255;

/// Complaints about the policy of a Job's spec.
pub(super) fn check(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    let rules = items(&spec["podFailurePolicy"]["rules"]);
    let path = format_args!("{path}.rules");
    if rules.len() > MOST_RULES {
        errors.too_many(path, rules.len(), MOST_RULES);
    }
    for (index, rule) in rules.iter().enumerate() {
        self::rule(&format_args!("{path}[{index}]"), spec, rule, errors);
    }
}

fn rule(path: FieldPath<'_>, spec: &Value, rule: &Value, errors: &mut Errors) {
    let (action, field) = (&rule["action"], format_args!("{path}.action"));
    if action == "FailIndex" {
        if spec["backoffLimitPerIndex"].is_null() {
            errors.invalid(field, action, "requires the backoffLimitPerIndex to be set");
        }
    } else {
        one_of(&field, action, &["Count", "FailIndex", "FailJob", "Ignore"], errors);
    }
    let (codes, conditions) = (&rule["onExitCodes"], items(&rule["onPodConditions"]));
    if codes.is_object() {
        exit_codes(&format_args!("{path}.onExitCodes"), spec, codes, errors);
    }
    let field = format_args!("{path}.onPodConditions");
    if conditions.len() > MOST_RULES {
        errors.too_many(field, conditions.len(), MOST_RULES);
    }
    for (index, condition) in conditions.iter().enumerate() {
        let path = format_args!("{field}[{index}]");
        names::check_qualified(&format_args!("{path}.type"), &text(&condition["type"]).into(), errors);
        let states = ["False", "True", "Unknown"];
        one_of(&format_args!("{path}.status"), &condition["status"], &states, errors);
    }
    // No value is shown here.
    match (codes.is_object(), conditions.is_empty()) {
        (true, false) => {
            let why = "specifying both OnExitCodes and OnPodConditions is not supported";
            errors.invalid_shown(path, why, "");
        }
        (false, true) => {
            let why = "specifying one of OnExitCodes and OnPodConditions is required";
            errors.invalid_shown(path, why, "");
        }
        _ => {}
    }
}

fn exit_codes(path: FieldPath<'_>, spec: &Value, codes: &Value, errors: &mut Errors) {
    let (operator, name) = (&codes["operator"], &codes["containerName"]);
    one_of(&format_args!("{path}.operator"), operator, &["In", "NotIn"], errors);
    let pod = &spec["template"]["spec"];
    let mut containers = items(&pod["containers"]).iter().chain(items(&pod["initContainers"]));
    if !name.is_null() && !containers.any(|container| container["name"] == *name) {
        let why = "must be one of the container or initContainer names in the pod template";
        errors.invalid(format_args!("{path}.containerName"), name, why);
    }
    let (field, values) = (format_args!("{path}.values"), items(&codes["values"]));
    if values.is_empty() {
        errors.invalid(field, &codes["values"], "at least one value is required");
    } else if values.len() > MOST_CODES {
        errors.too_many(field, values.len(), MOST_CODES);
    }
    for (index, code) in values.iter().enumerate() {
        let field = format_args!("{field}[{index}]");
        if operator == "In" && *code == 0 {
            errors.invalid(field, code, "must not be 0 for the In operator");
        }
        if values[..index].contains(code) {
            errors.duplicate(field, code);
        }
    }
    if !values.is_sorted_by_key(Value::as_i64) {
        errors.invalid(field, &codes["values"], "must be ordered");
    }
}

/// A value that must be there, out of a few.
fn one_of(field: FieldPath<'_>, value: &Value, known: &[&str], errors: &mut Errors) {
    match text(value) {
        "" => {
            let known: Vec<String> = known.iter().map(|value| format!("{value:?}")).collect();
            errors.required(field, &format!("valid values: [{}]", known.join(" ")));
        }
        found if !known.contains(&found) => errors.unsupported(field, value, known),
        _ => {}
    }
}
