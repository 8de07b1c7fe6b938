//! Pods on nodes with `NoExecute` taints: those that don't tolerate them go, at once or when their time is up.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    api::Status,
    controllers::{
        deps::Deps,
        json::{items, text},
        meta::{deleting, name, namespace},
        nodes::note_disruption,
        pods,
        timers::Timers,
    },
    engine::{Context, Controller, Queue},
    scheduler::fit::tolerates,
    store::{Change, Event, Key},
};

const REASON: &str = "TaintManagerEviction";

/// Makes pods go that don't tolerate their node.
pub(crate) struct Evictions {
    deps: Deps,
    /// Since when (in lab time) a pod has been on borrowed time.
    since: HashMap<Key, Timestamp>,
    timers: Timers,
}

/// How long a pod stays on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Forever,
    For(SignedDuration),
}

impl Evictions {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, since: HashMap::new(), timers: Timers::default() }
    }

    fn sync(&mut self, key: &Key, context: &Context) -> Result<(), Status> {
        let Some(stored) = self.deps.get("pods", key).filter(|pod| pods::active(pod.value())) else {
            self.since.remove(key);
            return Ok(());
        };
        let pod = stored.value();
        let node = self.deps.get("nodes", &Key::new("", text(&pod["spec"]["nodeName"])));
        let taints = node.map(|node| items(&node.value()["spec"]["taints"]).to_vec()).unwrap_or_default();
        let subject = format!("Pod {}/{}", namespace(pod), name(pod));
        match stay(pod, &taints) {
            Stay::Forever => {
                if self.since.remove(key).is_some() {
                    self.deps.normal(pod, REASON, &format!("Cancelling deletion of {subject}"));
                }
                Ok(())
            }
            Stay::For(time) => {
                let now = context.clock.now();
                let end = *self.since.entry(key.clone()).or_insert(now) + time;
                if end > now {
                    self.timers.after(key, end.duration_since(now), context);
                    return Ok(());
                }
                self.deps.normal(pod, REASON, &format!("Marking for deletion {subject}"));
                let message = "Taint manager: deleting due to NoExecute taint";
                note_disruption(&self.deps, pod, "DeletionByTaintManager", message);
                self.deps.delete("pods", pod)?;
                self.since.remove(key);
                Ok(())
            }
        }
    }
}

/// How long a pod stays on a node with these taints: every one has to be tolerated, the shortest time counts.
fn stay(pod: &Value, taints: &[Value]) -> Stay {
    let mut shortest: Option<i64> = None;
    for taint in taints.iter().filter(|taint| taint["effect"] == "NoExecute") {
        let matching: Vec<&Value> =
            items(&pod["spec"]["tolerations"]).iter().filter(|t| tolerates(t, taint)).collect();
        if matching.is_empty() {
            return Stay::For(SignedDuration::ZERO);
        }
        let seconds = matching.iter().filter_map(|t| t["tolerationSeconds"].as_i64()).min();
        shortest = [shortest, seconds].into_iter().flatten().min();
    }
    shortest.map_or(Stay::Forever, |seconds| Stay::For(pulldrill_clock::seconds(seconds.max(0))))
}

impl Controller for Evictions {
    fn name(&self) -> &'static str {
        "taint-eviction-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        match &*event.resource {
            "pods" => {
                let spec = &event.object.value()["spec"];
                let changed = event.previous.as_ref().is_none_or(|before| before.value()["spec"] != *spec);
                let ends = event.change == Change::Deleted || deleting(event.object.value());
                if changed || ends && self.since.contains_key(&event.key) {
                    queue.add(event.key.clone());
                }
            }
            "nodes" if event.change != Change::Deleted => {
                let taints = &event.object.value()["spec"]["taints"];
                if event.previous.as_ref().is_some_and(|before| before.value()["spec"]["taints"] == *taints) {
                    return;
                }
                self.deps.pods_on(&event.key.name).for_each(|pod| queue.add(pod.key().clone()));
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key, context);
        self.timers.outcome(key, &outcome, context);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_shortest_time_counts_and_every_taint_has_to_be_tolerated() {
        let taint = |key: &str, effect: &str| json!({"key": key, "effect": effect});
        let tolerate = |key: &str, seconds: Option<i64>| match seconds {
            Some(s) => {
                json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": s})
            }
            None => json!({"key": key, "operator": "Exists"}),
        };
        let pod = |tolerations: Value| json!({"spec": {"tolerations": tolerations}});
        let at_once = Stay::For(SignedDuration::ZERO);
        let both = [taint("a", "NoExecute"), taint("b", "NoExecute")];
        let cases = [
            (pod(json!([])), vec![taint("a", "NoSchedule")], Stay::Forever),
            (pod(json!([])), vec![taint("a", "NoExecute")], at_once),
            (pod(json!([tolerate("a", Some(300))])), both.to_vec(), at_once),
            (
                pod(json!([tolerate("a", Some(300)), tolerate("b", Some(60))])),
                both.to_vec(),
                Stay::For(SignedDuration::from_secs(60)),
            ),
            (pod(json!([tolerate("a", None), tolerate("b", None)])), both.to_vec(), Stay::Forever),
            (pod(json!([tolerate("a", Some(-5))])), vec![taint("a", "NoExecute")], at_once),
        ];
        for (pod, taints, expected) in cases {
            assert_eq!(stay(&pod, &taints), expected, "{pod} {taints:?}");
        }
    }
}
