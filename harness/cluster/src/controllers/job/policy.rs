//! What a Job says about pods that fail and about when it has succeeded, as far as its release heeds it:
//! `podFailurePolicy`, `podReplacementPolicy`, `backoffLimitPerIndex` and `successPolicy`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::indexed;
use crate::{
    controllers::{
        json::{int, items, text},
        meta::{deleting, name, namespace},
    },
    release::Release,
};

// Since when they are heeded without a feature gate.
const FAILURE_POLICY: u32 = 26;
const REPLACEMENT_POLICY: u32 = 29;
const LIMIT_PER_INDEX: u32 = 29;
const SUCCESS_POLICY: u32 = 31;

/// The policies of one Job.
pub(super) struct Policy<'a> {
    failure: &'a [Value],
    success: &'a [Value],
    /// How often each number may fail by itself.
    pub(super) limit_per_index: Option<i64>,
    /// Whether a pod that is on its way out has not failed and is not replaced yet (`onlyReplaceFailedPods` of
    /// Kubernetes).
    pub(super) waits: bool,
}

/// What a rule wants for a pod that has failed.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    Count,
    Ignore,
    FailIndex,
    /// With what the Job is told.
    FailJob(String),
}

impl<'a> Policy<'a> {
    pub(super) fn of(job: &'a Value, release: Release) -> Self {
        static NOTHING: Value = Value::Null;
        let heeded = |field: &str, since: u32| {
            if release.since(since) { &job["spec"][field] } else { &NOTHING }
        };
        let failure = heeded("podFailurePolicy", FAILURE_POLICY);
        let limit = heeded("backoffLimitPerIndex", LIMIT_PER_INDEX).as_i64();
        Self {
            failure: items(&failure["rules"]),
            success: items(&heeded("successPolicy", SUCCESS_POLICY)["rules"]),
            limit_per_index: limit.filter(|_| indexed::is_indexed(job)),
            waits: failure.is_object() || heeded("podReplacementPolicy", REPLACEMENT_POLICY) == "Failed",
        }
    }

    /// Whether a pod has failed. One on its way out will not succeed; where that is waited for, it is said by the
    /// node, if the pod has one.
    pub(super) fn failed(&self, pod: &Value) -> bool {
        let phase = text(&pod["status"]["phase"]);
        let assigned = !text(&pod["spec"]["nodeName"]).is_empty();
        phase == "Failed" || deleting(pod) && phase != "Succeeded" && !(self.waits && assigned)
    }

    /// Whether the failure of a pod counts towards the limits.
    pub(super) fn counts(&self, pod: &Value) -> bool {
        self.action(pod) != Some(Action::Ignore)
    }

    /// Whether a rule says that the number of a pod has failed for good.
    pub(super) fn fails_index(&self, pod: &Value) -> bool {
        self.action(pod) == Some(Action::FailIndex)
    }

    /// Why a failed pod makes its Job fail, if one does (`getFailJobMessage` of Kubernetes).
    pub(super) fn fails_job(&self, pods: &[Value]) -> Option<String> {
        pods.iter().filter(|pod| self.failed(pod)).find_map(|pod| match self.action(pod) {
            Some(Action::FailJob(message)) => Some(message),
            _ => None,
        })
    }

    /// What the first rule that fits says (`matchPodFailurePolicy` of Kubernetes).
    fn action(&self, pod: &Value) -> Option<Action> {
        self.failure.iter().enumerate().find_map(|(index, rule)| {
            let what = if rule["onExitCodes"].is_object() {
                exit_code(&rule["onExitCodes"], pod)?
            } else {
                pod_condition(items(&rule["onPodConditions"]), pod)?
            };
            match text(&rule["action"]) {
                "Count" => Some(Action::Count),
                "Ignore" => Some(Action::Ignore),
                "FailIndex" if self.limit_per_index.is_some() => Some(Action::FailIndex),
                "FailJob" => Some(Action::FailJob(format!("{what} matching FailJob rule at index {index}"))),
                _ => None,
            }
        })
    }

    /// The first rule by which enough numbers have succeeded, in words (`matchSuccessPolicy` of Kubernetes).
    pub(super) fn succeeds(&self, completions: i64, succeeded: &BTreeSet<i64>) -> Option<String> {
        if succeeded.is_empty() {
            return None;
        }
        let enough = |rule: &Value, count: usize| {
            let wanted = rule["succeededCount"].as_u64().and_then(|wanted| usize::try_from(wanted).ok());
            wanted.is_some_and(|wanted| count >= wanted)
        };
        let met = |rule: &Value| {
            let Some(listed) = rule["succeededIndexes"].as_str() else {
                return enough(rule, succeeded.len());
            };
            let listed = indexed::numbers(listed, completions);
            let count = listed.intersection(succeeded).count();
            !listed.is_empty() && (count == listed.len() || enough(rule, count))
        };
        let index = self.success.iter().position(met)?;
        Some(format!("Matched rules at index {index}"))
    }
}

/// The container that ended with a code that fits, in words (`matchOnExitCodes` of Kubernetes).
fn exit_code(wanted: &Value, pod: &Value) -> Option<String> {
    let lists = ["containerStatuses", "initContainerStatuses"];
    let containers = lists.iter().flat_map(|list| items(&pod["status"][*list]));
    let named = wanted["containerName"].as_str();
    let fits = |container: &&Value| {
        let code = int(&container["state"]["terminated"]["exitCode"]);
        let listed = items(&wanted["values"]).iter().any(|value| *value == code);
        let operator = match text(&wanted["operator"]) {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        };
        code != 0 && operator && named.is_none_or(|named| container["name"] == named)
    };
    let found = containers.into_iter().find(fits)?;
    let code = int(&found["state"]["terminated"]["exitCode"]);
    let (container, namespace, pod) = (text(&found["name"]), namespace(pod), name(pod));
    Some(format!("Container {container} for pod {namespace}/{pod} failed with exit code {code}"))
}

/// The condition that fits one of the patterns, in words (`matchOnPodConditions` of Kubernetes).
fn pod_condition(patterns: &[Value], pod: &Value) -> Option<String> {
    let same = |a: &Value, b: &Value, field: &str| a[field] == b[field];
    let fits = |condition: &&Value| {
        patterns.iter().any(|p| same(p, condition, "type") && same(p, condition, "status"))
    };
    let found = items(&pod["status"]["conditions"]).iter().find(fits)?;
    Some(format!("Pod {}/{} has condition {}", namespace(pod), name(pod), text(&found["type"])))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failed_with(code: i64) -> Value {
        json!({"metadata": {"namespace": "a", "name": "p"}, "status": {"phase": "Failed",
            "conditions": [{"type": "DisruptionTarget", "status": "True"}],
            "containerStatuses": [{"name": "side", "state": {"terminated": {"exitCode": 0}}},
                {"name": "c", "state": {"terminated": {"exitCode": code}}}]}})
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let codes = |action: &str, operator: &str, values: &[i64], container: &Value| {
            json!({"action": action, "onExitCodes": {"operator": operator, "values": values,
                "containerName": container}})
        };
        let disrupted = |status: &str| json!({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": status}]});
        let told = "Container c for pod a/p failed with exit code 3 matching FailJob rule at index 0";
        let told = Some(Action::FailJob(told.to_owned()));
        let none = Value::Null;
        for (rules, expected) in [
            (json!([codes("FailJob", "In", &[2, 3], &none)]), told),
            (json!([codes("FailJob", "In", &[2], &none)]), None),
            (json!([codes("FailIndex", "NotIn", &[2], &none)]), Some(Action::FailIndex)),
            (json!([codes("Count", "NotIn", &[3], &none)]), None),
            (json!([codes("Count", "In", &[3], &json!("side"))]), None),
            (json!([codes("Count", "In", &[3], &json!("c")), disrupted("True")]), Some(Action::Count)),
            (json!([disrupted("False"), disrupted("True")]), Some(Action::Ignore)),
        ] {
            let spec = json!({"completionMode": "Indexed", "backoffLimitPerIndex": 1,
                "podFailurePolicy": {"rules": rules}});
            let job = json!({ "spec": spec });
            let of = |release| Policy::of(&job, release).action(&failed_with(3));
            assert_eq!(of(Release::default()), expected, "{rules}");
            assert_eq!(of(Release::minor(25)), None, "a gate that is closed");
        }
    }

    #[test]
    fn enough_successes_are_told_by_numbers_or_by_their_count() {
        for (rules, expected) in [
            (json!([{"succeededIndexes": "0,2-3"}]), None),
            (json!([{"succeededIndexes": "0-1"}]), Some(0)),
            (json!([{"succeededIndexes": "x"}, {"succeededIndexes": "1-9", "succeededCount": 2}]), Some(1)),
            (json!([{"succeededIndexes": "2-9", "succeededCount": 2}]), None),
            (json!([{"succeededCount": 4}, {"succeededCount": 3}]), Some(1)),
        ] {
            let job = json!({"spec": {"successPolicy": {"rules": rules}}});
            let message = expected.map(|n| format!("Matched rules at index {n}"));
            let succeeded = BTreeSet::from([0, 1, 2]);
            assert_eq!(Policy::of(&job, Release::minor(31)).succeeds(5, &succeeded), message, "{rules}");
            assert_eq!(Policy::of(&job, Release::minor(30)).succeeds(5, &succeeded), None);
        }
    }

    #[test]
    fn pods_on_their_way_out_have_failed_unless_they_are_waited_for() {
        let pod = json!({"metadata": {"deletionTimestamp": "2026-11-22T20:00:00Z"}, "spec": {"nodeName": "n"},
            "status": {"phase": "Running"}});
        for (spec, expected) in [
            (json!({"podReplacementPolicy": "TerminatingOrFailed"}), true),
            (json!({"podReplacementPolicy": "Failed"}), false),
            (json!({"podFailurePolicy": {"rules": []}}), false),
        ] {
            let job = json!({ "spec": spec });
            assert_eq!(Policy::of(&job, Release::default()).failed(&pod), expected);
            assert!(Policy::of(&job, Release::minor(20)).failed(&pod));
        }
    }
}
