//! Jobs: pods that run to an end.
//!
//! A pod that cannot pull its image never ends, so such a Job never fails by itself, unless it has a
//! deadline. Pods that fail are replaced, later each time, until the back-off limit is reached.

mod end;
mod indexed;
mod status;

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    children::Children,
    deps::Deps,
    json::{condition, int, time},
    meta::{deleting, name, uid},
    pods,
    replicaset::{create_pod_from, delete_pod},
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const RESOURCE: &str = "jobs.batch";
/// No more pods than this are made in one go.
const BURST: usize = 500;
const FIRST_DELAY: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_DELAY: SignedDuration = SignedDuration::from_mins(10);

/// Keeps Jobs.
pub(crate) struct Jobs {
    deps: Deps,
    pods: Children,
    histories: HashMap<String, History>,
    timers: Timers,
}

/// The pods of a Job that have ended; they count even after somebody has deleted them.
#[derive(Debug, Default)]
struct History {
    succeeded: HashSet<String>,
    /// The numbers that have succeeded, where pods have numbers.
    indexes: BTreeSet<i64>,
    failed: HashSet<String>,
    /// When the latest failure was seen, in lab time.
    last_failure: Option<Timestamp>,
}

impl History {
    fn take(&mut self, pod: &Value, now: Timestamp) {
        if pod["status"]["phase"] == "Succeeded" {
            self.succeeded.insert(uid(pod).to_owned());
            self.indexes.extend(indexed::index_of(pod));
        } else if pod["status"]["phase"] == "Failed" && self.failed.insert(uid(pod).to_owned()) {
            self.last_failure = Some(now);
        }
    }

    /// How long the next pod has to wait after the latest failure.
    fn delay(&self) -> SignedDuration {
        let doublings = u32::try_from(self.failed.len().saturating_sub(1)).unwrap_or(u32::MAX).min(10);
        (FIRST_DELAY * 2_i32.pow(doublings)).min(LONGEST_DELAY)
    }
}

impl Jobs {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self {
            deps,
            pods: Children::new(RESOURCE, "Job", "pods"),
            histories: HashMap::new(),
            timers: Timers::default(),
        }
    }

    fn sync(&mut self, key: &Key, context: &Context) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        let job = stored.value();
        if deleting(job) {
            return Ok(());
        }
        if let Some(end) = finished(job) {
            return self.expire(key, job, end, context);
        }
        let claimed = self.pods.claim(&self.deps, job, |_| true);
        let pods: Vec<Value> = claimed.iter().map(|pod| pod.value().clone()).collect();
        let history = self.histories.entry(uid(job).to_owned()).or_default();
        pods.iter().for_each(|pod| history.take(pod, context.clock.now()));
        let view = View { deps: &self.deps, job, pods: &pods, history };
        let end = view.end();
        let acted = match &end {
            Some(_) => view.stop(),
            None if view.suspended() => view.stop(),
            None => view.manage(key, &mut self.timers, context),
        };
        let status = view.status(end.as_ref());
        let written = self.deps.write_status(RESOURCE, key, &status)?;
        if finished(job).is_none() && finished(written.value()).is_some() {
            view.announce(end.as_ref());
            self.histories.remove(uid(job));
        }
        if let Some(deadline) = deadline(written.value()) {
            self.timers.at_shown(key, deadline, context);
        }
        acted
    }

    /// Deletes a Job that has been over for `ttlSecondsAfterFinished`.
    fn expire(&mut self, key: &Key, job: &Value, end: Timestamp, context: &Context) -> Result<(), Status> {
        let Some(kept) = job["spec"]["ttlSecondsAfterFinished"].as_i64() else { return Ok(()) };
        let end = end + pulldrill_clock::seconds(kept);
        if end > self.deps.now() {
            self.timers.at_shown(key, end, context);
            return Ok(());
        }
        self.deps.delete_as(RESOURCE, job, "Foreground")
    }
}

impl Controller for Jobs {
    fn name(&self) -> &'static str {
        "job-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        self.pods.observe(&self.deps, event, queue);
        if &*event.resource == RESOURCE && event.change == Change::Deleted {
            self.histories.remove(uid(event.object.value()));
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key, context);
        self.timers.outcome(key, &outcome, context);
    }
}

/// When a Job ended, if it has.
pub(crate) fn finished(job: &Value) -> Option<Timestamp> {
    let end = ["Complete", "Failed"]
        .iter()
        .find_map(|kind| condition(job, kind).filter(|c| c["status"] == "True"))?;
    Some(time(&end["lastTransitionTime"]).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// When a Job runs out of time.
fn deadline(job: &Value) -> Option<Timestamp> {
    let seconds = job["spec"]["activeDeadlineSeconds"].as_i64()?;
    let started = time(&job["status"]["startTime"])?;
    finished(job).is_none().then(|| started + pulldrill_clock::seconds(seconds))
}

/// One look at one Job.
struct View<'a> {
    deps: &'a Deps,
    job: &'a Value,
    pods: &'a [Value],
    history: &'a History,
}

impl View<'_> {
    fn suspended(&self) -> bool {
        self.job["spec"]["suspend"] == true
    }

    fn active(&self) -> impl Iterator<Item = &Value> {
        self.pods.iter().filter(|pod| pods::active(pod))
    }

    fn succeeded(&self) -> i64 {
        let count = if indexed::is_indexed(self.job) {
            self.history.indexes.len()
        } else {
            self.history.succeeded.len()
        };
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// How many pods should be active now.
    fn wanted(&self) -> i64 {
        let parallelism = self.job["spec"]["parallelism"].as_i64().unwrap_or(1);
        match self.job["spec"]["completions"].as_i64() {
            Some(completions) => parallelism.min(completions - self.succeeded()).max(0),
            // Without a number, the first success says that the work is done.
            None if self.succeeded() > 0 => i64::try_from(self.active().count()).unwrap_or(0),
            None => parallelism,
        }
    }

    fn manage(&self, key: &Key, timers: &mut Timers, context: &Context) -> Result<(), Status> {
        let active: Vec<&Value> = self.active().collect();
        let wanted = usize::try_from(self.wanted()).unwrap_or(0);
        let excess = active.len().saturating_sub(wanted);
        for pod in active.iter().take(excess) {
            delete_pod(self.deps, self.job, pod)?;
        }
        let missing = wanted.saturating_sub(active.len()).min(BURST);
        if missing == 0 {
            return Ok(());
        }
        if let Some(failure) = self.history.last_failure {
            let left = (failure + self.history.delay()).duration_since(context.clock.now());
            if left.is_positive() {
                timers.after(key, left, context);
                return Ok(());
            }
        }
        let fresh = || {
            let mut pod = pods::from_template(&self.job["spec"]["template"], self.job);
            pod["metadata"]["generateName"] = format!("{}-", name(self.job)).into();
            pod
        };
        if indexed::is_indexed(self.job) {
            let taken: BTreeSet<i64> = active.iter().filter_map(|pod| indexed::index_of(pod)).collect();
            let completions = int(&self.job["spec"]["completions"]);
            for index in indexed::missing(completions, &self.history.indexes, &taken, missing) {
                let mut pod = fresh();
                indexed::number(&mut pod, self.job, index, self.deps.wording.job_criteria);
                create_pod_from(self.deps, self.job, pod)?;
            }
            return Ok(());
        }
        for _ in 0..missing {
            create_pod_from(self.deps, self.job, fresh())?;
        }
        Ok(())
    }

    fn stop(&self) -> Result<(), Status> {
        self.active().try_for_each(|pod| delete_pod(self.deps, self.job, pod))
    }

    fn restarts(&self) -> i64 {
        let lists = self.pods.iter().flat_map(|pod| super::json::items(&pod["status"]["containerStatuses"]));
        lists.map(|container| int(&container["restartCount"])).sum()
    }
}
