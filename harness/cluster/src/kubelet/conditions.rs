//! A pod's phase and conditions, from the state of its containers.

use serde_json::{Value, json};

use super::{
    container::{Ended, Slot},
    restart,
    status::View,
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

    /// Holds when nobody is left who is not as all should be.
    fn all(reason: &'static str, what: &str, left: &[&str]) -> Self {
        if left.is_empty() {
            return Self::plain(true);
        }
        let message = format!("containers with {what} status: [{}]", left.join(" "));
        Self { holds: false, reason: Some(reason), message: Some(message) }
    }
}

impl View<'_> {
    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    pub(super) fn phase(&self, spec: &Value) -> &'static str {
        if self.worker.overdue {
            return "Failed";
        }
        let policy = restart::policy_of(spec);
        let list = |list: &str| spec[list].as_array().map(Vec::as_slice).unwrap_or_default();
        let init = list("initContainers");
        let failed = |container: &Value| {
            let ended = self.slot(container).and_then(Slot::ended).map(|(_, ended)| ended);
            let ended = ended.filter(|ended| ended.code != 0);
            ended.is_some_and(|ended| !restart::is_restarted(container, "initContainers", policy, ended))
        };
        if init.iter().any(failed) {
            return "Failed";
        }
        if !self.incomplete(spec).is_empty() {
            return "Pending";
        }
        let mut counts = Counts::default();
        for container in list("containers") {
            let again = |ended: &Ended| restart::is_restarted(container, "containers", policy, ended);
            counts.add(self.slot(container), again);
        }
        // Those that stay beside the others keep the pod running, but how they ended does not matter.
        for container in init.iter().filter(|c| restart::is_sidecar(c)) {
            counts.running += u32::from(self.slot(container).and_then(Slot::running).is_some());
        }
        match counts {
            Counts { waiting: 1.., .. } => "Pending",
            Counts { running: 1.., .. } => "Running",
            Counts { stopped: 0, .. } => "Pending",
            Counts { again: 1.., .. } if !self.worker.terminal => "Running",
            Counts { failed: 0, .. } => "Succeeded",
            _ => "Failed",
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
        let phase = self.phase(spec);
        match kind {
            "PodReadyToStartContainers" => {
                let over = matches!(phase, "Succeeded" | "Failed");
                Verdict::plain(self.worker.sandbox.as_ref().is_some_and(|s| s.ready) && !over)
            }
            "Initialized" if phase == "Succeeded" => {
                Verdict { reason: Some("PodCompleted"), ..Verdict::plain(true) }
            }
            "Initialized" => Verdict::all("ContainersNotInitialized", "incomplete", &self.incomplete(spec)),
            "Ready" | "ContainersReady" => match phase {
                "Succeeded" => Verdict { reason: Some("PodCompleted"), ..Verdict::plain(false) },
                "Failed" if self.dialect.pods.failed_reason => {
                    Verdict { reason: Some("PodFailed"), ..Verdict::plain(false) }
                }
                _ => Verdict::all("ContainersNotReady", "unready", &self.unready(spec)),
            },
            _ => Verdict::plain(true),
        }
    }

    /// The names of the init containers that the others still wait for: those that have not ended well, and those that
    /// stay beside the others and do not run (`GeneratePodInitializedCondition` of the kubelet). Once one of the others
    /// has started nobody waits any more.
    fn incomplete<'v>(&self, spec: &'v Value) -> Vec<&'v str> {
        let list = |list: &str| spec[list].as_array().map(Vec::as_slice).unwrap_or_default();
        let started = |c: &Value| self.slot(c).is_some_and(|slot| slot.started() > 0);
        if list("containers").iter().any(started) {
            return Vec::new();
        }
        let complete = |container: &Value| match self.slot(container) {
            Some(slot) if restart::is_sidecar(container) => slot.running().is_some(),
            _ => self.is_ready(container, true),
        };
        let init = spec["initContainers"].as_array().into_iter().flatten();
        init.filter(|c| !complete(c)).filter_map(|c| c["name"].as_str()).collect()
    }

    /// The names of the containers that do not serve: first those that stay beside the others
    /// (`GenerateContainersReadyCondition` of the kubelet).
    fn unready<'v>(&self, spec: &'v Value) -> Vec<&'v str> {
        let list = |list: &str| spec[list].as_array().into_iter().flatten();
        let all = list("initContainers").filter(|c| restart::is_sidecar(c)).chain(list("containers"));
        all.filter(|c| !self.is_ready(c, false)).filter_map(|c| c["name"].as_str()).collect()
    }
}

#[derive(Default)]
struct Counts {
    waiting: u32,
    running: u32,
    stopped: u32,
    failed: u32,
    /// How many of those that have stopped are to be started again.
    again: u32,
}

impl Counts {
    fn add(&mut self, slot: Option<&Slot>, again: impl Fn(&Ended) -> bool) {
        let ended = slot.and_then(Slot::ended).map(|(_, ended)| ended);
        let before = slot.and_then(|s| s.last.as_ref()).and_then(|c| c.ended.as_ref());
        match (slot.and_then(Slot::running), ended.or(before)) {
            (Some(_), _) => self.running += 1,
            // It ran when the kubelet ended, and is about to run again.
            (None, Some(before)) if ended.is_none() && before.unseen => self.running += 1,
            (None, Some(ended)) => {
                self.stopped += 1;
                self.failed += u32::from(ended.code != 0);
                self.again += u32::from(again(ended));
            }
            (None, None) => self.waiting += 1,
        }
    }
}
