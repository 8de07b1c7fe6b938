//! Which pods a pod wants to be with, or not to be with: affinity and anti-affinity between pods.

use serde_json::Value;

use super::fit::Misfit;
use crate::{
    api::Selector,
    controllers::{
        json::{items, text},
        meta::namespace,
    },
};

/// A pod that runs, and its node.
pub(super) type Placed<'a> = (&'a Value, &'a Value);

/// Looks up the labels of a namespace.
pub(super) type Labels<'a> = &'a dyn Fn(&str) -> Value;

/// The terms that have to hold when a pod is placed; `kind` is `podAffinity` or `podAntiAffinity`.
pub(super) fn required<'a>(pod: &'a Value, kind: &str) -> &'a [Value] {
    items(&pod["spec"]["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"])
}

/// Whether other pods matter for where this one may run.
pub(super) fn matters(pod: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| pod["spec"]["affinity"][*kind].is_object())
}

/// Why a pod may not be on a node, among those that run. `loners` are the ones of them with wishes of their own.
pub(super) fn misfit(
    pod: &Value,
    node: &Value,
    placed: &[Placed],
    loners: &[Placed],
    labels: Labels,
) -> Option<Misfit> {
    let unwanted = |(other, other_node): &Placed| {
        required(other, "podAntiAffinity")
            .iter()
            .any(|term| selects(term, other, pod, labels) && same_domain(term, node, other_node))
    };
    if loners.iter().any(unwanted) {
        return Some(Misfit::ExistingAntiAffinity);
    }
    let met = |term: &Value, (other, other_node): &Placed| {
        selects(term, pod, other, labels) && same_domain(term, node, other_node)
    };
    let together = required(pod, "podAffinity");
    if !together.iter().all(|term| placed.iter().any(|p| met(term, p)))
        && !first_of_its_kind(pod, node, placed, labels)
    {
        return Some(Misfit::PodAffinity);
    }
    let apart = required(pod, "podAntiAffinity");
    apart.iter().any(|term| placed.iter().any(|p| met(term, p))).then_some(Misfit::PodAntiAffinity)
}

/// A pod that wants to be with its like has to begin somewhere.
fn first_of_its_kind(pod: &Value, node: &Value, placed: &[Placed], labels: Labels) -> bool {
    let terms = required(pod, "podAffinity");
    terms.iter().all(|term| selects(term, pod, pod, labels) && domain(term, node).is_some())
        && !placed.iter().any(|(other, _)| terms.iter().all(|term| selects(term, pod, other, labels)))
}

/// How much a node is preferred: the weights of the wishes that would come true there.
pub(super) fn preference(pod: &Value, node: &Value, placed: &[Placed], labels: Labels) -> i64 {
    let score = |kind: &str| -> i64 {
        let wishes = items(&pod["spec"]["affinity"][kind]["preferredDuringSchedulingIgnoredDuringExecution"]);
        let one = |wish: &Value| {
            let term = &wish["podAffinityTerm"];
            let met = placed
                .iter()
                .filter(|(other, at)| selects(term, pod, other, labels) && same_domain(term, node, at));
            weight(wish).saturating_mul(i64::try_from(met.count()).unwrap_or(0))
        };
        wishes.iter().map(one).sum()
    };
    score("podAffinity") - score("podAntiAffinity")
}

/// How much a wish counts: from 1 to 100.
pub(super) fn weight(wish: &Value) -> i64 {
    wish["weight"].as_i64().unwrap_or(0).clamp(0, 100)
}

/// Whether a term of `owner` is about `other`.
fn selects(term: &Value, owner: &Value, other: &Value, labels: Labels) -> bool {
    let (named, selected) = (items(&term["namespaces"]), &term["namespaceSelector"]);
    let theirs = namespace(other);
    let here = if named.is_empty() && !selected.is_object() {
        namespace(owner) == theirs
    } else {
        named.iter().any(|n| n == theirs)
            || selected.is_object() && Selector::of_object(selected).matches(&labels(theirs))
    };
    let selector = &term["labelSelector"];
    here && selector.is_object() && Selector::of_object(selector).matches(&other["metadata"]["labels"])
}

fn domain<'a>(term: &Value, node: &'a Value) -> Option<&'a str> {
    node["metadata"]["labels"].get(text(&term["topologyKey"]))?.as_str()
}

fn same_domain(term: &Value, a: &Value, b: &Value) -> bool {
    domain(term, a).is_some_and(|value| domain(term, b) == Some(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn team(namespace: &str) -> Value {
        json!({"team": namespace})
    }

    fn node(zone: &str) -> Value {
        json!({"metadata": {"name": zone, "labels": {"zone": zone}}})
    }

    fn pod(app: &str, kind: &str, wanted: &str) -> Value {
        let term = json!({"labelSelector": {"matchLabels": {"app": wanted}}, "topologyKey": "zone"});
        let mut pod = json!({"metadata": {"namespace": "shop", "labels": {"app": app}}, "spec": {}});
        if !kind.is_empty() {
            pod["spec"]["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"] = json!([term]);
        }
        pod
    }

    #[test]
    fn pods_keep_together_and_apart_by_domain() {
        let (a, b, bare) = (node("a"), node("b"), json!({"metadata": {"name": "bare"}}));
        let db = pod("db", "", "");
        let placed = [(&db, &a)];
        let near = pod("web", "podAffinity", "db");
        let far = pod("web", "podAntiAffinity", "db");
        assert_eq!(misfit(&near, &a, &placed, &[], &team), None);
        assert_eq!(misfit(&near, &b, &placed, &[], &team), Some(Misfit::PodAffinity));
        assert_eq!(misfit(&far, &a, &placed, &[], &team), Some(Misfit::PodAntiAffinity));
        assert_eq!(misfit(&far, &b, &placed, &[], &team), None);
        assert_eq!(
            misfit(&far, &bare, &placed, &[], &team),
            None,
            "a node outside all domains is far from everything"
        );
        let shy = pod("db", "podAntiAffinity", "web");
        let web = pod("web", "", "");
        assert_eq!(misfit(&web, &a, &[(&shy, &a)], &[(&shy, &a)], &team), Some(Misfit::ExistingAntiAffinity));
        let mut elsewhere = web;
        elsewhere["metadata"]["namespace"] = "other".into();
        let mut everywhere = shy.clone();
        let term = &mut everywhere["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            [0];
        for (selector, expected) in [
            (json!({}), Some(Misfit::ExistingAntiAffinity)),
            (json!({"matchLabels": {"team": "other"}}), Some(Misfit::ExistingAntiAffinity)),
            (json!({"matchLabels": {"team": "third"}}), None),
        ] {
            term["namespaceSelector"] = selector;
            let loner = json!({"metadata": shy["metadata"], "spec": {"affinity": {"podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [term.clone()]}}}});
            assert_eq!(misfit(&elsewhere, &a, &[], &[(&loner, &a)], &team), expected, "{term}");
        }
        assert_eq!(misfit(&elsewhere, &a, &[(&shy, &a)], &[(&shy, &a)], &team), None);
    }

    #[test]
    fn the_first_of_a_group_may_go_anywhere_in_a_domain() {
        let (a, bare) = (node("a"), json!({"metadata": {"name": "bare"}}));
        let first = pod("web", "podAffinity", "web");
        assert_eq!(misfit(&first, &a, &[], &[], &team), None);
        assert_eq!(misfit(&first, &bare, &[], &[], &team), Some(Misfit::PodAffinity));
        let stranger = pod("web", "podAffinity", "db");
        assert_eq!(misfit(&stranger, &a, &[], &[], &team), Some(Misfit::PodAffinity));
    }
}
