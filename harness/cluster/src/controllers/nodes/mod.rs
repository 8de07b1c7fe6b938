//! What becomes of nodes that no longer show that they live, and of the pods on them.
//!
//! - [`lifecycle`]: conditions and taints of such a node.
//! - [`taints`]: pods that don't put up with a node's taints go.
//! - [`orphans`]: pods of nodes that are not there go.

mod lifecycle;
mod orphans;
mod taints;

use std::sync::Arc;

use serde_json::{Value, json};

pub(crate) use lifecycle::Lifecycle;
pub(crate) use orphans::Orphans;
pub(crate) use taints::Evictions;

use super::{deps::Deps, json::items};
use crate::store::Key;

/// Whether the machine of a node is on; `None` for a node that is no machine of this cluster.
pub(crate) type Alive = Arc<dyn Fn(&str) -> Option<bool> + Send + Sync>;

/// Notes in a pod's status why it is made to go, in releases that do.
pub(crate) fn note_disruption(deps: &Deps, pod: &Value, reason: &str, message: &str) {
    if !deps.wording.disruption_target {
        return;
    }
    let condition = json!({"type": "DisruptionTarget", "status": "True", "lastProbeTime": null,
        "lastTransitionTime": deps.stamp(), "reason": reason, "message": message});
    let noted = deps.edit_sub("pods", &Key::of(pod), "status", |pod| {
        let mut conditions = items(&pod["status"]["conditions"]).to_vec();
        conditions.retain(|c| c["type"] != "DisruptionTarget");
        conditions.push(condition.clone());
        pod["status"]["conditions"] = conditions.into();
    });
    if let Err(status) = noted {
        tracing::debug!(%status, "the reason of a disruption is not noted");
    }
}
