//! Containers that have ended: which of them are started again, and when.
//!
//! The first restart follows at once, later ones back off as pulls do; see `backoff`. What starting means is `sync`'s.

use pulldrill_clock::SignedDuration;
use serde_json::Value;

use super::{
    Kubelet,
    backoff::Backoff,
    container::Ended,
    worker::{Sync, Todo, Waiting, Worker, full_name},
};
use crate::{dialect::Text, puller::words, recorder::Kind};

/// Why a container waits that has ended too often.
const CRASH_LOOP: &str = "CrashLoopBackOff";

/// Whether an init container is to run all along beside the others (a "sidecar").
pub(super) fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

/// Whether a container that has ended so is started again: one of its own rules says so, or its own restart policy, or
/// else the one of its pod (`ContainerShouldRestart` of Kubernetes).
fn restarts(container: &Value, policy: &str, ended: &Ended) -> bool {
    let own = container["restartPolicy"].as_str();
    let mut rules = container["restartPolicyRules"].as_array().into_iter().flatten();
    if own.is_some()
        && rules.find(|rule| matches(rule, ended)).is_some_and(|rule| rule["action"] == "Restart")
    {
        return true;
    }
    match own.unwrap_or(policy) {
        "Never" => false,
        "OnFailure" => ended.code != 0,
        _ => true,
    }
}

/// Whether a restart rule is about such an end.
fn matches(rule: &Value, ended: &Ended) -> bool {
    let codes = &rule["exitCodes"];
    let mut values = codes["values"].as_array().into_iter().flatten();
    let named = values.any(|code| code.as_i64() == Some(i64::from(ended.code)));
    match codes["operator"].as_str() {
        Some("In") => named,
        Some("NotIn") => !named,
        _ => false,
    }
}

/// The restart policy of a pod.
pub(super) fn policy_of(spec: &Value) -> &str {
    spec["restartPolicy"].as_str().unwrap_or("Always")
}

/// Whether a container of such a list of a pod is started again after it has ended so.
pub(super) fn is_restarted(container: &Value, list: &str, policy: &str, ended: &Ended) -> bool {
    match list {
        "ephemeralContainers" => false,
        "initContainers" => is_sidecar(container) || ended.code != 0 && restarts(container, policy, ended),
        _ => restarts(container, policy, ended),
    }
}

impl Todo {
    /// Whether it is started again after it has ended so.
    pub(super) fn restarts(&self, policy: &str, ended: &Ended) -> bool {
        is_restarted(&self.container, self.list, policy, ended)
    }
}

impl Kubelet {
    /// Why a container that has ended is not started again yet; says so in an event.
    pub(super) fn crash_loop(&self, worker: &mut Worker, sync: &Sync, todo: &Todo) -> Option<Waiting> {
        let ended = worker.slot(&todo.name).ended().map(|(_, ended)| ended.at)?;
        let now = self.clock.now();
        // A changed container is another one, which has not failed yet.
        let key = (todo.name.clone(), todo.image.clone());
        let before = worker.restarts.get(&key).copied();
        let Some(holding) = before.filter(|backoff| backoff.holds_since(ended, now)) else {
            worker.restarts.insert(key, Backoff::restarted(before, ended, now));
            return None;
        };
        let pod = full_name(sync.pod.value());
        let wait = words::duration(SignedDuration::from_secs(holding.wait.as_secs()));
        let values = [("container", todo.name.as_str()), ("pod", pod.as_str()), ("wait", wait.as_str())];
        let path = todo.field_path();
        let message = self.dialect.text(Text::CrashBackOff, &values);
        self.recorder.event(sync.pod.value(), Some(&path), Kind::Warning, "BackOff", &message);
        let message = self.dialect.text(Text::CrashBackOffWaiting, &values);
        Some(Waiting { reason: CRASH_LOOP.to_owned(), message })
    }
}
