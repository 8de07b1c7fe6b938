//! The counters of a DaemonSet.

use serde_json::Value;

use super::{Place, View, Wanted};
use crate::controllers::{
    json::{counters, int},
    meta::deleting,
    pods,
};

impl View<'_> {
    /// The status as of the start of this look.
    pub(super) fn status(&self) -> Value {
        let count =
            |test: &dyn Fn(&Place) -> bool| self.nodes.values().filter(|place| test(place)).count() as i64;
        let wanted = |place: &Place| place.wanted == Wanted::Yes;
        let first = |place: &Place, test: &dyn Fn(&Value) -> bool| {
            // One that has ended, and is only not gone yet, counts for what it is where there is no other.
            let over = |pod: &&Value| deleting(pod) && pods::ended(pod);
            let counts = place.pods.iter().find(|pod| !over(pod)).or_else(|| place.pods.first());
            wanted(place) && counts.is_some_and(test)
        };
        let desired = count(&wanted);
        let available = count(&|place| first(place, &|pod| pods::ready(pod) && self.available(pod)));
        let mut status = Value::Object(counters([
            ("observedGeneration", int(&self.set["metadata"]["generation"])),
            ("updatedNumberScheduled", count(&|place| first(place, &|pod| !self.is_old(pod)))),
            ("numberAvailable", available),
            ("numberUnavailable", desired - available),
        ]));
        status["desiredNumberScheduled"] = desired.into();
        status["currentNumberScheduled"] = count(&|place| first(place, &|_| true)).into();
        status["numberMisscheduled"] = count(&|place| !wanted(place) && !place.pods.is_empty()).into();
        status["numberReady"] = count(&|place| first(place, &pods::ready)).into();
        status
    }
}
