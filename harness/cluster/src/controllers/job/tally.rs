//! Which pods of a Job have ended, and how: told by the Job's status and its pods alone, so that nothing is forgotten
//! when the cluster is started again or somebody deletes a pod.
//!
//! From Kubernetes 1.26 on every pod has a finalizer. A pod that has ended is first named in
//! `status.uncountedTerminatedPods`, then its finalizer goes, then the counters take its place. Before, only the pods
//! that are there were counted: one that was deleted ran again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::indexed;
use crate::{
    controllers::{
        json::{int, items, text},
        meta::{deleting, uid},
        pods,
    },
    store::Key,
};

/// What keeps a pod until its end has been counted.
pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";

/// No more pods than this are named at a time.
const MOST_UNCOUNTED: usize = 500;

/// Whether a pod has the finalizer.
pub(super) fn held(pod: &Value) -> bool {
    items(&pod["metadata"]["finalizers"]).iter().any(|name| name == FINALIZER)
}

/// Gives a pod the finalizer.
pub(super) fn hold(pod: &mut Value) {
    if !held(pod) {
        let mut finalizers = items(&pod["metadata"]["finalizers"]).to_vec();
        finalizers.push(FINALIZER.into());
        pod["metadata"]["finalizers"] = finalizers.into();
    }
}

/// Takes the finalizer from a pod.
pub(super) fn let_go(pod: &mut Value) {
    let Some(finalizers) = pod["metadata"]["finalizers"].as_array_mut() else { return };
    finalizers.retain(|name| name != FINALIZER);
    if finalizers.is_empty()
        && let Some(metadata) = pod["metadata"].as_object_mut()
    {
        metadata.remove("finalizers");
    }
}

/// The pods that have ended.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The counters.
    succeeded: i64,
    failed: i64,
    /// Those that are named and not counted yet.
    uncounted: [BTreeSet<String>; 2],
    /// The numbers that have succeeded, where pods have numbers.
    pub(super) indexes: BTreeSet<i64>,
    /// Pods that may go when the status has been written.
    pub(super) settled: Vec<Key>,
}

const GOOD: usize = 0;
const BAD: usize = 1;

impl Tally {
    /// What the pods alone say.
    pub(super) fn of_pods(pods: &[Value]) -> Self {
        let count = |phase: &str| {
            let ended = pods.iter().filter(|pod| text(&pod["status"]["phase"]) == phase);
            i64::try_from(ended.count()).unwrap_or(i64::MAX)
        };
        let good = pods.iter().filter(|pod| pod["status"]["phase"] == "Succeeded");
        Self {
            succeeded: count("Succeeded"),
            failed: count("Failed"),
            indexes: good.filter_map(indexed::index_of).collect(),
            ..Self::default()
        }
    }

    /// What the status says, and pods that have ended since.
    pub(super) fn of_status(job: &Value, pods: &[Value]) -> Self {
        let (status, numbered) = (&job["status"], indexed::is_indexed(job));
        let named = |list: &str| {
            let names = items(&status["uncountedTerminatedPods"][list]).iter();
            names.map(|name| text(name).to_owned()).collect::<BTreeSet<String>>()
        };
        let completions = int(&job["spec"]["completions"]);
        let mut tally = Self {
            succeeded: int(&status["succeeded"]).max(0),
            failed: int(&status["failed"]).max(0),
            uncounted: [named("succeeded"), named("failed")],
            indexes: indexed::numbers(text(&status["completedIndexes"]), completions),
            settled: Vec::new(),
        };
        let tracked: Vec<&Value> = pods.iter().filter(|pod| held(pod)).collect();
        let still: BTreeSet<&str> = tracked.iter().map(|pod| uid(pod)).collect();
        for (names, counter) in tally.uncounted.iter_mut().zip([&mut tally.succeeded, &mut tally.failed]) {
            let before = names.len();
            names.retain(|name| still.contains(name.as_str()));
            *counter = counter.saturating_add(i64::try_from(before - names.len()).unwrap_or(0));
        }
        for pod in tracked {
            if tally.settled.len() >= MOST_UNCOUNTED {
                break;
            }
            if pod["status"]["phase"] == "Succeeded" && !tally.uncounted[BAD].contains(uid(pod)) {
                match indexed::index_of(pod).filter(|_| numbered) {
                    Some(index) if (0..completions).contains(&index) => {
                        tally.indexes.insert(index);
                    }
                    Some(_) => {}
                    None => {
                        tally.uncounted[GOOD].insert(uid(pod).to_owned());
                    }
                }
            } else if failed(pod) {
                tally.uncounted[BAD].insert(uid(pod).to_owned());
            } else {
                continue;
            }
            tally.settled.push(Key::of(pod));
        }
        tally
    }

    /// How many have succeeded, of those with numbers or of all.
    pub(super) fn succeeded(&self, numbered: bool) -> i64 {
        if numbered { length(&self.indexes) } else { self.succeeded + length(&self.uncounted[GOOD]) }
    }

    /// How many have failed.
    pub(super) fn failed(&self) -> i64 {
        self.failed + length(&self.uncounted[BAD])
    }

    /// The counters as the status has them.
    pub(super) fn counted(&self, numbered: bool) -> (i64, i64) {
        (if numbered { length(&self.indexes) } else { self.succeeded }, self.failed)
    }

    /// Whether every end has been counted.
    pub(super) fn complete(&self) -> bool {
        self.uncounted.iter().all(BTreeSet::is_empty)
    }

    /// `status.uncountedTerminatedPods`.
    pub(super) fn uncounted(&self) -> Value {
        let mut lists = json!({});
        for (field, names) in ["succeeded", "failed"].iter().zip(&self.uncounted) {
            if !names.is_empty() {
                lists[*field] = json!(names);
            }
        }
        lists
    }
}

/// A pod on its way out will not succeed.
fn failed(pod: &Value) -> bool {
    pod["status"]["phase"] == "Failed" || deleting(pod) && pod["status"]["phase"] != "Succeeded"
}

/// Whether a pod of a Job that is gone may go, too.
pub(super) fn over(pod: &Value) -> bool {
    deleting(pod) || pods::ended(pod)
}

fn length<T>(set: &BTreeSet<T>) -> i64 {
    i64::try_from(set.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, phase: &str, held: bool) -> Value {
        let mut pod =
            json!({"metadata": {"uid": uid, "name": uid, "namespace": "a"}, "status": {"phase": phase}});
        if held {
            hold(&mut pod);
        }
        pod
    }

    #[test]
    fn an_end_is_named_then_let_go_then_counted() {
        let mut job = json!({"spec": {"completions": 5}, "status": {"succeeded": 1, "failed": 2}});
        let running = pod("r", "Running", true);
        let pods = [
            pod("s", "Succeeded", true),
            pod("f", "Failed", true),
            running.clone(),
            pod("x", "Failed", false),
        ];
        let tally = Tally::of_status(&job, &pods);
        assert_eq!((tally.succeeded(false), tally.failed(), tally.counted(false)), (2, 3, (1, 2)));
        assert_eq!(tally.uncounted(), json!({"succeeded": ["s"], "failed": ["f"]}));
        assert_eq!(tally.settled, [Key::new("a", "s"), Key::new("a", "f")]);
        job["status"]["uncountedTerminatedPods"] = tally.uncounted();
        // Twice the same: an interrupted look counts nothing twice.
        let again = Tally::of_status(&job, &pods);
        assert_eq!((again.succeeded(false), again.failed(), again.settled.len()), (2, 3, 2));
        let mut gone = pods[0].clone();
        let_go(&mut gone);
        assert!(gone["metadata"].get("finalizers").is_none());
        let tally = Tally::of_status(&job, &[gone, running]);
        assert!(tally.complete() && tally.settled.is_empty());
        assert_eq!((tally.counted(false), tally.uncounted()), ((2, 3), json!({})));
    }

    #[test]
    fn a_pod_that_has_to_go_has_failed_unless_it_has_succeeded() {
        let mut going = pod("g", "Running", true);
        going["metadata"]["deletionTimestamp"] = "2026-11-22T20:00:00Z".into();
        let tally = Tally::of_status(&json!({}), &[going.clone()]);
        assert_eq!((tally.succeeded(false), tally.failed()), (0, 1));
        going["status"]["phase"] = "Succeeded".into();
        let tally = Tally::of_status(&json!({}), &[going.clone()]);
        assert_eq!((tally.succeeded(false), tally.failed()), (1, 0));
        assert_eq!(Tally::of_pods(&[going, pod("f", "Failed", false)]).counted(false), (1, 1));
    }
}
