//! When a Job is over, and how.

use serde_json::Value;

use super::View;
use crate::controllers::json::{int, text, time};

/// How a Job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Enough pods have succeeded.
    Complete,
    /// Too many have failed.
    BackoffLimit,
    /// It took too long.
    Deadline,
}

impl End {
    /// The types of its conditions (what is announced first, and the last word), reason and message.
    pub(super) fn words(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Complete => (
                "SuccessCriteriaMet",
                "Complete",
                "CompletionsReached",
                "Reached expected number of succeeded pods",
            ),
            Self::BackoffLimit => (
                "FailureTarget",
                "Failed",
                "BackoffLimitExceeded",
                "Job has reached the specified backoff limit",
            ),
            Self::Deadline => (
                "FailureTarget",
                "Failed",
                "DeadlineExceeded",
                "Job was active longer than specified deadline",
            ),
        }
    }
}

impl View<'_> {
    /// How the Job ends, if it does now.
    pub(super) fn end(&self) -> Option<End> {
        let spec = &self.job["spec"];
        let limit = spec["backoffLimit"].as_i64().unwrap_or(6);
        let failed = i64::try_from(self.history.failed.len()).unwrap_or(i64::MAX);
        let restarting = text(&spec["template"]["spec"]["restartPolicy"]) == "OnFailure";
        if failed > limit || restarting && self.restarts() > 0 && self.restarts() >= limit {
            return Some(End::BackoffLimit);
        }
        if self.late() {
            return Some(End::Deadline);
        }
        let done = match spec["completions"].as_i64() {
            Some(completions) => self.succeeded() >= completions,
            None => self.succeeded() > 0 && self.active().next().is_none(),
        };
        done.then_some(End::Complete)
    }

    fn late(&self) -> bool {
        let allowed = self.job["spec"]["activeDeadlineSeconds"].as_i64();
        let started = time(&self.job["status"]["startTime"]);
        allowed.zip(started).is_some_and(|(allowed, started)| {
            !self.suspended() && self.deps.now().duration_since(started).as_secs() >= allowed
        })
    }

    /// Tells of the end.
    pub(super) fn announce(&self, end: Option<&End>) {
        match end {
            Some(End::Complete) => self.deps.normal(self.job, "Completed", "Job completed"),
            Some(end) => {
                let (_, _, reason, message) = end.words();
                self.deps.warning(self.job, reason, message);
            }
            None => {}
        }
    }

    /// Whether pods are still on their way out.
    pub(super) fn ending_pods(&self) -> i64 {
        let ending = |pod: &&Value| super::deleting(pod) && !super::pods::ended(pod);
        i64::try_from(self.pods.iter().filter(ending).count()).unwrap_or(0)
    }

    /// The generation that the status is about is not shown for Jobs; their number of failures is.
    pub(super) fn failed(&self) -> i64 {
        int(&self.job["status"]["failed"]).max(i64::try_from(self.history.failed.len()).unwrap_or(0))
    }
}
