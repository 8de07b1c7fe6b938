//! Which pods of a Job have ended, and how: told by the Job's status and its pods alone, so that nothing is forgotten
//! when the cluster is started again or somebody deletes a pod.
//!
//! From Kubernetes 1.26 on every pod has a finalizer. A pod that has ended is first named in
//! `status.uncountedTerminatedPods`, then its finalizer goes, then the counters take its place. Before, only the pods
//! that are there were counted: one that was deleted ran again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    indexed,
    per_index::{self, Record},
    policy::Policy,
};
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
    /// Those that have failed for good, where numbers have a limit of their own.
    pub(super) failed_indexes: Option<BTreeSet<i64>>,
    /// Those that have failed and wait for another pod. Until that is there, the failed one is not counted.
    pub(super) waiting: BTreeMap<i64, Record>,
    waiting_failures: i64,
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

    /// What the status says, and pods that have ended since. `over` says whether the Job is about to end well.
    pub(super) fn of_status(job: &Value, pods: &[Value], policy: &Policy<'_>, over: Option<bool>) -> Self {
        let (status, numbered) = (&job["status"], indexed::is_indexed(job));
        let named = |list: &str| {
            let names = items(&status["uncountedTerminatedPods"][list]).iter();
            names.map(|name| text(name).to_owned()).collect::<BTreeSet<String>>()
        };
        let completions = int(&job["spec"]["completions"]);
        let valid = |index: &i64| (0..completions).contains(index);
        let mut tally = Self {
            succeeded: int(&status["succeeded"]).max(0),
            failed: int(&status["failed"]).max(0),
            uncounted: [named("succeeded"), named("failed")],
            indexes: indexed::numbers(text(&status["completedIndexes"]), completions),
            ..Self::default()
        };
        let tracked: Vec<&Value> = pods.iter().filter(|pod| held(pod)).collect();
        let still: BTreeSet<&str> = tracked.iter().map(|pod| uid(pod)).collect();
        for (names, counter) in tally.uncounted.iter_mut().zip([&mut tally.succeeded, &mut tally.failed]) {
            let before = names.len();
            names.retain(|name| still.contains(name.as_str()));
            *counter = counter.saturating_add(i64::try_from(before - names.len()).unwrap_or(0));
        }
        if numbered {
            let good = tracked.iter().filter(|pod| tally.is_good(pod));
            let good: Vec<i64> = good.filter_map(|pod| indexed::index_of(pod)).filter(valid).collect();
            tally.indexes.extend(good);
        }
        if policy.limit_per_index.is_some() {
            let mut failed = indexed::numbers(text(&status["failedIndexes"]), completions);
            // Those that were stopped in the middle have not failed for good.
            let now = tracked.iter().filter(|pod| over.is_none() && per_index::is_failed(pod, policy));
            failed.extend(now.filter_map(|pod| indexed::index_of(pod)).filter(valid));
            let over =
                |index: i64| !valid(&index) || failed.contains(&index) || tally.indexes.contains(&index);
            tally.waiting = per_index::waiting(pods, &tracked, policy, over);
            tally.failed_indexes = Some(failed);
        }
        for pod in tracked {
            if tally.settled.len() >= MOST_UNCOUNTED {
                break;
            }
            if tally.is_good(pod) {
                if !numbered {
                    tally.uncounted[GOOD].insert(uid(pod).to_owned());
                }
            } else if policy.failed(pod) || over == Some(false) && deleting(pod) {
                let index = indexed::index_of(pod);
                let counts = (!numbered || index.is_some_and(|index| valid(&index))) && policy.counts(pod);
                let waits = index.and_then(|index| tally.waiting.get(&index));
                if over.is_none() && waits.is_some_and(|record| record.uid == uid(pod)) {
                    tally.waiting_failures += i64::from(counts);
                    continue;
                }
                if counts {
                    tally.uncounted[BAD].insert(uid(pod).to_owned());
                }
            } else if over != Some(true) {
                continue;
            }
            tally.settled.push(Key::of(pod));
        }
        tally
    }

    /// Whether a pod has succeeded. One that has been named a failure stays one.
    fn is_good(&self, pod: &Value) -> bool {
        pod["status"]["phase"] == "Succeeded" && !self.uncounted[BAD].contains(uid(pod))
    }

    /// How many have succeeded, of those with numbers or of all.
    pub(super) fn succeeded(&self, numbered: bool) -> i64 {
        if numbered { length(&self.indexes) } else { self.succeeded + length(&self.uncounted[GOOD]) }
    }

    /// How many have failed.
    pub(super) fn failed(&self) -> i64 {
        self.failed + length(&self.uncounted[BAD]) + self.waiting_failures
    }

    /// The counters as the status has them.
    pub(super) fn counted(&self, numbered: bool) -> (i64, i64) {
        (if numbered { length(&self.indexes) } else { self.succeeded }, self.failed)
    }

    /// Whether every end has been counted.
    pub(super) fn complete(&self) -> bool {
        self.uncounted.iter().all(BTreeSet::is_empty) && self.waiting.is_empty()
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
    use crate::release::Release;

    fn tally(job: &Value, pods: &[Value]) -> Tally {
        Tally::of_status(job, pods, &Policy::of(job, Release::default()), None)
    }

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
        let first = tally(&job, &pods);
        assert_eq!((first.succeeded(false), first.failed(), first.counted(false)), (2, 3, (1, 2)));
        assert_eq!(first.uncounted(), json!({"succeeded": ["s"], "failed": ["f"]}));
        assert_eq!(first.settled, [Key::new("a", "s"), Key::new("a", "f")]);
        job["status"]["uncountedTerminatedPods"] = first.uncounted();
        // Twice the same: an interrupted look counts nothing twice.
        let again = tally(&job, &pods);
        assert_eq!((again.succeeded(false), again.failed(), again.settled.len()), (2, 3, 2));
        let mut gone = pods[0].clone();
        let_go(&mut gone);
        assert!(gone["metadata"].get("finalizers").is_none());
        let last = tally(&job, &[gone, running]);
        assert!(last.complete() && last.settled.is_empty());
        assert_eq!((last.counted(false), last.uncounted()), ((2, 3), json!({})));
    }

    #[test]
    fn a_pod_that_has_to_go_has_failed_unless_it_has_succeeded() {
        let mut going = pod("g", "Running", true);
        going["metadata"]["deletionTimestamp"] = "2026-11-22T20:00:00Z".into();
        let before = tally(&json!({}), &[going.clone()]);
        assert_eq!((before.succeeded(false), before.failed()), (0, 1));
        going["status"]["phase"] = "Succeeded".into();
        let after = tally(&json!({}), &[going.clone()]);
        assert_eq!((after.succeeded(false), after.failed()), (1, 0));
        assert_eq!(Tally::of_pods(&[going, pod("f", "Failed", false)]).counted(false), (1, 1));
    }
}
