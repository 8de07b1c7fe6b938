//! What holds a pod back from being scheduled (`spec.schedulingGates`): gates can be taken away, never added, and while
//! there are any it can still be said more closely where the pod is to run.

use serde_json::Value;

use crate::api::{
    invalid::{Errors, FieldPath},
    json::{is_nothing, items, text},
    names,
};

/// Complains about a new pod that has its node already.
pub(super) fn no_node_yet(spec: &Value, errors: &mut Errors) {
    if !items(&spec["schedulingGates"]).is_empty() && !text(&spec["nodeName"]).is_empty() {
        errors.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared");
    }
}

/// Complains about the gates of a pod, or of a template for one.
pub(super) fn check(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    let gates = items(&spec["schedulingGates"]);
    for (at, gate) in gates.iter().enumerate() {
        let field = format_args!("{path}.schedulingGates[{at}]");
        names::check_qualified(&field, &text(&gate["name"]).into(), errors);
        if gates[..at].iter().any(|other| other["name"] == gate["name"]) {
            errors.duplicate(field, &gate["name"]);
        }
    }
}

/// Complains about a change of gates, and gives `allowed` back what may change: the gates themselves, and, while there
/// were any, where the pod may run.
pub(super) fn change(old: &Value, new: &Value, allowed: &mut Value, errors: &mut Errors) {
    let before = items(&old["schedulingGates"]);
    for (at, gate) in items(&new["schedulingGates"]).iter().enumerate() {
        if !before.iter().any(|other| other["name"] == gate["name"]) {
            let why =
                format!("only deletion is allowed, but found new scheduling gate '{}'", text(&gate["name"]));
            errors.forbidden(format_args!("spec.schedulingGates[{at}].name"), &why);
        }
    }
    restore(old, allowed, "schedulingGates");
    if before.is_empty() {
        return;
    }
    let selector = |spec: &Value| spec["nodeSelector"].as_object().cloned().unwrap_or_default();
    let (had, has) = (selector(old), selector(new));
    if had.iter().any(|(key, value)| has.get(key) != Some(value)) {
        let why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        errors.invalid("spec.nodeSelector", &new["nodeSelector"], why);
    }
    restore(old, allowed, "nodeSelector");
    let others_stay =
        ["podAffinity", "podAntiAffinity"].iter().all(|f| old["affinity"][f] == new["affinity"][f]);
    if others_stay && is_nothing(&old["affinity"]["nodeAffinity"]) {
        restore(old, allowed, "affinity");
    }
}

/// Makes a field what it was.
fn restore(old: &Value, allowed: &mut Value, field: &str) {
    let Some(allowed) = allowed.as_object_mut() else { return };
    match old.get(field) {
        Some(was) => drop(allowed.insert(field.to_owned(), was.clone())),
        None => drop(allowed.remove(field)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(errors: Errors) -> Vec<String> {
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn gates_have_names_and_no_node_behind_them() {
        let mut errors = Errors::default();
        let gates = json!([{"name": "a.b/c"}, {"name": "a.b/c"}, {"name": "-"}]);
        let spec = json!({"nodeName": "n", "schedulingGates": gates});
        no_node_yet(&spec, &mut errors);
        check(&"spec", &spec, &mut errors);
        let said = said(errors);
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(
            said[0],
            "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"
        );
        assert_eq!(said[1], "spec.schedulingGates[1]: Duplicate value: \"a.b/c\"");
        assert!(
            said[2].starts_with("spec.schedulingGates[2]: Invalid value: \"-\": name part must"),
            "{said:?}"
        );
    }

    #[test]
    fn gates_are_only_taken_away() {
        let change = |old: Value, new: Value| {
            let (mut allowed, mut errors) = (new.clone(), Errors::default());
            change(&old, &new, &mut allowed, &mut errors);
            (allowed == old, said(errors))
        };
        let gated = |more: Value| {
            let mut spec = json!({"schedulingGates": [{"name": "x"}]});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec
        };
        assert_eq!(change(gated(json!({})), json!({})), (true, vec![]));
        let (_, said) = change(json!({}), gated(json!({})));
        let words = "only deletion is allowed, but found new scheduling gate 'x'";
        assert_eq!(said, [format!("spec.schedulingGates[0].name: Forbidden: {words}")]);
        let selector = |value: &str| json!({"nodeSelector": {"a": value}});
        assert_eq!(change(gated(json!({})), gated(selector("b"))), (true, vec![]));
        assert!(!change(json!({}), selector("b")).0, "nothing holds it back");
        assert_eq!(change(gated(selector("b")), gated(selector("c"))).1.len(), 1);
        let affinity = json!({"affinity": {"nodeAffinity": {}}});
        assert_eq!(change(gated(json!({})), gated(affinity)), (true, vec![]));
        let both = json!({"affinity": {"nodeAffinity": {}, "podAffinity": {}}});
        assert!(!change(gated(json!({})), gated(both)).0);
    }
}
