//! ClusterRoles that are made of others: which rules they gather (`clusterroleaggregation_controller`).

use serde_json::Value;

use crate::api::{
    Selector,
    json::{is_nothing, items, text},
};

/// The rules of a role that gathers those of others, from all ClusterRoles; nothing for another role.
pub(crate) fn aggregated<'a>(role: &Value, all: impl IntoIterator<Item = &'a Value>) -> Option<Vec<Value>> {
    let aggregation = &role["aggregationRule"];
    if is_nothing(aggregation) {
        return None;
    }
    let name = text(&role["metadata"]["name"]);
    let mut others: Vec<&Value> =
        all.into_iter().filter(|other| text(&other["metadata"]["name"]) != name).collect();
    others.sort_by_key(|other| text(&other["metadata"]["name"]));
    let mut rules: Vec<Value> = Vec::new();
    for selector in items(&aggregation["clusterRoleSelectors"]) {
        let selector = Selector::of_object(selector);
        for other in others.iter().filter(|other| selector.matches(&other["metadata"]["labels"])) {
            for rule in items(&other["rules"]) {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    Some(rules)
}
