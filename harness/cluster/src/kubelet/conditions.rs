//! A pod's phase and conditions, from the state of its containers.

use serde_json::{Value, json};

use super::{
    container::Slot,
    restart,
    status::{View, has_any},
};

/// What a condition says, besides when it came to say so.
struct Verdict {
    holds: bool,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Verdict {
    fn plain(holds: bool) -> Self {
        Self { holds, reason: None, message: None }
    }
}

impl View<'_> {
    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    pub(super) fn phase(&self, spec: &Value) -> &'static str {
        if self.worker.overdue {
            return "Failed";
        }
        let restarts = restart::policy_of(spec);
        let init = spec["initContainers"].as_array().into_iter().flatten();
        let failed = |slot: &Slot| slot.ended().is_some_and(|(_, ended)| ended.code != 0);
        if restarts == "Never"
            && init.filter(|c| !restart::is_sidecar(c)).filter_map(|c| self.slot(c)).any(failed)
        {
            return "Failed";
        }
        if !self.unready(spec, "initContainers").is_empty() {
            return "Pending";
        }
        let mut counts = Counts::default();
        for container in spec["containers"].as_array().into_iter().flatten() {
            counts.add(self.slot(container));
        }
        match counts {
            Counts { waiting: 1.., .. } => "Pending",
            Counts { running: 1.., .. } => "Running",
            Counts { stopped: 0, .. } => "Pending",
            Counts { failed, .. } if self.worker.terminal => {
                if failed == 0 {
                    "Succeeded"
                } else {
                    "Failed"
                }
            }
            _ if restarts == "Always" => "Running",
            Counts { failed: 0, .. } => "Succeeded",
            _ if restarts == "Never" => "Failed",
            _ => "Running",
        }
    }

    /// The conditions in their order, then those of others. One that says what it said keeps its time.
    pub(super) fn conditions(&self, pod: &Value) -> Value {
        let present = pod["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ours = &self.dialect.pods.conditions;
        let mut all: Vec<Value> = ours.iter().map(|kind| self.condition(pod, present, kind)).collect();
        let foreign = |c: &&Value| ours.iter().all(|kind| c["type"] != kind.as_str());
        all.extend(present.iter().filter(foreign).cloned());
        json!(all)
    }

    fn condition(&self, pod: &Value, present: &[Value], kind: &str) -> Value {
        let verdict = self.verdict(&pod["spec"], kind);
        let before = present.iter().find(|c| c["type"] == kind);
        let status = if verdict.holds { "True" } else { "False" };
        let unchanged = before.filter(|c| c["status"] == status).map(|c| c["lastTransitionTime"].clone());
        let mut condition = json!({
            "type": kind,
            "status": status,
            "lastProbeTime": null,
            "lastTransitionTime": unchanged.unwrap_or_else(|| json!(self.time(self.clock.now()))),
        });
        if self.dialect.pods.observed_generation {
            condition["observedGeneration"] = pod["metadata"]["generation"].clone();
        }
        if let Some(reason) = verdict.reason {
            condition["reason"] = json!(reason);
        }
        if let Some(message) = verdict.message {
            condition["message"] = json!(message);
        }
        condition
    }

    fn verdict(&self, spec: &Value, kind: &str) -> Verdict {
        let over = matches!(self.phase(spec), "Succeeded" | "Failed");
        match kind {
            "PodReadyToStartContainers" => {
                Verdict::plain(self.worker.sandbox.as_ref().is_some_and(|s| s.ready) && !over)
            }
            "Initialized" => {
                let incomplete = self.unready(spec, "initContainers");
                let reason = over.then_some("PodCompleted");
                if incomplete.is_empty() || over {
                    return Verdict { reason, ..Verdict::plain(true) };
                }
                let message = format!("containers with incomplete status: [{}]", incomplete.join(" "));
                Verdict { holds: false, reason: Some("ContainersNotInitialized"), message: Some(message) }
            }
            "Ready" | "ContainersReady" => {
                if over {
                    return Verdict { reason: Some("PodCompleted"), ..Verdict::plain(false) };
                }
                let unready = self.unready(spec, "containers");
                if unready.is_empty() {
                    return Verdict::plain(true);
                }
                let message = format!("containers with unready status: [{}]", unready.join(" "));
                Verdict { holds: false, reason: Some("ContainersNotReady"), message: Some(message) }
            }
            _ => Verdict::plain(true),
        }
    }

    /// The names of a list's containers that are not as they should be.
    fn unready<'v>(&self, spec: &'v Value, list: &str) -> Vec<&'v str> {
        if !has_any(spec, list) {
            return Vec::new();
        }
        let init = list == "initContainers";
        let all = spec[list].as_array().into_iter().flatten();
        all.filter(|c| !self.is_ready(c, init)).filter_map(|c| c["name"].as_str()).collect()
    }
}

#[derive(Default)]
struct Counts {
    waiting: u32,
    running: u32,
    stopped: u32,
    failed: u32,
}

impl Counts {
    fn add(&mut self, slot: Option<&Slot>) {
        let ended = slot.and_then(Slot::ended).map(|(_, ended)| ended.code);
        let before = slot.and_then(|s| s.last.as_ref()).and_then(|c| c.ended.as_ref()).map(|e| e.code);
        match (slot.and_then(Slot::running), ended.or(before)) {
            (Some(_), _) => self.running += 1,
            (None, Some(code)) => {
                self.stopped += 1;
                self.failed += u32::from(code != 0);
            }
            (None, None) => self.waiting += 1,
        }
    }
}
