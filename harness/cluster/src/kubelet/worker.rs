//! What a kubelet knows of one pod.

use std::{collections::HashMap, sync::Arc};

use pulldrill_clock::{SignedDuration, Timestamp, seed};
use serde_json::Value;

use super::{
    backoff::Backoff,
    container::Slot,
    deadline, restart,
    secrets::PullSecrets,
    stop::{self, Stopping},
};
use crate::store::{Change, Event, Stored};

/// A pod as kubelets name it in messages: `NAME_NAMESPACE(UID)`.
pub(super) fn full_name(pod: &Value) -> String {
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default();
    format!("{}_{}({})", text("name"), text("namespace"), text("uid"))
}

/// A pod's sandbox.
#[derive(Clone, Debug)]
pub(super) struct Sandbox {
    pub(super) address: String,
    /// Whether it is still there.
    pub(super) ready: bool,
}

/// What a pod's worker is doing.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing, until the next sync.
    Idle,
    /// It syncs, and waits for something.
    Syncing(Box<Sync>),
    /// It stops the containers.
    Stopping(Box<Stopping>),
    /// They have stopped, and what is left of the pod is cleared away.
    Clearing,
    /// The pod is over and done with.
    Gone,
}

/// A sync that is under way.
#[derive(Debug)]
pub(super) struct Sync {
    /// The pod as it was when the sync began.
    pub(super) pod: Arc<Stored>,
    pub(super) secrets: PullSecrets,
    /// The containers still to be looked at, the next one last.
    pub(super) todo: Vec<Todo>,
    /// Whether a start has failed.
    pub(super) failed: bool,
    /// When sandbox or containers first changed, and when they last did: another look follows.
    pub(super) changed: Option<(Timestamp, Timestamp)>,
}

impl Sync {
    /// Sandbox or containers have changed.
    pub(super) fn change(&mut self, now: Timestamp) {
        let first = self.changed.map_or(now, |(first, _)| first);
        self.changed = Some((first, now));
    }
}

/// A container to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Todo {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) policy: String,
    /// Seconds until its readiness probe first asks.
    pub(super) ready_after: i64,
    /// Which list of the pod it is in.
    pub(super) list: &'static str,
    /// Command and arguments, where the pod gives them.
    pub(super) arguments: Vec<String>,
    /// All that the pod says of it.
    pub(super) container: Value,
}

impl Todo {
    /// The part of the pod that events about this container name.
    pub(super) fn field_path(&self) -> String {
        format!("spec.{}{{{}}}", self.list, self.name)
    }

    /// Whether it runs before the others, and to its end.
    pub(super) fn init(&self) -> bool {
        self.list == "initContainers" && !restart::is_sidecar(&self.container)
    }
}

/// Why a container waits, as the last attempt to start it left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) reason: String,
    pub(super) message: String,
}

/// What a kubelet knows of one pod.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) uid: String,
    pub(super) rng: seed::Rng,
    pub(super) stage: Stage,
    /// How often it has been waited for containers to stop.
    pub(super) stops: u64,
    /// When to sync next.
    pub(super) due: Option<Timestamp>,
    /// When it will be looked at at the latest.
    pub(super) alarm: Option<Timestamp>,
    /// The pod as last seen.
    pub(super) pod: Arc<Stored>,
    /// Whether the pod was changed by somebody else.
    pub(super) dirty: bool,
    /// Whether the next sync is to be followed by another at once.
    pub(super) twice: bool,
    /// When the last sync ended.
    pub(super) synced: Option<Timestamp>,
    /// Whether the pod is over for good.
    pub(super) terminal: bool,
    /// Whether it had ended when the kubelet first saw it: its status is no longer touched.
    pub(super) finished: bool,
    /// Whether its time is over, and its containers have been stopped for that.
    pub(super) overdue: bool,
    /// When a kubelet first saw the pod.
    pub(super) since: Timestamp,
    pub(super) sandbox: Option<Sandbox>,
    /// How long it was waited last for volumes that can't be mounted.
    pub(super) mount_wait: Option<SignedDuration>,
    pub(super) slots: HashMap<String, Slot>,
    /// What the last attempts to start each container came to; the next sync's status shows it.
    pub(super) waiting: HashMap<String, Waiting>,
    /// By image, as the pod writes it.
    pub(super) backoff: HashMap<String, Backoff>,
    /// By container and image: when one that ended may be started again.
    pub(super) restarts: HashMap<(String, String), Backoff>,
    /// By image: what the last pull came to.
    pub(super) last_errors: HashMap<String, Waiting>,
}

impl Worker {
    pub(super) fn new(pod: &Arc<Stored>, rng: seed::Rng, now: Timestamp) -> Self {
        Self {
            uid: pod.meta("uid").to_owned(),
            alarm: None,
            pod: pod.clone(),
            rng,
            stage: Stage::Idle,
            stops: 0,
            due: None,
            dirty: true,
            twice: false,
            synced: None,
            terminal: false,
            finished: deadline::has_ended(pod.value()),
            overdue: deadline::is_overdue(pod.value()),
            since: now,
            sandbox: None,
            mount_wait: None,
            slots: HashMap::new(),
            waiting: HashMap::new(),
            backoff: HashMap::new(),
            restarts: HashMap::new(),
            last_errors: HashMap::new(),
        }
    }

    /// Whether nothing is done for the pod any more until it is deleted.
    pub(super) fn is_left_alone(&self) -> bool {
        self.overdue || self.finished
    }

    pub(super) fn is_syncing(&self) -> bool {
        matches!(self.stage, Stage::Syncing(_))
    }

    /// Takes in an event of the pod. True when the pod is to be looked at: a changed status alone is no
    /// reason.
    pub(super) fn sees(&mut self, event: &Event) -> bool {
        let (before, now) = (self.pod.value(), event.object.value());
        let gone = event.change == Change::Deleted || event.object.meta("uid") != self.uid;
        let deleting = |pod: &Value| !pod["metadata"]["deletionTimestamp"].is_null();
        let same_meta = ["labels", "annotations"].iter().all(|f| before["metadata"][f] == now["metadata"][f]);
        let hurried = deleting(now) && stop::grace(before) != stop::grace(now);
        let changed =
            before["spec"] != now["spec"] || !same_meta || deleting(before) != deleting(now) || hurried;
        self.pod = event.object.clone();
        self.dirty |= changed;
        changed || gone
    }

    pub(super) fn slot(&mut self, name: &str) -> &mut Slot {
        self.slots.entry(name.to_owned()).or_default()
    }

    /// Ends what has come to its end by itself. True when anything has.
    pub(super) fn reap(&mut self, now: Timestamp) -> bool {
        let ended = self.slots.values_mut().filter_map(|slot| slot.reap(now).then_some(()));
        ended.count() > 0
    }

    /// When something next happens to a container by itself.
    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let running = self.slots.values().filter_map(Slot::running);
        running.flat_map(|c| c.exits_at.into_iter().chain([c.ready_at])).filter(|at| *at > now).min()
    }
}
