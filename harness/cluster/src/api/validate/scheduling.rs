//! Where a pod wants to run: node selectors, affinities, spread, and the label selectors in them.
//!
//! The rules are those of `validateAffinity`, `validateTopologySpreadConstraints` and `ValidateLabelSelector` in
//! Kubernetes.

use serde_json::Value;

use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Complaints about the labels that a node must have.
pub(super) fn node_selector(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    names::check_labels(&format_args!("{path}.nodeSelector"), &spec["nodeSelector"], errors);
}

/// Complaints about what draws a pod to nodes and other pods, or keeps it from them.
pub(super) fn affinity(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    let affinity = &spec["affinity"];
    node_affinity(&format_args!("{path}.affinity.nodeAffinity"), &affinity["nodeAffinity"], errors);
    for kind in ["podAffinity", "podAntiAffinity"] {
        pod_affinity(&format_args!("{path}.affinity.{kind}"), &affinity[kind], errors);
    }
}

/// Complaints about how pods are to be spread.
pub(super) fn spreads(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    for (index, constraint) in items(&spec["topologySpreadConstraints"]).iter().enumerate() {
        spread(&format_args!("{path}.topologySpreadConstraints[{index}]"), constraint, errors);
    }
}

/// Complaints about a label selector.
pub(super) fn label_selector(path: FieldPath<'_>, selector: &Value, errors: &mut Errors) {
    names::check_labels(&format_args!("{path}.matchLabels"), &selector["matchLabels"], errors);
    for (index, expression) in items(&selector["matchExpressions"]).iter().enumerate() {
        requirement(&format_args!("{path}.matchExpressions[{index}]"), expression, &[], errors);
    }
}

/// One expression. Those about nodes know comparisons besides.
fn requirement(path: FieldPath<'_>, expression: &Value, comparisons: &[&str], errors: &mut Errors) {
    let (operator, values) = (text(&expression["operator"]), items(&expression["values"]));
    let field = format_args!("{path}.values");
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            errors.required(field, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errors.forbidden(field, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        known if comparisons.contains(&known) => {
            if values.len() != 1 {
                errors.required(field, "must be specified single value when `operator` is 'Lt' or 'Gt'");
            }
        }
        _ => {
            errors.invalid(
                format_args!("{path}.operator"),
                &operator.into(),
                "not a valid selector operator",
            );
        }
    }
    names::check_qualified(&format_args!("{path}.key"), &text(&expression["key"]).into(), errors);
}

fn node_affinity(path: FieldPath<'_>, affinity: &Value, errors: &mut Errors) {
    let required = &affinity[REQUIRED];
    if required.is_object() {
        let path = format_args!("{path}.{REQUIRED}.nodeSelectorTerms");
        let terms = items(&required["nodeSelectorTerms"]);
        if terms.is_empty() {
            errors.required(path, "must have at least one node selector term");
        }
        for (index, term) in terms.iter().enumerate() {
            node_term(&format_args!("{path}[{index}]"), term, errors);
        }
    }
    for (index, preferred) in items(&affinity[PREFERRED]).iter().enumerate() {
        let path = format_args!("{path}.{PREFERRED}[{index}]");
        weight(&path, preferred, errors);
        node_term(&format_args!("{path}.preference"), &preferred["preference"], errors);
    }
}

fn node_term(path: FieldPath<'_>, term: &Value, errors: &mut Errors) {
    for (index, expression) in items(&term["matchExpressions"]).iter().enumerate() {
        requirement(&format_args!("{path}.matchExpressions[{index}]"), expression, &["Gt", "Lt"], errors);
    }
}

fn weight(path: FieldPath<'_>, preferred: &Value, errors: &mut Errors) {
    let weight = &preferred["weight"];
    if !weight.as_i64().is_some_and(|weight| (1..=100).contains(&weight)) {
        let shown = if weight.is_null() { Value::from(0) } else { weight.clone() };
        errors.invalid(format_args!("{path}.weight"), &shown, "must be in the range 1-100");
    }
}

fn pod_affinity(path: FieldPath<'_>, affinity: &Value, errors: &mut Errors) {
    for (index, term) in items(&affinity[REQUIRED]).iter().enumerate() {
        pod_term(&format_args!("{path}.{REQUIRED}[{index}]"), term, errors);
    }
    for (index, preferred) in items(&affinity[PREFERRED]).iter().enumerate() {
        let path = format_args!("{path}.{PREFERRED}[{index}]");
        weight(&path, preferred, errors);
        pod_term(&format_args!("{path}.podAffinityTerm"), &preferred["podAffinityTerm"], errors);
    }
}

fn pod_term(path: FieldPath<'_>, term: &Value, errors: &mut Errors) {
    label_selector(&format_args!("{path}.labelSelector"), &term["labelSelector"], errors);
    for (index, namespace) in items(&term["namespaces"]).iter().enumerate() {
        names::check_label(&format_args!("{path}.namespaces[{index}]"), namespace, errors);
    }
    let (field, key) = (format_args!("{path}.topologyKey"), text(&term["topologyKey"]));
    if key.is_empty() {
        errors.required(field, "can not be empty");
    }
    names::check_qualified(&field, &key.into(), errors);
}

fn spread(path: FieldPath<'_>, constraint: &Value, errors: &mut Errors) {
    let skew = constraint["maxSkew"].as_i64().unwrap_or_default();
    if skew <= 0 {
        errors.invalid(format_args!("{path}.maxSkew"), &skew.into(), "must be greater than zero");
    }
    if text(&constraint["topologyKey"]).is_empty() {
        errors.required(format_args!("{path}.topologyKey"), "can not be empty");
    }
    let (when, known) = (text(&constraint["whenUnsatisfiable"]), ["DoNotSchedule", "ScheduleAnyway"]);
    if !known.contains(&when) {
        errors.unsupported(format_args!("{path}.whenUnsatisfiable"), &when.into(), &known);
    }
    label_selector(&format_args!("{path}.labelSelector"), &constraint["labelSelector"], errors);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(spec: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        node_selector(&"spec", spec, &mut errors);
        affinity(&"spec", spec, &mut errors);
        spreads(&"spec", spec, &mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn node_selectors_and_affinities() {
        let term = |expression: Value| {
            let required = json!({"nodeSelectorTerms": [{"matchExpressions": [expression]}]});
            told(&json!({"affinity": {"nodeAffinity": {(REQUIRED): required}}}))
        };
        let at = format!("spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms");
        assert!(term(json!({"key": "a", "operator": "In", "values": ["b"]})).is_empty());
        assert!(term(json!({"key": "a", "operator": "Gt", "values": ["1"]})).is_empty());
        let field = format!("{at}[0].matchExpressions[0]");
        assert_eq!(
            term(json!({"key": "a", "operator": "In"})),
            [format!("{field}.values: Required value: must be specified when `operator` is 'In' or 'NotIn'")]
        );
        assert_eq!(
            term(json!({"key": "a", "operator": "Like"})),
            [format!("{field}.operator: Invalid value: \"Like\": not a valid selector operator")]
        );
        let none = json!({"affinity": {"nodeAffinity": {(REQUIRED): {"nodeSelectorTerms": []}}}});
        assert_eq!(told(&none), [format!("{at}: Required value: must have at least one node selector term")]);
        assert_eq!(told(&json!({"nodeSelector": {"a": "b c"}})).len(), 1);
        let preferred =
            json!({"affinity": {"nodeAffinity": {(PREFERRED): [{"weight": 0, "preference": {}}]}}});
        assert!(told(&preferred)[0].ends_with("[0].weight: Invalid value: 0: must be in the range 1-100"));
    }

    #[test]
    fn pods_that_are_kept_apart_need_to_know_by_what() {
        let anti = json!({"affinity": {"podAntiAffinity": {(REQUIRED): [{"labelSelector": {"matchLabels": {"a": "b"}}}]}}});
        let told_of = told(&anti);
        let field = format!("spec.affinity.podAntiAffinity.{REQUIRED}[0].topologyKey");
        assert_eq!(told_of[0], format!("{field}: Required value: can not be empty"));
        assert_eq!(told_of[1], format!("{field}: Invalid value: \"\": name part must be non-empty"));
        assert_eq!(told_of.len(), 3);
        let spread = json!({"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "X"}]});
        assert_eq!(
            told(&spread),
            [
                "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
                "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
                "spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: \"X\": supported values: \"DoNotSchedule\", \"ScheduleAnyway\"",
            ]
        );
    }
}
