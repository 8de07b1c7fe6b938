//! Jobs: pods that run to an end.
//!
//! A pod that cannot pull its image never ends, so such a Job never fails by itself, unless it has a
//! deadline. Pods that fail are replaced, later each time, until the back-off limit is reached.

mod end;
mod indexed;
mod status;
mod tally;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    children::Children,
    deps::Deps,
    json::{condition, int, text, time},
    meta::{controller_of, deleting, name, namespace, uid},
    pods,
    replicaset::{create_pod_from, delete_pod},
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key, Stored},
};
use tally::Tally;

const RESOURCE: &str = "jobs.batch";
/// No more pods than this are made in one go.
const BURST: usize = 500;
const FIRST_DELAY: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_DELAY: SignedDuration = SignedDuration::from_mins(10);

/// Keeps Jobs.
pub(crate) struct Jobs {
    deps: Deps,
    pods: Children,
    failures: HashMap<String, Failures>,
    /// Pods whose Job may be gone.
    orphans: HashSet<Key>,
    timers: Timers,
}

/// When the pods of a Job failed, for how long the next one has to wait.
#[derive(Debug, Default)]
struct Failures {
    seen: HashSet<String>,
    /// When the latest was seen, in lab time.
    last: Option<Timestamp>,
}

impl Failures {
    fn take(&mut self, pod: &Value, now: Timestamp) {
        if pod["status"]["phase"] == "Failed" && self.seen.insert(uid(pod).to_owned()) {
            self.last = Some(now);
        }
    }

    /// How long the next pod has to wait after the latest failure.
    fn delay(&self) -> SignedDuration {
        let doublings = u32::try_from(self.seen.len().saturating_sub(1)).unwrap_or(u32::MAX).min(10);
        (FIRST_DELAY * 2_i32.pow(doublings)).min(LONGEST_DELAY)
    }
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
        let tally = if self.deps.wording.job_criteria {
            // Those that others have made and the selector fits.
            for pod in pods.iter().filter(|pod| pods::active(pod) && !tally::held(pod)) {
                self.deps.edit("pods", &Key::of(pod), tally::hold)?;
            }
            Tally::of_status(job, &pods)
        } else {
            Tally::of_pods(&pods)
        };
        let view = View { deps: &self.deps, job, pods: &pods, failures, tally: &tally };
        let end = view.end();
        let acted = match &end {
            Some(_) => view.stop(),
            None if view.suspended() => view.suspend(),
            None => view.manage(key, &mut self.timers, context),
        };
        let status = view.status(end.as_ref());
        let written = self.deps.write_status(RESOURCE, key, &status)?;
        if finished(written.value()).is_some() {
            view.announce(end.as_ref());
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
        active.iter().take(excess).try_for_each(|pod| self.withdraw(pod))?;
        let missing = wanted.saturating_sub(active.len()).min(BURST);
        if missing == 0 {
            return Ok(());
        }
        if let Some(failure) = self.failures.last {
            let left = (failure + self.failures.delay()).duration_since(context.clock.now());
            if left.is_positive() {
                timers.after(key, left, context);
                return Ok(());
            }
        }
        let fresh = || {
            let mut pod = pods::from_template(&self.job["spec"]["template"], self.job);
            pod["metadata"]["generateName"] = format!("{}-", name(self.job)).into();
            if self.deps.wording.job_criteria {
                tally::hold(&mut pod);
            }
            pod
        };
        if indexed::is_indexed(self.job) {
            let taken: BTreeSet<i64> = active.iter().filter_map(|pod| indexed::index_of(pod)).collect();
            let completions = int(&self.job["spec"]["completions"]);
            for index in indexed::missing(completions, &self.tally.indexes, &taken, missing) {
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

    /// Deletes a pod that is not to count as a failure.
    fn withdraw(&self, pod: &Value) -> Result<(), Status> {
        if tally::held(pod) {
            let_go(self.deps, &Key::of(pod))?;
        }
        delete_pod(self.deps, self.job, pod)
    }

    fn suspend(&self) -> Result<(), Status> {
        self.active().try_for_each(|pod| self.withdraw(pod))
    }

    fn stop(&self) -> Result<(), Status> {
        self.active().try_for_each(|pod| delete_pod(self.deps, self.job, pod))
    }

    fn restarts(&self) -> i64 {
        let lists = self.pods.iter().flat_map(|pod| super::json::items(&pod["status"]["containerStatuses"]));
        lists.map(|container| int(&container["restartCount"])).sum()
    }
}
