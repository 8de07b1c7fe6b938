//! How evenly pods are spread over domains of nodes: topology spread constraints.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    affinity::Placed,
    fit::{self, Misfit},
};
use crate::{
    api::Selector,
    controllers::{
        json::{int, items, text},
        meta::{deleting, namespace},
    },
};

/// The constraints that have to hold (`hard`), or those that are only wishes.
fn constraints(pod: &Value, hard: bool) -> Vec<&Value> {
    let all = items(&pod["spec"]["topologySpreadConstraints"]).iter();
    all.filter(|c| (text(&c["whenUnsatisfiable"]) != "ScheduleAnyway") == hard).collect()
}

/// Whether a pod has any.
pub(super) fn matters(pod: &Value) -> bool {
    !items(&pod["spec"]["topologySpreadConstraints"]).is_empty()
}

/// The hard constraints of one pod, counted over all nodes.
pub(super) struct Spread<'a> {
    counted: Vec<(&'a Value, BTreeMap<String, i64>)>,
    keys: Vec<&'a str>,
    /// For each constraint: whether the pod itself counts.
    itself: Vec<bool>,
}

impl<'a> Spread<'a> {
    /// Counts the pods that run.
    pub(super) fn of(pod: &'a Value, nodes: &[&Value], placed: &[Placed], hard: bool) -> Self {
        let all = constraints(pod, hard);
        let keys: Vec<&str> = all.iter().map(|c| text(&c["topologyKey"])).collect();
        let eligible = |node: &Value, c: &Value| {
            let honoured = text(&c["nodeAffinityPolicy"]) != "Ignore";
            (!honoured || fit::selected(&pod["spec"], node))
                && keys.iter().all(|key| domain(node, key).is_some())
        };
        let mut itself = Vec::new();
        let mut counted = Vec::new();
        for constraint in all {
            let selector = selector(constraint, pod);
            itself.push(selector.matches(&pod["metadata"]["labels"]));
            let key = text(&constraint["topologyKey"]);
            let of_node = |node: &&&Value| eligible(node, constraint);
            let mut domains: BTreeMap<String, i64> = nodes
                .iter()
                .filter(of_node)
                .filter_map(|node| Some((domain(node, key)?.to_owned(), 0)))
                .collect();
            for (other, node) in placed {
                let counts = namespace(other) == namespace(pod)
                    && !deleting(other)
                    && selector.matches(&other["metadata"]["labels"]);
                if let Some(count) = domain(node, key).filter(|_| counts).and_then(|d| domains.get_mut(d)) {
                    *count += 1;
                }
            }
            counted.push((constraint, domains));
        }
        Self { counted, keys, itself }
    }

    /// Why a node may not have the pod.
    pub(super) fn misfit(&self, node: &Value) -> Option<Misfit> {
        if self.keys.iter().any(|key| domain(node, key).is_none()) {
            return Some(Misfit::SpreadLabel);
        }
        let uneven = self.counted.iter().zip(&self.itself).any(|((constraint, domains), itself)| {
            let least = constraint["minDomains"].as_i64().unwrap_or(1);
            let enough = i64::try_from(domains.len()).unwrap_or(i64::MAX) >= least;
            let fewest = if enough { domains.values().min().copied().unwrap_or(0) } else { 0 };
            let here = domain(node, text(&constraint["topologyKey"])).and_then(|d| domains.get(d));
            let skew = here.copied().unwrap_or(0) + i64::from(*itself) - fewest;
            skew > int(&constraint["maxSkew"]).max(1)
        });
        uneven.then_some(Misfit::Spread)
    }

    /// How many like it are in the node's domains already: the fewer, the better.
    pub(super) fn crowd(&self, node: &Value) -> i64 {
        let here = self.counted.iter().map(|(constraint, domains)| {
            domain(node, text(&constraint["topologyKey"])).and_then(|d| domains.get(d)).copied().unwrap_or(0)
        });
        here.sum()
    }
}

/// The constraint's selector, and the pod's own values of the labels that it names besides.
fn selector(constraint: &Value, pod: &Value) -> Selector {
    let mut whole = constraint["labelSelector"].clone();
    for key in items(&constraint["matchLabelKeys"]).iter().map(text) {
        if let Some(value) = pod["metadata"]["labels"].get(key) {
            whole["matchLabels"][key] = value.clone();
        }
    }
    Selector::of_object(&whole)
}

fn domain<'v>(node: &'v Value, key: &str) -> Option<&'v str> {
    node["metadata"]["labels"].get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_domain_gets_too_far_ahead() {
        let node = |zone: &str| json!({"metadata": {"name": zone, "labels": {"zone": zone}}});
        let (a, b, bare) = (node("a"), node("b"), json!({"metadata": {"name": "c"}}));
        let constraint = |skew: i64, more: Value| {
            let mut c = json!({"maxSkew": skew, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "web"}}});
            more.as_object().unwrap().iter().for_each(|(k, v)| c[k.as_str()] = v.clone());
            json!({"metadata": {"namespace": "shop", "labels": {"app": "web"}}, "spec": {"topologySpreadConstraints": [c]}})
        };
        let pod = constraint(1, json!({}));
        let placed = [(&pod, &a)];
        let nodes = [&a, &b, &bare];
        let spread = Spread::of(&pod, &nodes, &placed, true);
        assert_eq!(spread.misfit(&a), Some(Misfit::Spread));
        assert_eq!(spread.misfit(&b), None);
        assert_eq!(spread.misfit(&bare), Some(Misfit::SpreadLabel));
        let wide = constraint(2, json!({}));
        assert_eq!(Spread::of(&wide, &nodes, &placed, true).misfit(&a), None);
        let many = constraint(1, json!({"minDomains": 3}));
        assert_eq!(Spread::of(&many, &nodes, &placed, true).misfit(&a), Some(Misfit::Spread));
        let soft = constraint(1, json!({"whenUnsatisfiable": "ScheduleAnyway"}));
        assert_eq!(Spread::of(&soft, &nodes, &placed, true).misfit(&bare), None);
        assert_eq!(Spread::of(&soft, &nodes, &placed, false).crowd(&a), 1);
    }
}
