//! The Jobs that a CronJob has started: which run, which have ended, which are forgotten.

use serde_json::{Value, json};

use super::{JOBS, View, finished};
use crate::{
    api::Status,
    controllers::{
        json::{condition, items, text, time},
        meta::{name, uid},
    },
};

impl View<'_> {
    /// Takes Jobs that have ended off the list of active ones, and tells of them; also of those that run and are not on
    /// the list, such as those that somebody has made by hand.
    pub(super) fn settle_active(&mut self) {
        let mut active = items(&self.status["active"]).to_vec();
        for job in self.jobs.iter().filter(|job| finished(job).is_none() && !self.is_active(job)) {
            let message = format!("Saw a job that the controller did not create or forgot: {}", name(job));
            self.deps.warning(self.cron, "UnexpectedJob", &message);
        }
        active.retain(|reference| {
            let Some(job) = self.jobs.iter().find(|job| reference["uid"] == uid(job)) else {
                let message = format!("Active job went missing: {}", text(&reference["name"]));
                self.deps.normal(self.cron, "MissingJob", &message);
                return false;
            };
            if finished(job).is_none() {
                return true;
            }
            let end = if succeeded(job) { "Complete" } else { "Failed" };
            let message =
                format!("Saw completed job: {}, {}: {end}", name(job), self.deps.wording.cron_state);
            self.deps.normal(self.cron, "SawCompletedJob", &message);
            false
        });
        if let Some(status) = self.status.as_object_mut() {
            if active.is_empty() {
                status.remove("active")
            } else {
                status.insert("active".into(), json!(active))
            };
        }
        if self.deps.wording.cron_stamps {
            let ends =
                self.jobs.iter().filter(|job| succeeded(job)).map(|job| &job["status"]["completionTime"]);
            if let Some(latest) = ends.filter(|end| end.is_string()).max_by_key(|end| time(end)) {
                self.status["lastSuccessfulTime"] = latest.clone();
            }
        }
    }

    /// Whether a Job is on the list of active ones.
    pub(super) fn is_active(&self, job: &Value) -> bool {
        items(&self.status["active"]).iter().any(|reference| reference["uid"] == uid(job))
    }

    /// Deletes the oldest ended Jobs beyond the limits.
    pub(super) fn forget_old(&self) -> Result<(), Status> {
        let spec = &self.cron["spec"];
        for (good, limit) in [
            (true, spec["successfulJobsHistoryLimit"].as_i64().unwrap_or(3)),
            (false, spec["failedJobsHistoryLimit"].as_i64().unwrap_or(1)),
        ] {
            let mut ended: Vec<&Value> =
                self.jobs.iter().filter(|job| finished(job).is_some() && succeeded(job) == good).collect();
            ended.sort_by_key(|job| (time(&job["status"]["startTime"]), name(job).to_owned()));
            let excess = ended.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
            for job in ended.into_iter().take(excess) {
                self.deps.delete(JOBS, job)?;
                self.deps.normal(self.cron, "SuccessfulDelete", &format!("Deleted job {}", name(job)));
            }
        }
        Ok(())
    }
}

fn succeeded(job: &Value) -> bool {
    condition(job, "Complete").is_some_and(|c| c["status"] == "True")
}
