//! The kubelets: one controller per node that makes its pods run, or says why they don't.
//!
//! A kubelet looks at a pod (a *sync*) when the pod is new or changed, when one of its containers has
//! changed, and again after a while. A sync writes the status, then starts what is missing; see `sync`
//! for its order. Pulls wait in line, one at a time per node. Everything that takes time is lab time.
//!
//! What a message says and which fields a status has is the dialect's; how an image is fetched is the
//! puller's.

mod access;
mod backoff;
mod conditions;
mod container;
mod deadline;
mod end;
mod environment;
mod fleet;
mod image_gc;
mod images;
mod keyring;
mod last_words;
mod launch;
mod logs;
mod node;
mod non_root;
mod options;
mod order;
mod providers;
mod rate;
mod remembered;
mod restart;
mod secrets;
mod status;
mod stop;
mod sync;
#[cfg(test)]
mod tests;
mod volumes;
mod worker;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, atomic::AtomicU32},
};

use pulldrill_clock::{Clock, seed};
use rand::RngExt;
use serde_json::Value;

use crate::{
    api::Api,
    dialect::Dialect,
    engine::{Context, Controller, Outcome, Queue},
    puller::{Image, Puller},
    recorder::Recorder,
    runtime::Runtime,
    store::{Event, Key, Stored},
};
use access::Access;
pub use fleet::{Fleet, NodeError};
use fleet::{Machine, Power};
use image_gc::ImageUse;
use images::{Job, Pulled};
pub use logs::{Line, Logs};
use node::{HEARTBEAT, Node};
pub use options::{KubeletOptions, NodeOptions, Pullers};
use providers::Providers;
pub use providers::{Ask, CacheKey, PluginError, Provided, Provider, plugins};
pub use rate::PullRate;
use rate::Rate;
use stop::Cause;
use worker::{Stage, Todo, Worker};

/// What a piece of work brings back.
struct Done {
    /// The pod it was for.
    uid: String,
    what: What,
}

/// What a pod's worker waited for.
enum What {
    /// The sandbox is there.
    Sandbox,
    /// A pull has ended.
    Pulled(Box<Pulled>),
    /// A container has started.
    Started(Box<Todo>, Arc<Image>),
    /// A container's main process has ended by itself.
    Exited { container: String, id: String, code: i32 },
    /// The time is over that containers had to stop, in this wait.
    Stopped(u64),
    /// So is that of a container which is to be replaced.
    Replaced(Box<Todo>),
    /// What was left of the pod has been cleared away.
    Removed,
}

/// One node's kubelet.
struct Kubelet {
    api: Arc<Api>,
    clock: Clock,
    seed: u64,
    dialect: Arc<Dialect>,
    recorder: Recorder,
    puller: Arc<Puller>,
    logs: Arc<Logs>,
    runtime: Arc<Runtime>,
    node: Node,
    pods: HashMap<Key, Worker>,
    access: Access,
    providers: Providers,
    rate: Rate,
    image_use: ImageUse,
    image_disk: Option<u64>,
    /// Pulls that wait, and how many run of how many that may.
    line: VecDeque<Job>,
    pulling: usize,
    parallel: usize,
    /// Pulls that the present step has asked for.
    waiting_jobs: Vec<Job>,
    /// How many sandboxes the machine and workers this kubelet have had.
    addresses: Arc<AtomicU32>,
    workers: u64,
    /// Whether its machine is on, and had been off before.
    power: Power,
    rebooted: bool,
    /// At which part of a second the node looks at its containers, and at its timers.
    relist: i64,
    ticker: i64,
    beating: bool,
}

impl fmt::Debug for Kubelet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kubelet({}, {} pods)", self.node.name, self.pods.len())
    }
}

impl Kubelet {
    fn new(options: &KubeletOptions, machine: Machine) -> Self {
        let Machine { node, puller, power, addresses, boots, told } = machine;
        let name = node.name.clone();
        let again = if boots == 0 { String::new() } else { format!("/{boots}") };
        let mut rng = seed::rng(options.seed, &format!("kubelet/{name}{again}"));
        node.register(&options.api, &options.dialect);
        let recorder = Recorder::new(
            options.api.clone(),
            options.clock.clone(),
            "kubelet",
            Some(node.name.clone()),
            options.dialect.clone(),
        );
        if told {
            fleet::announce(&recorder, &node, boots > 0);
        }
        Self {
            api: options.api.clone(),
            clock: options.clock.clone(),
            seed: options.seed,
            dialect: options.dialect.clone(),
            recorder,
            puller,
            logs: options.logs.clone(),
            runtime: options.runtime.clone(),
            node,
            pods: HashMap::new(),
            access: Access::default(),
            providers: Providers::new(options.nodes.credential_providers.clone()),
            rate: Rate::new(options.nodes.pull_rate),
            image_use: ImageUse::default(),
            image_disk: options.nodes.image_disk,
            line: VecDeque::new(),
            pulling: 0,
            parallel: options.nodes.parallel_pulls.max(1),
            waiting_jobs: Vec::new(),
            addresses,
            power,
            rebooted: boots > 0,
            workers: 0,
            relist: rng.random_range(0..1_000_000_000),
            ticker: rng.random_range(0..1_000_000_000),
            beating: false,
        }
    }

    /// Looks whether a pod is due, and syncs it or sets an alarm.
    fn look(&mut self, key: &Key, context: &Context) {
        let Some(pod) = self.api.store().get("pods", key).filter(|pod| self.is_mine(pod.value())) else {
            if let Some(worker) = self.pods.remove(key) {
                self.lost(&worker);
            }
            return;
        };
        let now = self.clock.now();
        let mut worker = match self.pods.remove(key) {
            Some(worker) if worker.uid == pod.meta("uid") => worker,
            before => {
                before.iter().for_each(|worker| self.lost(worker));
                self.new_worker(&pod)
            }
        };
        if !pod.value()["metadata"]["deletionTimestamp"].is_null() {
            match worker.stage {
                Stage::Idle | Stage::Syncing(_) => {
                    self.stop(&mut worker, key, pod.value(), Cause::Deleted, context);
                }
                Stage::Stopping(_) => self.hurry(&mut worker, key, pod.value(), context),
                Stage::Clearing | Stage::Gone => {}
            }
        } else if matches!(worker.stage, Stage::Idle)
            && self.deadline(&worker, pod.value()).is_some_and(|end| end <= now)
        {
            self.say_overdue(pod.value());
            self.stop(&mut worker, key, pod.value(), Cause::Overdue, context);
        } else if matches!(worker.stage, Stage::Idle) && !worker.is_left_alone() {
            let wanted = if worker.dirty {
                Some(worker.synced.map_or(now, |ended| sync::tick(ended, self.relist)))
            } else {
                worker.due
            };
            match wanted {
                Some(at) if at <= now => self.begin(&mut worker, key, &pod, context),
                _ => {}
            }
        }
        self.set_alarm(&mut worker, key, context);
        self.pods.insert(key.clone(), worker);
        self.flush(context);
    }

    /// Has the pod looked at again when it is due.
    fn set_alarm(&self, worker: &mut Worker, key: &Key, context: &Context) {
        if !matches!(worker.stage, Stage::Idle) || worker.is_left_alone() {
            return;
        }
        let deadline = self.deadline(worker, worker.pod.value());
        let dirty = worker.dirty.then(|| worker.synced.map(|ended| sync::tick(ended, self.relist))).flatten();
        let Some(at) = [worker.due, dirty, deadline].into_iter().flatten().min() else { return };
        let now = self.clock.now();
        if worker.alarm.is_none_or(|alarm| alarm <= now || at < alarm) {
            worker.alarm = Some(at);
            context.again_at(key.clone(), at);
        }
    }

    fn new_worker(&mut self, pod: &Arc<Stored>) -> Worker {
        self.workers += 1;
        let name = format!("kubelet/{}/{}/{}", self.node.name, pod.key(), self.workers);
        let mut worker = Worker::new(pod, seed::rng(self.seed, &name), self.clock.now());
        self.remember(&mut worker, pod.value());
        worker
    }

    /// Puts the pulls in line that a step has asked for, now that its worker is back in its place.
    fn flush(&mut self, context: &Context) {
        for job in std::mem::take(&mut self.waiting_jobs) {
            self.enqueue(job, context);
        }
    }

    fn is_mine(&self, pod: &Value) -> bool {
        pod["spec"]["nodeName"] == self.node.name.as_str()
    }

    fn beat(&mut self, context: &Context) {
        if !self.beating {
            context.again_at(self.disk_key(), self.clock.now() + image_gc::PERIOD);
        }
        if self.beating {
            self.node.heartbeat(&self.api, &self.dialect, &self.puller.images());
        }
        self.beating = true;
        context.again_at(self.node.key(), self.clock.now() + HEARTBEAT);
    }
}

impl Controller for Kubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        if !self.power.is_on() {
            return;
        }
        match &*event.resource {
            "pods" if self.is_mine(event.object.value()) => {
                let changed = match self.pods.get_mut(&event.key) {
                    Some(worker) => worker.sees(event),
                    None => true,
                };
                if changed {
                    queue.add(event.key.clone());
                }
            }
            "nodes" if event.key.name == self.node.name => {
                self.node.tell_cordon(&self.recorder, event);
                if !self.beating {
                    queue.add(self.node.key());
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        if !self.power.is_on() {
            return;
        }
        if *key == self.disk_key() {
            self.look_at_disk(context);
        } else if key.namespace.is_empty() {
            self.beat(context);
        } else {
            self.look(key, context);
        }
    }

    fn finished(&mut self, key: &Key, outcome: Outcome, context: &Context) {
        let Ok(done) = outcome.downcast::<Done>() else { return };
        if !self.power.is_on() {
            return;
        }
        let Done { uid, what } = *done;
        let ended_pull = matches!(what, What::Pulled(_));
        if matches!(&what, What::Pulled(pulled) if pulled.result.is_ok()) {
            self.node.tell_images(&self.api, &self.puller.images());
        }
        if let Some(mut worker) = self.pods.remove(key) {
            if worker.uid == uid {
                match (&worker.stage, what) {
                    (_, What::Exited { container, id, code }) => {
                        let news = self.exited(&mut worker, &container, &id, code);
                        if news && matches!(worker.stage, Stage::Stopping(_)) {
                            self.go_on_stopping(&mut worker, key, context);
                        }
                    }
                    (_, What::Stopped(wait)) => self.waited(&mut worker, key, wait, context),
                    (Stage::Clearing, What::Removed) => self.removed(&mut worker, key),
                    (Stage::Syncing(_), what) => self.resume(&mut worker, key, what, context),
                    _ => {}
                }
            }
            self.pods.insert(key.clone(), worker);
        }
        self.flush(context);
        if ended_pull {
            self.pulling = self.pulling.saturating_sub(1);
            self.start_pulls(context);
        }
        self.look(key, context);
    }
}
