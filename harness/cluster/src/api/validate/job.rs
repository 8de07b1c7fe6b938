//! Jobs: how often they may fail and when they are done, and what of them can't change.
//!
//! The rules are those of `ValidateJob` and `ValidateJobSpecUpdate` in Kubernetes' batch validation.

use serde_json::Value;

use super::{failure_policy, pod, scheduling, shown, workload::not_negative};
use crate::api::{
    invalid::{Errors, FieldPath, own_type},
    json::{items, text},
    names,
    selector::Selector,
};

/// The numbers in a Job, in the order in which the API server looks.
const NUMBERS: [&str; 7] = [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
];

/// How many pods of an indexed Job may run, and how many of its indexes may fail.
const MOST_INDEXED: i64 = 100_000;

/// How many rules a policy may have.
pub(super) const MOST_RULES: usize = 20;

/// Fields that stay what they are, in the order in which the API server looks.
const STAYING: [&str; 8] = [
    "completions",
    "selector",
    "template",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
];

/// The labels by which a Job finds its pods, and those before them, with their values from its metadata.
const LABELS: [(&str, &str); 4] = [
    ("controller-uid", "uid"),
    ("job-name", "name"),
    ("batch.kubernetes.io/controller-uid", "uid"),
    ("batch.kubernetes.io/job-name", "name"),
];

/// Since this minor version the labels have a domain; see [`crate::api::legacy`].
const PREFIXED: u32 = 24;

/// Complaints about a Job.
pub(super) fn job(object: &Value, new: bool, errors: &mut Errors) {
    let (spec, selector) = (&object["spec"], &object["spec"]["selector"]);
    let labels = &spec["template"]["metadata"]["labels"];
    if new {
        generated_selector(object, errors);
    }
    self::spec(&"spec", spec, errors);
    let before = errors.len();
    if selector.is_null() {
        errors.required("spec.selector", "");
    } else {
        scheduling::label_selector(&"spec.selector", selector, errors);
    }
    let selects = !selector.is_null() && Selector::of_object(selector).matches(labels);
    if !selects && (selector.is_null() || errors.len() == before) {
        super::workload::labels_differ(labels, errors);
    }
    let completions = spec["completions"].as_i64().unwrap_or(0);
    if new && spec["completionMode"] == "Indexed" && completions > 0 {
        let host = format!("{}-{}", text(&object["metadata"]["name"]), completions - 1);
        let mut found = Errors::default();
        names::check_label(&"", &host.as_str().into(), &mut found);
        if !found.is_empty() {
            let why = format!("will not able to create pod with invalid DNS label: {host}");
            errors.invalid("metadata.name", &object["metadata"]["name"], &why);
        }
    }
}

/// A selector of its own needs `manualSelector` (`validateGeneratedSelector`).
fn generated_selector(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    if spec["manualSelector"] == true || spec["selector"].is_null() {
        return;
    }
    let known = if errors.release().since(PREFIXED) { &LABELS[..] } else { &LABELS[..2] };
    let expected: Value = known
        .iter()
        .map(|(label, field)| ((*label).to_owned(), object["metadata"][*field].clone()))
        .collect();
    let labels = &spec["template"]["metadata"]["labels"];
    for (label, _) in known {
        let (wanted, field) = (&expected[*label], format_args!("spec.template.metadata.labels[{label}]"));
        match labels.get(*label) {
            Some(found) if found == wanted => {}
            found => {
                let why = format!("must be '{}'", text(wanted));
                match found {
                    None => errors.required(field, &why),
                    Some(_) => errors.invalid_shown(field, &shown::labels(labels, errors), &why),
                }
            }
        }
    }
    if !Selector::of_object(&spec["selector"]).matches(&expected) {
        let shown = shown::selector(&spec["selector"], errors);
        errors.invalid_shown("spec.selector", &shown, "`selector` not auto-generated");
    }
}

/// Complaints about what CronJobs make (`ValidateJobTemplateSpec`).
pub(super) fn template(path: FieldPath<'_>, template: &Value, errors: &mut Errors) {
    let spec = &template["spec"];
    self::spec(&format_args!("{path}.spec"), spec, errors);
    if !spec["selector"].is_null() {
        let why = "`selector` will be auto-generated";
        let shown = shown::selector(&spec["selector"], errors);
        errors.invalid_shown(format_args!("{path}.spec.selector"), &shown, why);
    }
    if spec["manualSelector"] == true {
        errors.unsupported(format_args!("{path}.spec.manualSelector"), &true.into(), &["nil", "false"]);
    }
}

/// Complaints about the spec of a Job, but for its selector.
fn spec(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    for field in NUMBERS {
        not_negative(&format_args!("{path}.{field}"), &spec[field], errors);
    }
    if !spec["maxFailedIndexes"].is_null() && spec["backoffLimitPerIndex"].is_null() {
        errors.required(format_args!("{path}.backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    completion_mode(path, spec, errors);
    failure_policy::check(&format_args!("{path}.podFailurePolicy"), spec, errors);
    success_policy(&format_args!("{path}.successPolicy"), spec, errors);
    let (replacement, field) = (&spec["podReplacementPolicy"], format_args!("{path}.podReplacementPolicy"));
    let policies = ["Failed", "TerminatingOrFailed"];
    let policies = if spec["podFailurePolicy"].is_null() { &policies[..] } else { &policies[..1] };
    if !replacement.is_null() && !policies.contains(&text(replacement)) {
        errors.unsupported(field, replacement, policies);
    }
    pod::template(&format_args!("{path}.template"), &spec["template"], &Value::Null, errors);
    let (policy, field) =
        (&spec["template"]["spec"]["restartPolicy"], format_args!("{path}.template.spec.restartPolicy"));
    match text(policy) {
        "Always" | "" => errors.required(field, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if !spec["podFailurePolicy"].is_null() => {
            errors.invalid(field, policy, "only \"Never\" is supported when podFailurePolicy is specified");
        }
        "OnFailure" | "Never" => {}
        _ => errors.unsupported(field, policy, &["OnFailure", "Never"]),
    }
}

fn completion_mode(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    let (mode, modes) = (&spec["completionMode"], ["NonIndexed", "Indexed"]);
    let number = |field: &str| spec[field].as_i64();
    if !mode.is_null() && !modes.contains(&text(mode)) {
        errors.unsupported(format_args!("{path}.completionMode"), mode, &modes);
    }
    match text(mode) {
        "Indexed" => {
            if spec["completions"].is_null() {
                errors.required(format_args!("{path}.completions"), "when completion mode is Indexed");
            }
            if number("parallelism").is_some_and(|most| most > MOST_INDEXED) {
                let why =
                    format!("must be less than or equal to {MOST_INDEXED} when completion mode is Indexed");
                errors.invalid(format_args!("{path}.parallelism"), &spec["parallelism"], &why);
            }
            let (failed, field) = (number("maxFailedIndexes"), format_args!("{path}.maxFailedIndexes"));
            if failed.zip(number("completions")).is_some_and(|(failed, all)| failed > all) {
                let why = "must be less than or equal to completions";
                errors.invalid(field, &spec["maxFailedIndexes"], why);
            }
            if failed.is_some_and(|failed| failed > MOST_INDEXED) {
                let why = format!("must be less than or equal to {MOST_INDEXED}");
                errors.invalid(field, &spec["maxFailedIndexes"], &why);
            }
        }
        "" | "NonIndexed" => {
            for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
                if !spec[field].is_null() {
                    let why = "requires indexed completion mode";
                    errors.invalid(format_args!("{path}.{field}"), &spec[field], why);
                }
            }
        }
        _ => {}
    }
}

/// When an indexed Job is done before all its pods are (`validateSuccessPolicy`).
fn success_policy(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    let policy = &spec["successPolicy"];
    if policy.is_null() {
        return;
    }
    let rules = items(&policy["rules"]);
    if spec["completionMode"] != "Indexed" {
        let rules: Vec<String> = rules.iter().map(success_rule_shown).collect();
        let shown = if rules.is_empty() { "null".to_owned() } else { format!("[{}]", rules.join(",")) };
        let shown = own_type([("Rules", &shown as _)]);
        return errors.invalid_shown(path, &shown, "requires indexed completion mode");
    }
    let field = format_args!("{path}.rules");
    if rules.is_empty() {
        errors.required(field, "at least one rules must be specified when the successPolicy is specified");
    }
    if rules.len() > MOST_RULES {
        errors.too_many(field, rules.len(), MOST_RULES);
    }
    for (index, rule) in rules.iter().enumerate() {
        let (count, path) = (&rule["succeededCount"], format_args!("{field}[{index}]"));
        if count.is_null() && rule["succeededIndexes"].is_null() {
            errors.required(path, "at least one of succeededCount or succeededIndexes must be specified");
        }
        let field = format_args!("{path}.succeededCount");
        not_negative(&field, count, errors);
        let all = spec["completions"].as_i64().unwrap_or(0);
        if count.as_i64().is_some_and(|count| count > all) {
            let why = format!("must be less than or equal to {all} (the number of specified completions)");
            errors.invalid(field, count, &why);
        }
    }
}

fn success_rule_shown(rule: &Value) -> String {
    own_type([
        ("SucceededIndexes", &rule["succeededIndexes"] as _),
        ("SucceededCount", &rule["succeededCount"] as _),
    ])
}

/// Complaints about a change of a Job. The template of one that is held back and has never started may change, and an
/// indexed one can get more or fewer indexes along with its pods.
pub(super) fn change(old: &Value, new: &Value, errors: &mut Errors) {
    let held = old["spec"]["suspend"] == true && items(&old["status"]["conditions"]).is_empty();
    let (old, new) = (&old["spec"], &new["spec"]);
    for field in STAYING.into_iter().filter(|field| old[*field] != new[*field]) {
        let path = format_args!("spec.{field}");
        match field {
            "template" if held => {}
            "completions" if new["completionMode"] == "Indexed" => {
                if new[field] != new["parallelism"] && !new[field].is_null() {
                    let why = "can only be modified in tandem with spec.parallelism";
                    errors.invalid(path, &new[field], why);
                }
            }
            "selector" => {
                errors.invalid_shown(path, &shown::selector(&new[field], errors), "field is immutable");
            }
            _ => errors.invalid(path, &new[field], "field is immutable"),
        }
    }
}

#[cfg(test)]
mod tests;
