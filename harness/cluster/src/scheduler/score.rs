//! Which of the fitting nodes is the best for a pod.

use serde_json::Value;

use super::{
    affinity::{self, Labels, Placed},
    fit, resources,
    spread::Spread,
};
use crate::controllers::json::items;

/// The lower the better: what speaks against the node, and how full it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    dislike: i64,
    crowd: i64,
    /// Pods of the same owner, then all.
    load: (usize, usize),
}

/// How well a node suits a pod: wishes and taints first, then even spreading, then the fewest pods of the same
/// owner, then the fewest pods.
pub(super) fn of(
    pod: &Value,
    node: &Value,
    placed: &[Placed],
    labels: Labels,
    soft: &Spread,
    load: (usize, usize),
) -> Score {
    let wishes = node_preference(pod, node) + affinity::preference(pod, node, placed, labels);
    Score { dislike: resources::soft_taints(pod, node) * 100 - wishes, crowd: soft.crowd(node), load }
}

/// The weights of the preferred node affinities that a node fulfils.
fn node_preference(pod: &Value, node: &Value) -> i64 {
    let preferred =
        &pod["spec"]["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    let met = items(preferred).iter().filter(|wish| fit::term_matches(&wish["preference"], node));
    met.map(affinity::weight).sum()
}
