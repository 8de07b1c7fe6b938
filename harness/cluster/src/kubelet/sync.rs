//! One look at a pod: status first, then secrets, sandbox, and every container that should run.
//!
//! The status is made from what the *previous* sync came to; that is why it lags behind the events.

use std::sync::{Arc, atomic::Ordering};

use pulldrill_clock::{SignedDuration, Timestamp};
use rand::RngExt;

use super::{
    Done, Kubelet, What,
    end::is_over,
    environment,
    images::Decision,
    non_root,
    order::to_start,
    restart, secrets,
    status::View,
    stop::{self, Cause},
    worker::{Sandbox, Stage, Sync, Todo, Waiting, Worker},
};
use crate::{
    dialect::Text,
    engine::Context,
    puller::Image,
    recorder::Kind,
    runtime::container::KILLED,
    store::{Key, Stored},
};

/// How long a sandbox takes, in milliseconds.
const SANDBOX: std::ops::Range<u64> = 250..650;
/// How long a container takes to start, in milliseconds.
const START: std::ops::Range<u64> = 60..320;
/// After how many seconds at least a failed sync is repeated.
const AFTER_FAILURE: f64 = 10.0;
/// After how many seconds at least a good one is.
const AFTER_SUCCESS: f64 = 60.0;

impl Kubelet {
    /// Begins a sync.
    pub(super) fn begin(&mut self, worker: &mut Worker, key: &Key, pod: &Arc<Stored>, context: &Context) {
        let now = self.clock.now();
        worker.dirty = false;
        worker.due = None;
        worker.reap(now);
        self.write_status(worker, key, worker.sandbox.is_some());
        if is_over(worker, &pod.value()["spec"]) && worker.slots.values().any(|slot| slot.running().is_some())
        {
            self.stop(worker, key, pod.value(), Cause::Finished, context);
            return;
        }
        if worker.sandbox.is_none() && !self.mount(worker, pod.value()) {
            return;
        }
        let secrets = secrets::of_pod(self.api.store(), pod.value());
        if !secrets.missing.is_empty() && self.dialect.has(Text::MissingSecrets) {
            let names = secrets.missing.join(", ");
            let message = self.dialect.text(Text::MissingSecrets, &[("secrets", &names)]);
            let reason = "FailedToRetrieveImagePullSecret";
            self.recorder.event(pod.value(), None, Kind::Warning, reason, &message);
        }
        let todo = to_start(worker, pod.value());
        let sync = Sync { pod: pod.clone(), secrets, todo, failed: false, changed: None };
        if worker.sandbox.is_none() && !sync.todo.is_empty() {
            worker.stage = Stage::Syncing(Box::new(sync));
            self.pause(worker, key, SANDBOX, What::Sandbox, context);
        } else {
            self.go_on(worker, key, sync, context);
        }
    }

    /// Goes on with a sync after what it waited for.
    pub(super) fn resume(&mut self, worker: &mut Worker, key: &Key, what: What, context: &Context) {
        let Stage::Syncing(sync) = std::mem::replace(&mut worker.stage, Stage::Idle) else { return };
        let mut sync = *sync;
        match what {
            What::Sandbox => {
                let number = self.addresses.fetch_add(1, Ordering::Relaxed) + 1;
                worker.sandbox = Some(Sandbox { address: self.node.pod_address(number), ready: true });
                sync.change(self.clock.now());
                self.write_status(worker, key, false);
            }
            What::Pulled(pulled) => {
                let decision = self.pulled(worker, &sync, &pulled);
                if self.decided(worker, key, &mut sync, pulled.job.todo, decision, context) {
                    worker.stage = Stage::Syncing(Box::new(sync));
                    return;
                }
            }
            What::Started(todo, image) => {
                self.started(worker, key, &mut sync, &todo, image, context);
                sync.change(self.clock.now());
            }
            What::Replaced(todo) => {
                self.replaced(worker, &mut sync, &todo);
                let decision = self.ensure(worker, key, &sync, &todo);
                if self.decided(worker, key, &mut sync, *todo, decision, context) {
                    worker.stage = Stage::Syncing(Box::new(sync));
                    return;
                }
            }
            What::Exited { .. } | What::Stopped(_) | What::Removed => {}
        }
        self.go_on(worker, key, sync, context);
    }

    /// Takes one container after the other until one makes the sync wait, or none is left.
    fn go_on(&mut self, worker: &mut Worker, key: &Key, mut sync: Sync, context: &Context) {
        while let Some(todo) = sync.todo.pop() {
            if let Some(waiting) = self.crash_loop(worker, &sync, &todo) {
                worker.waiting.insert(todo.name.clone(), waiting);
                sync.failed = true;
                continue;
            }
            if self.replace(worker, key, &mut sync, &todo, context) {
                worker.stage = Stage::Syncing(Box::new(sync));
                return;
            }
            let decision = self.ensure(worker, key, &sync, &todo);
            if self.decided(worker, key, &mut sync, todo, decision, context) {
                worker.stage = Stage::Syncing(Box::new(sync));
                return;
            }
        }
        self.end(worker, &sync);
    }

    /// Acts on a decision about an image. True when the sync has to wait.
    fn decided(
        &mut self,
        worker: &mut Worker,
        key: &Key,
        sync: &mut Sync,
        todo: Todo,
        decision: Decision,
        context: &Context,
    ) -> bool {
        match decision {
            Decision::Pull(job) => {
                self.waiting_jobs.push(*job);
                true
            }
            Decision::Refused(waiting) => {
                self.refuse(worker, sync, &todo, waiting);
                false
            }
            Decision::Present(image) => {
                let pod = sync.pod.value();
                let missing = environment::missing(self.api.store(), pod, &todo.container);
                if let Some(why) = missing.or_else(|| non_root::refusal(pod, &todo.container, &image)) {
                    let waiting = Waiting { reason: "CreateContainerConfigError".to_owned(), message: why };
                    self.fail(worker, sync, &todo, &waiting.message.clone(), waiting);
                    return false;
                }
                let message = self.dialect.text(Text::Created, &[("container", &todo.name)]);
                let path = todo.field_path();
                self.recorder.event(sync.pod.value(), Some(&path), Kind::Normal, "Created", &message);
                self.pause(worker, key, START, What::Started(Box::new(todo), image), context);
                true
            }
        }
    }

    fn refuse(&self, worker: &mut Worker, sync: &mut Sync, todo: &Todo, waiting: Waiting) {
        self.fail(worker, sync, todo, &waiting.reason.clone(), waiting);
    }

    /// A container can't be started: `why` is what the event says.
    fn fail(&self, worker: &mut Worker, sync: &mut Sync, todo: &Todo, why: &str, waiting: Waiting) {
        let message = self.dialect.text(Text::ContainerError, &[("reason", why)]);
        let path = todo.field_path();
        self.recorder.event(sync.pod.value(), Some(&path), Kind::Warning, "Failed", &message);
        worker.waiting.insert(todo.name.clone(), waiting);
        sync.failed = true;
    }

    /// Stops a running container whose image is no longer what the pod says. True when the sync has to wait for that.
    fn replace(
        &self,
        worker: &mut Worker,
        key: &Key,
        sync: &mut Sync,
        todo: &Todo,
        context: &Context,
    ) -> bool {
        let Some(term) = worker.slot(&todo.name).running().map(|container| container.term) else {
            return false;
        };
        let message = self.dialect.text(Text::KillingChanged, &[("container", &todo.name)]);
        let path = todo.field_path();
        self.recorder.event(sync.pod.value(), Some(&path), Kind::Normal, "Killing", &message);
        if term.is_some() {
            self.replaced(worker, sync, todo);
            return false;
        }
        self.runtime.terminate(&worker.uid, &todo.name);
        let grace = stop::grace(sync.pod.value());
        let until = self.clock.now().checked_add(grace).unwrap_or(Timestamp::MAX);
        self.wait_until(worker, key, until, What::Replaced(Box::new(todo.clone())), context);
        true
    }

    /// It has stopped.
    fn replaced(&self, worker: &mut Worker, sync: &mut Sync, todo: &Todo) {
        let message = self.last_words(worker, &todo.name, KILLED);
        if let Some(container) = &mut worker.slot(&todo.name).current {
            container.message = message;
        }
        worker.slot(&todo.name).retire(self.clock.now());
        self.runtime.remove(&worker.uid, &todo.name);
        sync.change(self.clock.now());
    }

    fn started(
        &self,
        worker: &mut Worker,
        key: &Key,
        sync: &mut Sync,
        todo: &Todo,
        image: Arc<Image>,
        context: &Context,
    ) {
        worker.waiting.remove(&todo.name);
        let number = worker.slot(&todo.name).started();
        let container = self.launch(worker, key, todo, image, number, context);
        let path = todo.field_path();
        let say = |kind, reason: &str, message: &str| {
            self.recorder.event(sync.pod.value(), Some(&path), kind, reason, message);
        };
        match container.ended.as_ref().and_then(|ended| Some((ended, ended.failure.clone()?))) {
            None => {
                say(Kind::Normal, "Started", &self.dialect.text(Text::Started, &[("container", &todo.name)]));
            }
            Some((ended, message)) => {
                say(Kind::Warning, "Failed", &format!("Error: {message}"));
                sync.failed = true;
                if todo.restarts(restart::policy_of(&sync.pod.value()["spec"]), ended) {
                    let waiting = Waiting { reason: "RunContainerError".to_owned(), message };
                    worker.waiting.insert(todo.name.clone(), waiting);
                }
            }
        }
        worker.slots.entry(todo.name.clone()).or_default().start(container);
    }

    /// Ends a sync and sets the time of the next one.
    fn end(&self, worker: &mut Worker, sync: &Sync) {
        let now = self.clock.now();
        worker.stage = Stage::Idle;
        worker.synced = Some(now);
        let watches_secrets = self.dialect.has(Text::MissingSecrets)
            && sync.pod.value()["spec"]["imagePullSecrets"].as_array().is_some_and(|s| !s.is_empty());
        let jitter = 1.0 + 0.5 * worker.rng.random::<f64>();
        let looks_again = std::mem::take(&mut worker.twice);
        // A change that the node noticed during the sync waits for its end; one that it notices after the end
        // is a second reason, which comes when the sync for the first has already been set off.
        worker.twice = sync
            .changed
            .is_some_and(|(first, last)| tick(first, self.relist) <= now && tick(last, self.relist) > now);
        worker.due = if sync.changed.is_some() || looks_again {
            Some(tick(now, self.relist))
        } else if sync.failed {
            Some(tick(now + seconds(AFTER_FAILURE * jitter), self.ticker))
        } else if watches_secrets {
            Some(tick(now + seconds(AFTER_SUCCESS * jitter), self.ticker))
        } else {
            None
        };
        if let Some(change) = worker.next_change(now).map(|at| tick(at, self.relist)) {
            worker.due = Some(worker.due.map_or(change, |due| due.min(change)));
        }
        self.look_again(worker, now);
    }

    /// Writes what is known now, if that differs from what is stored.
    pub(super) fn write_status(&self, worker: &Worker, key: &Key, address: bool) {
        if worker.finished {
            return;
        }
        let host = self.node.address.to_string();
        let view = View { worker, clock: &self.clock, dialect: &self.dialect, host: &host, address };
        let written = self.api.modify(&self.node.user, "pods", key, Some("status"), |pod| {
            if pod["metadata"]["uid"] == worker.uid.as_str() {
                pod["status"] = view.status(pod);
            }
        });
        if let Err(status) = written {
            tracing::debug!(%key, %status, "pod status not written");
        }
    }

    /// Waits in lab time, and then goes on with `what`.
    pub(super) fn pause(
        &self,
        worker: &mut Worker,
        key: &Key,
        milliseconds: std::ops::Range<u64>,
        what: What,
        context: &Context,
    ) {
        let nanos = worker.rng.random_range(milliseconds.start * 1_000_000..milliseconds.end * 1_000_000);
        let until = self.clock.now() + SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or_default());
        self.wait_until(worker, key, until, what, context);
    }

    /// Waits until then, and goes on with `what`.
    pub(super) fn wait_until(
        &self,
        worker: &Worker,
        key: &Key,
        until: Timestamp,
        what: What,
        context: &Context,
    ) {
        let (clock, uid) = (self.clock.clone(), worker.uid.clone());
        context.start(key.clone(), move |busy| async move {
            let busy = clock.sleep_until(busy, until).await;
            (Box::new(Done { uid, what }) as crate::engine::Outcome, busy)
        });
    }
}

/// The next tick after `now` of a clock that ticks every second at an offset of `phase` nanoseconds.
pub(super) fn tick(now: Timestamp, phase: i64) -> Timestamp {
    const SECOND: i128 = 1_000_000_000;
    let since = (now.as_nanosecond() - i128::from(phase)).rem_euclid(SECOND);
    let wait = i64::try_from(SECOND - since).unwrap_or(1_000_000_000);
    now + SignedDuration::from_nanos(wait)
}

fn seconds(seconds: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::ZERO)
}
