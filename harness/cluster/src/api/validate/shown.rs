//! How complaints show values that are no plain ones: as JSON, and before as Go prints them (`ErrorBody` of apimachinery).

use std::fmt;

use serde_json::Value;

use crate::api::{
    invalid::{Errors, own_type},
    json::{items, text},
};

/// Since this minor version they are shown as JSON.
const JSON: u32 = 33;

/// Whether they are.
pub(super) fn as_json(errors: &Errors) -> bool {
    errors.release().since(JSON)
}

/// A plain value, or one that is the same in both forms.
pub(super) fn plain(value: &Value, _: &Errors) -> String {
    value.to_string()
}

/// Labels.
pub(super) fn labels(labels: &Value, errors: &Errors) -> String {
    if as_json(errors) {
        return labels.to_string();
    }
    let labels =
        labels.as_object().map(|labels| labels.iter().map(|(key, value)| format!("{key:?}:{value}")));
    go("map[string]string", labels)
}

/// A label selector.
pub(super) fn selector(selector: &Value, errors: &Errors) -> String {
    if as_json(errors) {
        return selector.to_string();
    }
    let requirement = |expression: &Value| {
        let values = expression["values"].as_array().map(|values| values.iter().map(Value::to_string));
        let [key, operator] = ["key", "operator"].map(|field| text(&expression[field]));
        let values = go("[]string", values);
        format!("v1.LabelSelectorRequirement{{Key:{key:?}, Operator:{operator:?}, Values:{values}}}")
    };
    let expressions = items(&selector["matchExpressions"]);
    let expressions = (!expressions.is_empty()).then(|| expressions.iter().map(requirement));
    format!(
        "v1.LabelSelector{{MatchLabels:{}, MatchExpressions:{}}}",
        labels(&selector["matchLabels"], errors),
        go("[]v1.LabelSelectorRequirement", expressions)
    )
}

/// The role that a binding binds to.
pub(super) fn role(role: &Value, errors: &Errors) -> String {
    let [group, kind, name] = ["apiGroup", "kind", "name"].map(|field| Value::from(text(&role[field])));
    if as_json(errors) {
        own_type([("APIGroup", &group as &dyn fmt::Display), ("Kind", &kind), ("Name", &name)])
    } else {
        format!("rbac.RoleRef{{APIGroup:{group}, Kind:{kind}, Name:{name}}}")
    }
}

/// A map or list as Go prints it, which tells one that is not there from an empty one.
fn go(kind: &str, elements: Option<impl Iterator<Item = String>>) -> String {
    match elements {
        None => format!("{kind}(nil)"),
        Some(elements) => format!("{kind}{{{}}}", elements.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::release::Release;

    #[test]
    fn values_were_shown_as_go_prints_them() {
        type Shown = fn(&Value, &Errors) -> String;
        let expression = json!({"key": "a", "operator": "In", "values": ["b", "c"]});
        for (shown, value, old, new) in [
            (
                labels as Shown,
                json!({"b": "c", "a": "x"}),
                "map[string]string{\"a\":\"x\", \"b\":\"c\"}",
                "{\"a\":\"x\",\"b\":\"c\"}",
            ),
            (labels, json!(null), "map[string]string(nil)", "null"),
            (
                selector,
                json!({"matchLabels": {"a": "b"}}),
                "v1.LabelSelector{MatchLabels:map[string]string{\"a\":\"b\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}",
                "{\"matchLabels\":{\"a\":\"b\"}}",
            ),
            (
                selector,
                json!({"matchExpressions": [expression]}),
                "v1.LabelSelector{MatchLabels:map[string]string(nil), MatchExpressions:[]v1.LabelSelectorRequirement{\
                 v1.LabelSelectorRequirement{Key:\"a\", Operator:\"In\", Values:[]string{\"b\", \"c\"}}}}",
                "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"b\",\"c\"]}]}",
            ),
            (
                role,
                json!({"apiGroup": "g", "kind": "Role", "name": "n"}),
                "rbac.RoleRef{APIGroup:\"g\", Kind:\"Role\", Name:\"n\"}",
                "{\"APIGroup\":\"g\",\"Kind\":\"Role\",\"Name\":\"n\"}",
            ),
        ] {
            let of = |minor: u32| shown(&value, &Errors::of(Release::minor(minor)));
            assert_eq!([of(20), of(31), of(36)], [old, old, new]);
        }
    }
}
