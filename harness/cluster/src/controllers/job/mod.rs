//! Jobs: pods that run to an end.
//!
//! A pod that cannot pull its image never ends, so such a Job never fails by itself, unless it has a
//! deadline. Pods that fail are replaced, later each time, until the back-off limit is reached.
//!
//! - [`manage`]: how many pods there are; [`backoff`] says when the next may come.
//! - [`indexed`], [`per_index`]: pods with numbers, and numbers that may fail so often by themselves.
//! - [`policy`]: what a Job says about failures and its success; [`end`]: when it is over.
//! - [`tally`], [`status`]: what is counted and told.

mod backoff;
mod end;
mod indexed;
mod manage;
mod per_index;
mod policy;
mod status;
mod tally;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    children::Children,
    deps::Deps,
    json::{condition, text, time},
    meta::{controller_of, deleting, namespace, uid},
    pods,
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key, Stored},
};
use backoff::Failures;
use policy::Policy;
use tally::Tally;

const RESOURCE: &str = "jobs.batch";

/// Keeps Jobs.
pub(crate) struct Jobs {
    deps: Deps,
    pods: Children,
    failures: HashMap<String, Failures>,
    /// Pods whose Job may be gone.
    orphans: HashSet<Key>,
    timers: Timers,
}

impl Jobs {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self {
            pods: Children::new(&deps, RESOURCE, "Job", "pods"),
            deps,
            failures: HashMap::new(),
            orphans: HashSet::new(),
            timers: Timers::default(),
        }
    }

    fn sync(&mut self, key: &Key, context: &Context) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        let job = stored.value();
        if deleting(job) || finished(job).is_some() {
            self.let_go_ended(job)?;
        }
        if deleting(job) {
            return Ok(());
        }
        if let Some(end) = finished(job) {
            return self.expire(key, job, end, context);
        }
        let claimed = self.pods.claim(&self.deps, job, |_| true);
        let pods: Vec<Value> = claimed.iter().map(|pod| pod.value().clone()).collect();
        let failures = self.failures.entry(uid(job).to_owned()).or_default();
        pods.iter().for_each(|pod| failures.take(pod, context.clock.now()));
        let policy = Policy::of(job, self.deps.release());
        let tally = if self.deps.wording.job_criteria {
            // Those that others have made and the selector fits.
            for pod in pods.iter().filter(|pod| pods::active(pod) && !tally::held(pod)) {
                self.deps.edit("pods", &Key::of(pod), tally::hold)?;
            }
            Tally::of_status(job, &pods, &policy, end::announced(job).map(|end| end.good))
        } else {
            Tally::of_pods(&pods)
        };
        let view = View { deps: &self.deps, job, pods: &pods, failures, policy: &policy, tally: &tally };
        let end = view.end();
        let acted = match &end {
            Some(end) => view.stop(end),
            None if view.suspended() => view.suspend(),
            None => view.manage(key, &mut self.timers, context),
        };
        let status = view.status(end.as_ref());
        let written = self.deps.write_status(RESOURCE, key, &status)?;
        if finished(written.value()).is_some() {
            end.iter().for_each(|end| view.announce(end));
            self.failures.remove(uid(job));
        }
        // Their going makes the next look, which counts them.
        for pod in &tally.settled {
            let_go(&self.deps, pod)?;
        }
        if let Some(deadline) = deadline(written.value()) {
            self.timers.at_shown(key, deadline, context);
        }
        acted
    }

    /// Lets pods go that nobody will count any more.
    fn let_go_ended(&self, job: &Value) -> Result<(), Status> {
        let pods = self.pods.of(&self.deps, uid(job));
        let ended = pods.iter().filter(|pod| tally::held(pod.value()) && tally::over(pod.value()));
        ended.map(|pod| pod.key()).try_for_each(|pod| let_go(&self.deps, pod))
    }

    /// The Job that manages a pod, if that is there.
    fn job_of(&self, pod: &Value) -> Option<Arc<Stored>> {
        let owner = controller_of(pod).filter(|owner| owner["kind"] == "Job")?;
        let job = self.deps.get(RESOURCE, &Key::new(namespace(pod), text(&owner["name"])))?;
        (owner["uid"] == job.meta("uid")).then_some(job)
    }

    fn note_orphans(&mut self, event: &Event, queue: &mut Queue) {
        let pods = match &*event.resource {
            RESOURCE if event.change == Change::Deleted => {
                self.pods.of(&self.deps, uid(event.object.value()))
            }
            "pods" if event.change != Change::Deleted => vec![event.object.clone()],
            _ => return,
        };
        for pod in pods {
            if tally::held(pod.value()) && self.job_of(pod.value()).is_none() {
                self.orphans.insert(pod.key().clone());
                queue.add(pod.key().clone());
            }
        }
    }

    /// A pod that no Job counts need not stay for one.
    fn release_orphan(&mut self, key: &Key) -> Result<(), Status> {
        if !self.orphans.contains(key) {
            return Ok(());
        }
        let pod = self.deps.get("pods", key);
        if pod.is_some_and(|pod| tally::held(pod.value()) && self.job_of(pod.value()).is_none()) {
            let_go(&self.deps, key)?;
        }
        self.orphans.remove(key);
        Ok(())
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
        self.note_orphans(event, queue);
        self.pods.observe(&self.deps, event, queue);
        if &*event.resource == RESOURCE && event.change == Change::Deleted {
            self.failures.remove(uid(event.object.value()));
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.release_orphan(key).and_then(|()| self.sync(key, context));
        self.timers.outcome(key, &outcome, context);
    }
}

/// Takes the finalizer from a pod; one that is gone already is no failure.
fn let_go(deps: &Deps, pod: &Key) -> Result<(), Status> {
    match deps.edit("pods", pod, tally::let_go) {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
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
    failures: &'a Failures,
    policy: &'a Policy<'a>,
    tally: &'a Tally,
}

impl View<'_> {
    fn suspended(&self) -> bool {
        self.job["spec"]["suspend"] == true
    }

    fn active(&self) -> impl Iterator<Item = &Value> {
        self.pods.iter().filter(|pod| pods::active(pod))
    }

    fn succeeded(&self) -> i64 {
        self.tally.succeeded(indexed::is_indexed(self.job))
    }
}
