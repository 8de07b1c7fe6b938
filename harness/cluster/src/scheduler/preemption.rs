//! Room for a more important pod: which less important ones have to go, and from which node. As few as will do, and the
//! least important ones.

use std::{cmp::Reverse, sync::Arc};

use serde_json::Value;

use super::{fit, load::Node, resources};
use crate::{
    controllers::{
        json::int,
        meta::{deleting, name},
    },
    store::Stored,
};

/// What has to happen for a pod to get a place.
#[derive(Debug)]
pub(super) struct Plan {
    /// The node that it will get.
    pub(super) node: String,
    /// The pods that have to go.
    pub(super) victims: Vec<Arc<Stored>>,
}

/// How important a pod is.
pub(super) fn priority(pod: &Value) -> i64 {
    int(&pod["spec"]["priority"])
}

/// Whether a pod makes others go at all.
pub(super) fn may(pod: &Value) -> bool {
    pod["spec"]["preemptionPolicy"] != "Never"
}

/// Whether room is being made already: the node that was promised still has a less important pod that goes.
pub(super) fn is_under_way(pod: &Value, on_promised: &[Arc<Stored>]) -> bool {
    on_promised.iter().any(|other| deleting(other.value()) && priority(other.value()) < priority(pod))
}

/// The best plan for a pod, given each node and the pods there.
pub(super) fn plan(pod: &Value, nodes: &[(&Value, Vec<Arc<Stored>>)]) -> Option<Plan> {
    let plans = nodes.iter().filter_map(|(node, placed)| on_node(pod, node, placed));
    plans.min_by_key(|plan| {
        let priorities = || plan.victims.iter().map(|victim| priority(victim.value()));
        (priorities().max(), priorities().sum::<i64>(), plan.victims.len())
    })
}

fn on_node(pod: &Value, node: &Value, placed: &[Arc<Stored>]) -> Option<Plan> {
    if fit::misfit(pod, node).is_some() {
        return None;
    }
    let lower = |other: &Arc<Stored>| priority(other.value()) < priority(pod) && !deleting(other.value());
    let (mut lower, kept): (Vec<_>, Vec<_>) = placed.iter().cloned().partition(lower);
    let mut taken = Node::default();
    kept.iter().for_each(|other| taken.add(other.value()));
    if lower.is_empty() || !resources::misfits(pod, node, Some(&taken)).is_empty() {
        return None;
    }
    // The most important ones are the first to be spared, and of equals those that came first.
    lower.sort_by_key(|other| (Reverse(priority(other.value())), other.meta("creationTimestamp").to_owned()));
    let mut victims = Vec::new();
    for other in lower {
        taken.add(other.value());
        if !resources::misfits(pod, node, Some(&taken)).is_empty() {
            taken.remove(other.value());
            victims.push(other);
        }
    }
    (!victims.is_empty()).then(|| Plan { node: name(node).to_owned(), victims })
}
