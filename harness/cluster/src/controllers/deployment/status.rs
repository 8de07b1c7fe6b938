//! The status of a Deployment: counters, conditions, and the deadline of its progress.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Rollout, available, desired, rolling::Limits};
use crate::{
    api::Status,
    controllers::{
        json::{condition, counters, int, items, text, time},
        meta::name,
    },
};

const AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";

/// The condition Progressing: its status and reason.
#[derive(Clone, Copy)]
pub(super) enum Progress {
    True(&'static str),
    False(&'static str),
    Unknown(&'static str),
}

impl Progress {
    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::True(reason) => ("True", reason),
            Self::False(reason) => ("False", reason),
            Self::Unknown(reason) => ("Unknown", reason),
        }
    }
}

impl Rollout<'_> {
    /// Counters and the condition Available; other conditions stay.
    fn counted(&self, new: Option<usize>) -> Value {
        let updated = new.map_or(0, |index| int(&self.sets[index]["status"]["replicas"]));
        let available = self.sum(available);
        let mut status = Value::Object(counters([
            ("observedGeneration", int(&self.deployment["metadata"]["generation"])),
            ("replicas", self.sum(|set| int(&set["status"]["replicas"]))),
            ("updatedReplicas", updated),
            ("readyReplicas", self.sum(|set| int(&set["status"]["readyReplicas"]))),
            ("availableReplicas", available),
            ("unavailableReplicas", (self.sum(desired) - available).max(0)),
            ("collisionCount", int(&self.deployment["status"]["collisionCount"])),
        ]));
        if self.deps.wording.terminating_replicas {
            status["terminatingReplicas"] = self.sum(|set| int(&set["status"]["terminatingReplicas"])).into();
        }
        status["conditions"] = items(&self.deployment["status"]["conditions"]).to_vec().into();
        let (word, reason, message) = if available >= Limits::of(&self.deployment).least_available() {
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        };
        self.set_condition(&mut status, "Available", word, reason, message);
        status
    }

    /// Sets a condition as real controllers do: the same status and reason is no change; a changed one
    /// moves to the end of the list, and keeps its transition time while its status stays.
    fn set_condition(&self, status: &mut Value, kind: &str, word: &str, reason: &str, message: &str) {
        let now = self.deps.stamp();
        let current = items(&status["conditions"]).iter().find(|c| c["type"] == kind).cloned();
        let mut since = now.clone();
        if let Some(current) = &current
            && current["status"] == word
        {
            if current["reason"] == reason {
                return;
            }
            text(&current["lastTransitionTime"]).clone_into(&mut since);
        }
        drop_condition(status, kind);
        if let Some(conditions) = status["conditions"].as_array_mut() {
            conditions.push(json!({"type": kind, "status": word, "reason": reason, "message": message,
                "lastUpdateTime": now, "lastTransitionTime": since}));
        }
    }

    fn has_deadline(&self) -> bool {
        // The API fills in 600; its maximum means none.
        self.deadline().as_secs() != i64::from(i32::MAX)
    }

    fn deadline(&self) -> SignedDuration {
        let seconds = self.deployment["spec"]["progressDeadlineSeconds"].as_i64().unwrap_or(600);
        SignedDuration::from_secs(seconds)
    }

    /// Writes the condition Progressing, and nothing else.
    pub(super) fn write_progress(&mut self, progress: Progress, message: &str) -> Result<(), Status> {
        if !self.has_deadline() {
            return Ok(());
        }
        let mut status = self.deployment["status"].clone();
        if !status["conditions"].is_array() {
            status["conditions"] = json!([]);
        }
        let (word, reason) = progress.parts();
        self.set_condition(&mut status, "Progressing", word, reason, message);
        self.write_status(&status)
    }

    /// A paused Deployment says so, and makes no progress that could be late.
    pub(super) fn note_pause(&mut self) -> Result<(), Status> {
        let reason = condition(&self.deployment, "Progressing").map(|c| text(&c["reason"]).to_owned());
        if reason.as_deref() == Some(TIMED_OUT) {
            return Ok(());
        }
        let noted = reason.as_deref() == Some(PAUSED);
        match (self.paused(), noted) {
            (true, false) => self.write_progress(Progress::Unknown(PAUSED), "Deployment is paused"),
            (false, true) => {
                self.write_progress(Progress::Unknown("DeploymentResumed"), "Deployment is resumed")
            }
            _ => Ok(()),
        }
    }

    /// Counters only: nothing is said about progress.
    pub(super) fn write_counters(&mut self) -> Result<(), Status> {
        let status = self.counted(self.new_index());
        self.write_status(&status)
    }

    /// Whether a status says that the rollout is done.
    pub(super) fn complete(&self, status: &Value) -> bool {
        let replicas = self.replicas();
        ["updatedReplicas", "replicas", "availableReplicas"]
            .iter()
            .all(|field| int(&status[*field]) == replicas)
            && int(&status["observedGeneration"]) >= int(&self.deployment["metadata"]["generation"])
    }

    /// Counters and what has become of the rollout.
    pub(super) fn write_rollout_status(&mut self, new: Option<usize>) -> Result<(), Status> {
        let mut status = self.counted(new);
        if self.has_deadline() {
            self.judge_progress(&mut status, new);
        } else {
            drop_condition(&mut status, "Progressing");
        }
        self.copy_failure(&mut status, new);
        self.write_status(&status)
    }

    fn judge_progress(&self, status: &mut Value, new: Option<usize>) {
        let current = condition(&self.deployment, "Progressing").cloned();
        let reason = current.as_ref().map(|c| text(&c["reason"]).to_owned()).unwrap_or_default();
        if int(&status["replicas"]) == int(&status["updatedReplicas"]) && reason == AVAILABLE {
            return;
        }
        let subject = match new {
            Some(index) => format!("ReplicaSet \"{}\"", name(&self.sets[index])),
            None => format!("Deployment \"{}\"", name(&self.deployment)),
        };
        if self.complete(status) {
            let message = format!("{subject} has successfully progressed.");
            self.set_condition(status, "Progressing", "True", AVAILABLE, &message);
        } else if self.progressed(status) {
            let message = format!("{subject} is progressing.");
            self.renew_progress(status, current.as_ref(), &message);
        } else if self.timed_out(status) {
            let message = format!("{subject} has timed out progressing.");
            self.set_condition(status, "Progressing", "False", TIMED_OUT, &message);
        }
    }

    /// Progress always renews the update time, which the deadline counts from.
    fn renew_progress(&self, status: &mut Value, current: Option<&Value>, message: &str) {
        drop_condition(status, "Progressing");
        self.set_condition(status, "Progressing", "True", "ReplicaSetUpdated", message);
        if let Some(current) = current.filter(|c| c["status"] == "True")
            && let Some(renewed) = status["conditions"].as_array_mut().and_then(|list| list.last_mut())
        {
            renewed["lastTransitionTime"] = current["lastTransitionTime"].clone();
        }
    }

    fn progressed(&self, status: &Value) -> bool {
        let before = &self.deployment["status"];
        let old = |s: &Value| int(&s["replicas"]) - int(&s["updatedReplicas"]);
        let rose = |field: &str| int(&status[field]) > int(&before[field]);
        rose("updatedReplicas")
            || rose("readyReplicas")
            || rose("availableReplicas")
            || old(status) < old(before)
    }

    fn timed_out(&self, status: &Value) -> bool {
        let Some(current) = items(&status["conditions"]).iter().find(|c| c["type"] == "Progressing") else {
            return false;
        };
        match text(&current["reason"]) {
            AVAILABLE => false,
            TIMED_OUT => true,
            _ => time(&current["lastUpdateTime"]).is_some_and(|at| at + self.deadline() < self.deps.now()),
        }
    }

    /// How long to wait until the deadline is worth a look: a second more than is left of it.
    pub(super) fn time_to_deadline(&self) -> Option<SignedDuration> {
        let current = condition(&self.deployment, "Progressing")?;
        let reason = text(&current["reason"]);
        if !self.has_deadline() || self.paused() || matches!(reason, TIMED_OUT | PAUSED) {
            return None;
        }
        if self.complete(&self.deployment["status"]) {
            return None;
        }
        let due = time(&current["lastUpdateTime"])? + self.deadline();
        let left = due.duration_since(self.deps.now()).max(SignedDuration::ZERO);
        Some(left + SignedDuration::from_secs(1))
    }

    /// A ReplicaSet that cannot make pods makes the Deployment say so.
    fn copy_failure(&self, status: &mut Value, new: Option<usize>) {
        let newest_first = new.into_iter().chain((0..self.sets.len()).filter(|index| Some(*index) != new));
        let failure = newest_first.filter_map(|index| condition(&self.sets[index], "ReplicaFailure")).next();
        match failure {
            Some(failure) => {
                let (word, reason) = (text(&failure["status"]), text(&failure["reason"]));
                self.set_condition(status, "ReplicaFailure", word, reason, text(&failure["message"]));
            }
            None => drop_condition(status, "ReplicaFailure"),
        }
    }
}

fn drop_condition(status: &mut Value, kind: &str) {
    if let Some(conditions) = status["conditions"].as_array_mut() {
        conditions.retain(|c| c["type"] != kind);
    }
}
