//! CronJobs: a Job at every time that a schedule names.

mod history;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use pulldrill_clock::cron::{self, Due, Schedule};
use serde_json::{Value, json};

use super::{
    children::Children,
    deps::Deps,
    job::finished,
    json::{items, stamp, text, time},
    meta::{controller_reference, deleting, name, namespace, uid},
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Event, Key},
};

const RESOURCE: &str = "cronjobs.batch";
const JOBS: &str = "jobs.batch";
const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// More missed times than this are complained about.
const MANY: u64 = 100;

/// Keeps CronJobs.
pub(crate) struct CronJobs {
    deps: Deps,
    jobs: Children,
    timers: Timers,
}

impl CronJobs {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { jobs: Children::new(&deps, RESOURCE, "CronJob", JOBS), deps, timers: Timers::default() }
    }

    fn sync(&mut self, key: &Key, context: &Context) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        let cron = stored.value();
        if deleting(cron) {
            return Ok(());
        }
        let jobs: Vec<Value> =
            self.jobs.of(&self.deps, uid(cron)).iter().map(|j| j.value().clone()).collect();
        let mut view = View { deps: &self.deps, cron, jobs: &jobs, status: cron["status"].clone() };
        if !view.status.is_object() {
            view.status = json!({});
        }
        view.settle_active();
        view.forget_old()?;
        let next = if cron["spec"]["suspend"] == true { Ok(None) } else { view.run() };
        self.deps.write_status(RESOURCE, key, &view.status)?;
        if let Some(next) = next? {
            self.timers.at_shown(key, next, context);
        }
        Ok(())
    }
}

impl Controller for CronJobs {
    fn name(&self) -> &'static str {
        "cronjob-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        self.jobs.observe(&self.deps, event, queue);
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key, context);
        self.timers.outcome(key, &outcome, context);
    }
}

/// One look at one CronJob.
struct View<'a> {
    deps: &'a Deps,
    cron: &'a Value,
    jobs: &'a [Value],
    /// As it is to be written.
    status: Value,
}

impl View<'_> {
    /// Starts the Job of the latest time that has come. Returns the next time.
    fn run(&mut self) -> Result<Option<Timestamp>, Status> {
        let spec = &self.cron["spec"];
        let schedule = match Schedule::parse(text(&spec["schedule"]), self.deps.wording.cron) {
            Ok(schedule) => schedule,
            Err(error) => {
                let message = format!("unparseable schedule: \"{}\" : {error}", text(&spec["schedule"]));
                self.deps.warning(self.cron, "UnparseableSchedule", &message);
                return Ok(None);
            }
        };
        let zone = cron::zone(text(&spec["timeZone"])).unwrap_or(TimeZone::UTC);
        let now = self.deps.now();
        let Due { latest, count, next } = self.due(&schedule, &zone, now);
        if count > MANY {
            let message = format!(
                "too many missed start times: {count}. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            );
            self.deps.warning(self.cron, "TooManyMissedTimes", &message);
        }
        if let Some(due) = latest {
            self.start(due, now)?;
        }
        Ok(next)
    }

    /// What has come since the last run, or since the beginning.
    fn due(&self, schedule: &Schedule, zone: &TimeZone, now: Timestamp) -> Due {
        let last = time(&self.status["lastScheduleTime"]);
        let mut from = last.or_else(|| time(&self.cron["metadata"]["creationTimestamp"])).unwrap_or(now);
        if let Some(window) = self.window() {
            from = from.max(now - window);
        }
        schedule.due(from, now, zone)
    }

    fn window(&self) -> Option<SignedDuration> {
        self.cron["spec"]["startingDeadlineSeconds"].as_i64().map(pulldrill_clock::seconds)
    }

    fn start(&mut self, due: Timestamp, now: Timestamp) -> Result<(), Status> {
        if self.window().is_some_and(|window| due + window < now) {
            let message = format!(
                "Missed scheduled time to start a job: {}",
                due.strftime("%a, %d %b %Y %H:%M:%S +0000")
            );
            self.deps.warning(self.cron, "MissSchedule", &message);
            return Ok(());
        }
        // Those that the controller did not make are in nobody's way.
        let active: Vec<&Value> = self.jobs.iter().filter(|job| self.is_active(job)).collect();
        match text(&self.cron["spec"]["concurrencyPolicy"]) {
            "Forbid" if !active.is_empty() => {
                let message =
                    "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.deps.normal(self.cron, "JobAlreadyActive", message);
                return Ok(());
            }
            "Replace" => {
                for job in active {
                    self.deps.delete(JOBS, job)?;
                    self.deps.normal(self.cron, "SuccessfulDelete", &format!("Deleted job {}", name(job)));
                }
                self.status["active"] = json!([]);
            }
            _ => {}
        }
        self.make(due)
    }

    fn make(&mut self, due: Timestamp) -> Result<(), Status> {
        let template = &self.cron["spec"]["jobTemplate"];
        let number = due.as_second() / self.deps.wording.cron_name_unit;
        let mut metadata = json!({"name": format!("{}-{number}", name(self.cron)),
            "ownerReferences": [controller_reference(self.cron)]});
        for field in ["labels", "annotations"] {
            if template["metadata"][field].is_object() {
                metadata[field] = template["metadata"][field].clone();
            }
        }
        if self.deps.wording.cron_stamps {
            metadata["annotations"][SCHEDULED_AT] = stamp(due).into();
        }
        let job =
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]});
        match self.deps.create(JOBS, namespace(self.cron), job) {
            Ok(job) => {
                self.deps.normal(self.cron, "SuccessfulCreate", &format!("Created job {}", job.meta("name")));
                let mut active = items(&self.status["active"]).to_vec();
                active.push(json!({"apiVersion": "batch/v1", "kind": "Job", "name": job.meta("name"),
                    "namespace": job.meta("namespace"), "uid": job.meta("uid"), "resourceVersion": job.meta("resourceVersion")}));
                self.status["active"] = active.into();
            }
            // Made on an earlier look whose status was not written.
            Err(error) if error.reason == "AlreadyExists" => {}
            Err(error) => {
                self.deps.warning(self.cron, "FailedCreate", &format!("Error creating job: {error}"));
                return Err(error);
            }
        }
        self.status["lastScheduleTime"] = stamp(due).into();
        Ok(())
    }
}
