//! Pods that may be active for so long only (`spec.activeDeadlineSeconds`): then their containers are stopped, and they
//! have failed. They stay where they are until somebody removes them (`pkg/kubelet/active_deadline.go`).

use pulldrill_clock::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Kubelet, sync, worker::Worker};
use crate::recorder::Kind;

/// The reason of such a pod's end, in its status and its event.
pub(super) const REASON: &str = "DeadlineExceeded";

/// What is said of it.
pub(super) const MESSAGE: &str = "Pod was active on the node longer than the specified deadline";

impl Kubelet {
    /// When the node notices that a pod's time is over, if it has not ended before.
    pub(super) fn deadline(&self, worker: &Worker, pod: &Value) -> Option<Timestamp> {
        let seconds = pod["spec"]["activeDeadlineSeconds"].as_i64()?;
        let at = worker.since.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        (!has_ended(pod)).then(|| sync::tick(at, self.ticker))
    }

    /// Says that it is.
    pub(super) fn say_overdue(&self, pod: &Value) {
        self.recorder.event(pod, None, Kind::Normal, REASON, MESSAGE);
    }
}

/// Whether a pod is over, as its status tells.
pub(super) fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Whether a pod has come to such an end in a former life of its kubelet.
pub(super) fn is_overdue(pod: &Value) -> bool {
    pod["status"]["reason"] == REASON && pod["status"]["phase"] == "Failed"
}
