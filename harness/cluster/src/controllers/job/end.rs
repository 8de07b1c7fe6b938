//! When a Job is over, and how.

use serde_json::Value;

use super::View;
use crate::controllers::json::{condition, text, time};

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
        if let Some(announced) = self.announced() {
            return Some(announced);
        }
        let spec = &self.job["spec"];
        let limit = spec["backoffLimit"].as_i64().unwrap_or(6);
        let failed = self.tally.failed();
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

    /// The end that has been told of, while its last word is not spoken.
    fn announced(&self) -> Option<End> {
        [End::Complete, End::BackoffLimit, End::Deadline].into_iter().find(|end| {
            let (first, _, reason, _) = end.words();
            condition(self.job, first).is_some_and(|c| c["status"] == "True" && c["reason"] == reason)
        })
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
}
