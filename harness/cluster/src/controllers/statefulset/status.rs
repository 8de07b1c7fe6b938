//! The counters of a StatefulSet.

use serde_json::Value;

use super::{View, identity};
use crate::controllers::{
    children::min_ready,
    json::{counters, int},
    meta::{deleting, name},
    pods,
};

impl View<'_> {
    /// The status as of the start of this look, less the pods of the current revision that were given up.
    pub(super) fn status(&self, given_up: i64) -> Value {
        let now = self.deps.now();
        let count = |test: &dyn Fn(&Value) -> bool| self.pods.iter().filter(|pod| test(pod)).count() as i64;
        let of = |revision: &Value| count(&|pod| !deleting(pod) && identity::revision(pod) == name(revision));
        let ready = |pod: &Value| pod["status"]["phase"] == "Running" && pods::ready(pod);
        let (replicas, updated) = (count(&|_| true), of(self.update));
        let readies = count(&ready);
        let mut current = (self.current, of(self.current) - given_up);
        let wanted = self.replicas();
        if self.rolls() && [replicas, updated, readies].iter().all(|n| *n == wanted) {
            current = (self.update, updated);
        }
        let mut status = Value::Object(counters([
            ("observedGeneration", int(&self.set["metadata"]["generation"])),
            ("readyReplicas", readies),
            ("currentReplicas", current.1),
            ("updatedReplicas", updated),
        ]));
        status["replicas"] = replicas.into();
        status["currentRevision"] = name(current.0).into();
        status["updateRevision"] = name(self.update).into();
        status["collisionCount"] = int(&self.set["status"]["collisionCount"]).into();
        if self.deps.wording.stateful_available {
            status["availableReplicas"] =
                count(&|pod| ready(pod) && pods::available(pod, min_ready(self.set), now)).into();
        }
        status
    }
}
