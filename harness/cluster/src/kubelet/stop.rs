//! How containers are stopped: asked first, and killed when they have not gone within the pod's grace period.
//!
//! Those that stay beside the others go after them, one by one, the last one first (`newTerminationOrdering` of the
//! kubelet). What follows when all have gone is `end`'s.

use pulldrill_clock::{SignedDuration, Timestamp};
use rand::RngExt;
use serde_json::Value;

use super::{
    Kubelet, What,
    container::Slot,
    restart,
    worker::{Stage, Worker},
};
use crate::{dialect::Text, engine::Context, recorder::Kind, runtime::container::KILLED, store::Key};

/// How long a container takes to stop when asked, in milliseconds.
const STOP: std::ops::Range<u64> = 300..1200;
/// How long a pod without running containers takes to go.
const NOTHING_TO_STOP: std::ops::Range<u64> = 150..700;

/// How many seconds containers get when the pod does not say.
const GRACE: i64 = 30;
/// How many they get in any case (`minimumGracePeriodInSeconds` of the kubelet).
const LEAST_GRACE: i64 = 2;

/// Why a pod's containers are stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The pod is being deleted.
    Deleted,
    /// Its time is over.
    Overdue,
    /// What it was there for has been done, or can't be; the rest only stood beside.
    Finished,
}

/// Containers that are being stopped.
#[derive(Debug)]
pub(super) struct Stopping {
    pub(super) cause: Cause,
    /// Those that have not been asked yet, together or one by one, the next ones last.
    order: Vec<Vec<String>>,
    /// Those that have, and how and when they end at the latest.
    asked: Vec<Asked>,
    /// When the grace period is over, and how long it is.
    until: Timestamp,
    grace: SignedDuration,
    /// Which wait is for it; an older one has been overtaken.
    wait: u64,
}

#[derive(Debug)]
struct Asked {
    name: String,
    ends: Timestamp,
    code: i32,
}

/// How long the containers of a pod get to go by themselves.
pub(super) fn grace(pod: &Value) -> SignedDuration {
    let deleted = pod["metadata"]["deletionGracePeriodSeconds"].as_i64();
    let seconds = deleted.or(pod["spec"]["terminationGracePeriodSeconds"].as_i64()).unwrap_or(GRACE);
    SignedDuration::from_secs(seconds.max(LEAST_GRACE))
}

impl Kubelet {
    /// Begins to stop the containers of a pod. Why its others waited is forgotten when it goes.
    pub(super) fn stop(&self, worker: &mut Worker, key: &Key, pod: &Value, cause: Cause, context: &Context) {
        let now = self.clock.now();
        worker.dirty = false;
        worker.due = None;
        worker.reap(now);
        if self.dialect.pods.terminal_status && cause != Cause::Finished {
            worker.waiting.clear();
            self.write_status(worker, key, worker.sandbox.is_some());
        }
        self.say_killing(worker, pod);
        let grace = grace(pod);
        let until = now.checked_add(grace).unwrap_or(Timestamp::MAX);
        let order = order(worker, &pod["spec"]);
        let nothing = order.is_empty();
        worker.stops += 1;
        let stopping = Stopping { cause, order, asked: Vec::new(), until, grace, wait: worker.stops };
        worker.stage = Stage::Stopping(Box::new(stopping));
        if nothing {
            self.pause(worker, key, NOTHING_TO_STOP, What::Stopped(worker.stops), context);
        } else {
            self.go_on_stopping(worker, key, context);
        }
    }

    /// Goes on after a wait, if it is still waited for that.
    pub(super) fn waited(&self, worker: &mut Worker, key: &Key, wait: u64, context: &Context) {
        if matches!(&worker.stage, Stage::Stopping(stopping) if stopping.wait == wait) {
            self.go_on_stopping(worker, key, context);
        }
    }

    /// Takes away what has ended, and asks those that come next; or waits for those that were asked.
    pub(super) fn go_on_stopping(&self, worker: &mut Worker, key: &Key, context: &Context) {
        let now = self.clock.now();
        worker.reap(now);
        let Stage::Stopping(mut stopping) = std::mem::replace(&mut worker.stage, Stage::Idle) else { return };
        stopping.asked.retain(|asked| self.is_awaited(worker, asked, now));
        while stopping.asked.is_empty() {
            let Some(next) = stopping.order.pop() else {
                let cause = stopping.cause;
                self.stopped(worker, key, cause, context);
                return;
            };
            self.ask(worker, &mut stopping, next, now);
        }
        worker.stops += 1;
        stopping.wait = worker.stops;
        let first = stopping.asked.iter().map(|asked| asked.ends).min().unwrap_or(now);
        worker.stage = Stage::Stopping(stopping);
        self.wait_until(worker, key, first, What::Stopped(worker.stops), context);
    }

    /// The grace period has been made shorter.
    pub(super) fn hurry(&self, worker: &mut Worker, key: &Key, pod: &Value, context: &Context) {
        let (now, grace) = (self.clock.now(), grace(pod));
        let Stage::Stopping(stopping) = &mut worker.stage else { return };
        if grace >= stopping.grace {
            return;
        }
        let until = now.checked_add(grace).unwrap_or(Timestamp::MAX).min(stopping.until);
        (stopping.grace, stopping.until) = (grace, until);
        for asked in &mut stopping.asked {
            asked.ends = asked.ends.min(until);
        }
        self.go_on_stopping(worker, key, context);
    }

    /// Whether one that was asked runs still; it is killed when its time is over.
    fn is_awaited(&self, worker: &mut Worker, asked: &Asked, now: Timestamp) -> bool {
        let slot = worker.slot(&asked.name);
        if slot.running().is_none() {
            return false;
        }
        if asked.ends > now {
            return true;
        }
        let message = self.last_words(worker, &asked.name, asked.code);
        if let Some(container) = &mut worker.slot(&asked.name).current {
            container.message = message;
            container.code = Some(asked.code);
            container.kill(now);
        }
        self.runtime.remove(&worker.uid, &asked.name);
        false
    }

    /// Asks containers to go (SIGTERM).
    fn ask(&self, worker: &mut Worker, stopping: &mut Stopping, names: Vec<String>, now: Timestamp) {
        let time = worker.rng.random_range(STOP.start * 1_000_000..STOP.end * 1_000_000);
        let soon = now + SignedDuration::from_nanos(i64::try_from(time).unwrap_or_default());
        let least = now + SignedDuration::from_secs(LEAST_GRACE);
        for name in names {
            let Some(term) = worker.slot(&name).running().map(|container| container.term) else { continue };
            if term.is_none() {
                self.runtime.terminate(&worker.uid, &name);
            }
            let (ends, code) = match term {
                Some(code) => (soon, code),
                None => (stopping.until.max(least), KILLED),
            };
            stopping.asked.push(Asked { name, ends, code });
        }
    }

    /// Announces that the running containers are stopped.
    pub(super) fn say_killing(&self, worker: &Worker, pod: &Value) {
        let listed = |list: &'static str| {
            pod["spec"][list].as_array().into_iter().flatten().map(move |container| (list, container))
        };
        let beside = listed("initContainers").rev();
        for (list, container) in listed("containers").chain(beside).chain(listed("ephemeralContainers")) {
            let name = container["name"].as_str().unwrap_or_default();
            if runs(worker, name) {
                let path = format!("spec.{list}{{{name}}}");
                let message = self.dialect.text(Text::Killing, &[("container", name)]);
                self.recorder.event(pod, Some(&path), Kind::Normal, "Killing", &message);
            }
        }
    }
}

fn runs(worker: &Worker, name: &str) -> bool {
    worker.slots.get(name).and_then(Slot::running).is_some()
}

/// The running containers, as they are stopped: those that go first last.
fn order(worker: &Worker, spec: &Value) -> Vec<Vec<String>> {
    let init = spec["initContainers"].as_array().into_iter().flatten();
    let name = |container: &Value| container["name"].as_str().unwrap_or_default().to_owned();
    let beside: Vec<String> = init.filter(|c| restart::is_sidecar(c)).map(name).collect();
    let mut all: Vec<Vec<String>> =
        beside.iter().filter(|name| runs(worker, name)).map(|name| vec![name.clone()]).collect();
    let mut others: Vec<String> = worker.slots.keys().filter(|n| runs(worker, n)).cloned().collect();
    others.retain(|name| !beside.contains(name));
    others.sort();
    if !others.is_empty() {
        all.push(others);
    }
    all
}
