//! When a Job is over, and how.

use serde_json::Value;

use super::{View, indexed};
use crate::controllers::json::{condition, int, items, text, time};

/// How a Job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Whether it has succeeded.
    pub(super) good: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl End {
    fn good(reason: &str, message: impl Into<String>) -> Self {
        Self { good: true, reason: reason.to_owned(), message: message.into() }
    }

    fn bad(reason: &str, message: impl Into<String>) -> Self {
        Self { good: false, reason: reason.to_owned(), message: message.into() }
    }

    /// The types of its conditions: what is announced first, and the last word.
    pub(super) fn conditions(&self) -> (&'static str, &'static str) {
        if self.good { ("SuccessCriteriaMet", "Complete") } else { ("FailureTarget", "Failed") }
    }
}

/// The end that has been told of, while its last word is not spoken.
pub(super) fn announced(job: &Value) -> Option<End> {
    let told = |kind: &str| condition(job, kind).filter(|c| c["status"] == "True");
    let of =
        |end: fn(&str, String) -> End, c: &Value| end(text(&c["reason"]), text(&c["message"]).to_owned());
    told("SuccessCriteriaMet")
        .map(|c| of(End::good, c))
        .or_else(|| told("FailureTarget").map(|c| of(End::bad, c)))
}

impl View<'_> {
    /// How the Job ends, if it does now.
    pub(super) fn end(&self) -> Option<End> {
        announced(self.job).or_else(|| self.failure()).or_else(|| self.success())
    }

    fn failure(&self) -> Option<End> {
        if let Some(message) = self.policy.fails_job(self.pods) {
            return Some(End::bad("PodFailurePolicy", message));
        }
        let spec = &self.job["spec"];
        let limit = spec["backoffLimit"].as_i64().unwrap_or(6);
        let restarting = text(&spec["template"]["spec"]["restartPolicy"]) == "OnFailure";
        let restarts = if restarting { self.restarts() } else { 0 };
        if self.tally.failed() > limit || restarts > 0 && restarts >= limit {
            return Some(End::bad("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
        }
        if self.late() {
            return Some(End::bad("DeadlineExceeded", "Job was active longer than specified deadline"));
        }
        let failed = i64::try_from(self.tally.failed_indexes.as_ref()?.len()).unwrap_or(i64::MAX);
        if spec["maxFailedIndexes"].as_i64().is_some_and(|most| failed > most) {
            let message = "Job has exceeded the specified maximal number of failed indexes";
            return Some(End::bad("MaxFailedIndexesExceeded", message));
        }
        let all = failed > 0 && failed + self.succeeded() >= int(&spec["completions"]);
        all.then(|| End::bad("FailedIndexes", "Job has failed indexes"))
    }

    fn success(&self) -> Option<End> {
        let completions = self.job["spec"]["completions"].as_i64();
        if indexed::is_indexed(self.job)
            && let Some(message) = self.policy.succeeds(completions.unwrap_or(0), &self.tally.indexes)
        {
            return Some(End::good("SuccessPolicy", message));
        }
        let done = match completions {
            Some(completions) => self.succeeded() >= completions,
            None => self.succeeded() > 0 && self.active().next().is_none(),
        };
        done.then(|| End::good("CompletionsReached", "Reached expected number of succeeded pods"))
    }

    fn restarts(&self) -> i64 {
        let lists = self.pods.iter().flat_map(|pod| items(&pod["status"]["containerStatuses"]));
        lists.map(|container| int(&container["restartCount"])).sum()
    }

    fn late(&self) -> bool {
        let allowed = self.job["spec"]["activeDeadlineSeconds"].as_i64();
        let started = time(&self.job["status"]["startTime"]);
        allowed.zip(started).is_some_and(|(allowed, started)| {
            !self.suspended() && self.deps.now().duration_since(started).as_secs() >= allowed
        })
    }

    /// Tells of the end.
    pub(super) fn announce(&self, end: &End) {
        if end.good {
            self.deps.normal(self.job, "Completed", "Job completed");
        } else {
            self.deps.warning(self.job, &end.reason, &end.message);
        }
    }
}
