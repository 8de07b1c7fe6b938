//! Noticing the common mistake: a stuck pod is deleted to force a retry.

use pulldrill_cluster::store::{Change, Event};
use serde_json::Value;

use crate::{
    observe::{Snapshot, Workload, pods::is_stuck_on_image, workload::is_leaving},
    store::DrillEvent,
};

/// The kind under which a deleted pod is recorded.
pub(crate) const POD_DELETED: &str = "pod-deleted";

/// What an event in the drill's namespace says about the trainee, if anything. `workload` is the drill's,
/// as it is now, with the number of replicas it wanted when the drill opened.
pub(super) fn pod_deleted(
    event: &Event,
    workload: Option<&Workload>,
    replicas: i64,
    snapshot: &Snapshot,
) -> Option<DrillEvent> {
    let workload = workload?;
    let before = event.previous.as_ref()?.value();
    if &*event.resource != "pods" || !began_to_leave(event, before) || !is_stuck_on_image(before) {
        return None;
    }
    // A controller deletes pods too: when the workload shrinks, goes, or moves on to another template.
    let stays = is_leaving(workload.object()).is_none() && workload.wanted() >= replicas && snapshot.exists();
    if !stays || !workload.is_current(snapshot, before) {
        return None;
    }
    let name = before["metadata"]["name"].as_str().unwrap_or_default();
    let message = format!(
        "Pod {name} was deleted while it waited for its image. Its successor begins with a fresh back-off, but it \
         pulls the same image from the same place in the same way: first repair what makes the pull fail."
    );
    Some(DrillEvent::Noticed { kind: POD_DELETED.into(), message })
}

fn began_to_leave(event: &Event, before: &Value) -> bool {
    let was_leaving = is_leaving(before).is_some();
    let leaves = event.change == Change::Deleted || is_leaving(event.object.value()).is_some();
    leaves && !was_leaving
}
