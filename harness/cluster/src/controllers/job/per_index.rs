//! Jobs each of whose numbers may fail so often by itself (`backoffLimitPerIndex`): a pod knows how often its
//! number has failed before it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{indexed, policy::Policy};
use crate::controllers::{
    meta::{annotate, annotation, uid},
    pods,
};

const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
const IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// How often a number has failed. Its latest pod is kept until another one has taken its place, because that is
/// where this comes from (`getPodsWithDelayedDeletionPerIndex` of Kubernetes).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The latest pod.
    pub(super) uid: String,
    counted: u32,
    ignored: u32,
}

impl Record {
    fn of(pod: &Value, policy: &Policy<'_>) -> Self {
        let counts = policy.counts(pod);
        let before = |name: &str| annotation(pod, name).parse::<u32>().unwrap_or(0);
        Self {
            uid: uid(pod).to_owned(),
            counted: before(FAILURES).saturating_add(counts.into()),
            ignored: before(IGNORED).saturating_add((!counts).into()),
        }
    }

    /// All failures.
    pub(super) fn total(&self) -> u32 {
        self.counted.saturating_add(self.ignored)
    }

    /// Hands it on to a new pod.
    pub(super) fn note(&self, pod: &mut Value) {
        annotate(pod, FAILURES, &self.counted.to_string());
        if self.ignored > 0 {
            annotate(pod, IGNORED, &self.ignored.to_string());
        }
    }
}

/// Whether the number of a failed pod has failed for good (`isIndexFailed` of Kubernetes).
pub(super) fn is_failed(pod: &Value, policy: &Policy<'_>) -> bool {
    let beyond = |limit: i64| policy.counts(pod) && i64::from(Record::of(pod, policy).counted) > limit;
    policy.failed(pod) && (policy.fails_index(pod) || policy.limit_per_index.is_some_and(beyond))
}

/// What the numbers that nobody works on have to be tried again for: `over` has those that will not be.
pub(super) fn waiting(
    pods: &[Value],
    tracked: &[&Value],
    policy: &Policy<'_>,
    over: impl Fn(i64) -> bool,
) -> BTreeMap<i64, Record> {
    let active: BTreeSet<i64> =
        pods.iter().filter(|pod| pods::active(pod)).filter_map(indexed::index_of).collect();
    let mut waiting: BTreeMap<i64, Record> = BTreeMap::new();
    for pod in tracked.iter().filter(|pod| policy.failed(pod)) {
        let Some(index) = indexed::index_of(pod).filter(|n| !active.contains(n) && !over(*n)) else {
            continue;
        };
        let record = Record::of(pod, policy);
        if waiting.get(&index).is_none_or(|other| other.total() <= record.total()) {
            waiting.insert(index, record);
        }
    }
    waiting
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::release::Release;

    fn pod(index: i64, phase: &str, code: i64) -> Value {
        let mut pod = json!({"metadata": {"uid": format!("{index}-{phase}"),
            "annotations": {indexed::INDEX: index.to_string()}}, "status": {"phase": phase,
            "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": code}}}]}});
        Record { uid: String::new(), counted: 1, ignored: 0 }.note(&mut pod);
        pod
    }

    #[test]
    fn numbers_fail_for_good_and_others_hand_their_failures_on() {
        let rule = |action: &str, code: i64| json!({"action": action, "onExitCodes": {"operator": "In", "values": [code]}});
        let job = |limit: i64| {
            json!({"spec": {"completionMode": "Indexed", "backoffLimitPerIndex": limit,
            "podFailurePolicy": {"rules": [rule("FailIndex", 9), rule("Ignore", 8)]}}})
        };
        for (limit, code, expected) in [(1, 1, true), (2, 1, false), (2, 9, true), (1, 8, false)] {
            let job = job(limit);
            let policy = Policy::of(&job, Release::default());
            assert_eq!(is_failed(&pod(0, "Failed", code), &policy), expected, "{limit} {code}");
            assert!(!is_failed(&pod(0, "Running", code), &policy));
        }
        let job = job(5);
        let policy = Policy::of(&job, Release::default());
        let all = [
            pod(0, "Failed", 1),
            pod(1, "Failed", 8),
            pod(2, "Failed", 1),
            pod(2, "Running", 0),
            pod(3, "Failed", 1),
        ];
        let tracked: Vec<&Value> = all.iter().collect();
        let waiting = waiting(&all, &tracked, &policy, |n| n == 3);
        let record = |uid: &str, counted, ignored| Record { uid: uid.to_owned(), counted, ignored };
        let expected = [(0, record("0-Failed", 2, 0)), (1, record("1-Failed", 1, 1))];
        assert_eq!(waiting, BTreeMap::from(expected));
        let mut next = json!({"metadata": {}});
        waiting[&1].note(&mut next);
        assert_eq!(next["metadata"]["annotations"], json!({FAILURES: "1", IGNORED: "1"}));
    }
}
