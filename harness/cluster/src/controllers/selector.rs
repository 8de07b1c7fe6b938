//! Label selectors as workloads have them: `matchLabels` and `matchExpressions`.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::json::{items, text};

/// The selector of a workload. Those of ReplicationControllers are labels, and nothing else.
pub(crate) fn of(workload: &Value) -> Cow<'_, Value> {
    let selector = &workload["spec"]["selector"];
    match workload["kind"].as_str() {
        Some("ReplicationController") => Cow::Owned(json!({ "matchLabels": selector })),
        _ => Cow::Borrowed(selector),
    }
}

/// Whether a selector selects an object with these labels. An empty selector selects nothing here: a
/// workload must never claim everything.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object();
    let expressions = items(&selector["matchExpressions"]);
    if wanted.is_none_or(serde_json::Map::is_empty) && expressions.is_empty() {
        return false;
    }
    wanted.into_iter().flatten().all(|(name, value)| labels.get(name) == Some(value))
        && expressions.iter().all(|e| expression(e, labels.get(text(&e["key"])).and_then(Value::as_str)))
}

/// Whether one requirement (`key`, `operator`, `values`) holds for the value that the key has.
pub(crate) fn expression(requirement: &Value, value: Option<&str>) -> bool {
    let listed = |v: &str| items(&requirement["values"]).iter().any(|x| x == v);
    let compare = |test: fn(i64, i64) -> bool| {
        let bound = items(&requirement["values"]).first().and_then(|x| text(x).parse().ok());
        value.and_then(|v| v.parse().ok()).zip(bound).is_some_and(|(v, b)| test(v, b))
    };
    match text(&requirement["operator"]) {
        "In" => value.is_some_and(listed),
        "NotIn" => !value.is_some_and(listed),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compare(|v, bound| v > bound),
        "Lt" => compare(|v, bound| v < bound),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_of_replicationcontrollers_are_a_selector() {
        let labels = json!({"app": "web"});
        let controller = json!({"kind": "ReplicationController", "spec": {"selector": labels}});
        assert!(selects(&of(&controller), &json!({"app": "web", "x": "y"})));
        assert!(!selects(&of(&controller), &json!({"app": "db"})));
        let empty = json!({"kind": "ReplicationController", "spec": {"selector": {}}});
        assert!(!selects(&of(&empty), &labels));
        let set = json!({"kind": "ReplicaSet", "spec": {"selector": {"matchLabels": labels}}});
        assert!(selects(&of(&set), &labels));
    }

    #[test]
    fn labels_and_expressions_must_all_hold() {
        let labels = json!({"app": "web", "tier": "front", "zone": "7"});
        let cases = [
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchLabels": {"app": "web", "tier": "back"}}), false),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["front", "x"]}]}),
                true,
            ),
            (json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["front"]}]}), false),
            (json!({"matchExpressions": [{"key": "gone", "operator": "NotIn", "values": ["front"]}]}), true),
            (json!({"matchExpressions": [{"key": "gone", "operator": "DoesNotExist"}]}), true),
            (json!({"matchExpressions": [{"key": "gone", "operator": "Exists"}]}), false),
            (json!({"matchExpressions": [{"key": "zone", "operator": "Gt", "values": ["6"]}]}), true),
            (json!({"matchExpressions": [{"key": "zone", "operator": "Lt", "values": ["6"]}]}), false),
            (
                json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}),
                false,
            ),
            (json!({}), false),
        ];
        for (selector, expected) in cases {
            assert_eq!(selects(&selector, &labels), expected, "{selector}");
        }
    }
}
