//! The status of a Job.

use serde_json::{Value, json};

use super::{View, end::End, indexed, pods};
use crate::controllers::json::{condition, counters, items};

impl View<'_> {
    /// The status as of the start of this look, and with the end if that has come.
    pub(super) fn status(&self, end: Option<&End>) -> Value {
        let modern = self.deps.wording.job_criteria;
        let stopping = end.is_some() || self.suspended();
        let active = if stopping { 0 } else { self.active().count() };
        let (succeeded, mut failed) = self.tally.counted(indexed::is_indexed(self.job));
        let stopped = if stopping { i64::try_from(self.active().count()).unwrap_or(0) } else { 0 };
        // Where pods are not tracked to their end, those that are stopped have failed at once.
        if !modern && end.is_some_and(|end| !end.good) {
            failed += stopped;
        }
        let mut status = Value::Object(counters([
            ("active", i64::try_from(active).unwrap_or(0)),
            ("succeeded", succeeded),
            ("failed", failed),
        ]));
        if indexed::is_indexed(self.job) && !self.tally.indexes.is_empty() {
            status["completedIndexes"] = indexed::ranges(&self.tally.indexes).into();
        }
        if let Some(failed) = &self.tally.failed_indexes {
            status["failedIndexes"] = indexed::ranges(failed).into();
        }
        let terminating = i64::try_from(self.leaving().count()).unwrap_or(0) + stopped;
        if modern {
            let ready = self.active().filter(|pod| !stopping && pods::ready(pod)).count();
            status["ready"] = ready.into();
            status["terminating"] = terminating.into();
            status["uncountedTerminatedPods"] = self.tally.uncounted();
        }
        if let Some(start) = self.start() {
            status["startTime"] = start;
        }
        let mut conditions = items(&self.job["status"]["conditions"]).to_vec();
        self.note_suspension(&mut conditions);
        if let Some(end) = end {
            let (first, last) = end.conditions();
            if modern {
                self.add(&mut conditions, first, &end.reason, &end.message);
            }
            // The last word is spoken when no pod is left to change it, and all have been counted.
            if terminating == 0 && self.tally.complete() || !modern {
                let (reason, message) =
                    if modern || !end.good { (&*end.reason, &*end.message) } else { ("", "") };
                self.add(&mut conditions, last, reason, message);
                if end.good {
                    status["completionTime"] = self.deps.stamp().into();
                }
            }
        }
        if !conditions.is_empty() {
            status["conditions"] = conditions.into();
        }
        status
    }

    fn start(&self) -> Option<Value> {
        let known = &self.job["status"]["startTime"];
        match (self.suspended(), known.is_string()) {
            (true, _) => None,
            (false, true) => Some(known.clone()),
            (false, false) => Some(self.deps.stamp().into()),
        }
    }

    fn note_suspension(&self, conditions: &mut Vec<Value>) {
        let noted = condition(self.job, "Suspended").is_some_and(|c| c["status"] == "True");
        let (word, reason, message) = match (self.suspended(), noted) {
            (true, false) => ("True", "JobSuspended", "Job suspended"),
            (false, true) => ("False", "JobResumed", "Job resumed"),
            _ => return,
        };
        conditions.retain(|c| c["type"] != "Suspended");
        self.add(conditions, "Suspended", reason, message);
        if let Some(added) = conditions.last_mut() {
            added["status"] = word.into();
        }
        self.deps.normal(self.job, reason.trim_start_matches("Job"), message);
    }

    fn add(&self, conditions: &mut Vec<Value>, kind: &str, reason: &str, message: &str) {
        if conditions.iter().any(|c| c["type"] == kind) {
            return;
        }
        let now = self.deps.stamp();
        let mut condition =
            json!({"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now});
        if !reason.is_empty() {
            condition["reason"] = reason.into();
            condition["message"] = message.into();
        }
        conditions.push(condition);
    }
}
