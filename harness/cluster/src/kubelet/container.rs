//! One container on a node: what it runs, since when, and how it ends.
//!
//! Images with programs that the runtime has run those (`launch`). Of others nothing is executed: an image says
//! with the label `pulldrill.behaviour` whether its containers serve until they are stopped or do their work and
//! exit.

use std::sync::Arc;

use pulldrill_clock::{SignedDuration, Timestamp};

use crate::{puller::Image, runtime::container::KILLED};

/// The label by which an image says how its containers behave.
pub(super) const BEHAVIOUR: &str = "pulldrill.behaviour";

/// A container that has been created.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Container {
    /// `containerd://…`, `cri-o://…`
    pub(super) id: String,
    /// What the pod said when it was created.
    pub(super) spec_image: String,
    pub(super) image: Arc<Image>,
    pub(super) started: Timestamp,
    /// When it is ready, if nothing happens.
    pub(super) ready_at: Timestamp,
    /// When it exits by itself, or has.
    pub(super) exits_at: Option<Timestamp>,
    /// With which code it has, when it ran a program.
    pub(super) code: Option<i32>,
    /// With which code it ends when it is asked to; without one it does not listen, and is killed in the end.
    pub(super) term: Option<i32>,
    pub(super) ended: Option<Ended>,
    /// What it left behind to be told when it has ended.
    pub(super) message: String,
}

impl Container {
    /// It has been stopped, unless it had ended before.
    pub(super) fn kill(&mut self, now: Timestamp) {
        let code = self.code.or(self.term).unwrap_or(KILLED);
        self.ended.get_or_insert(Ended::with(code, now));
    }
}

/// The reason of a container that could not even start.
pub(super) const START_ERROR: &str = "StartError";

/// The reason of one that was gone when its runtime started again (`unknownExitReason` of containerd).
pub(super) const UNKNOWN: &str = "Unknown";

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) at: Timestamp,
    /// Why it could not even start.
    pub(super) failure: Option<String>,
    /// Whether nobody saw it end.
    pub(super) unseen: bool,
}

impl Ended {
    pub(super) fn with(code: i32, at: Timestamp) -> Self {
        Self { code, at, failure: None, unseen: false }
    }

    pub(super) fn reason(&self) -> &'static str {
        if self.failure.is_some() {
            return START_ERROR;
        }
        if self.unseen {
            return UNKNOWN;
        }
        if self.code == 0 { "Completed" } else { "Error" }
    }
}

/// What is known of a container name: the present container, the one before it, and how many there were.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    pub(super) current: Option<Container>,
    pub(super) last: Option<Container>,
    pub(super) restarts: u32,
}

impl Slot {
    pub(super) fn running(&self) -> Option<&Container> {
        self.current.as_ref().filter(|c| c.ended.is_none())
    }

    pub(super) fn ended(&self) -> Option<(&Container, &Ended)> {
        let current = self.current.as_ref()?;
        current.ended.as_ref().map(|ended| (current, ended))
    }

    /// Takes the present container away, to be replaced.
    pub(super) fn retire(&mut self, now: Timestamp) {
        if let Some(mut container) = self.current.take() {
            container.kill(now);
            self.last = Some(container);
        }
    }

    /// How many containers there have been.
    pub(super) fn started(&self) -> u32 {
        self.restarts + u32::from(self.last.is_some() || self.current.is_some())
    }

    /// Puts a container in place of the one that has ended.
    pub(super) fn start(&mut self, container: Container) {
        self.restarts = self.started();
        if let Some(before) = self.current.replace(container) {
            self.last = Some(before);
        }
    }

    /// Ends the container if its time has come. True when it has.
    pub(super) fn reap(&mut self, now: Timestamp) -> bool {
        let Some(container) = &mut self.current else { return false };
        match container.exits_at {
            Some(at) if container.ended.is_none() && at <= now => {
                let by_itself = if container.image.architecture == "amd64" { 0 } else { 255 };
                let code = container.code.unwrap_or(by_itself);
                container.ended = Some(Ended::with(code, at));
                true
            }
            _ => false,
        }
    }
}

/// When a container of `image`, started at `started`, exits by itself; an init container always does.
pub(super) fn exit_time(image: &Image, init: bool, started: Timestamp) -> Option<Timestamp> {
    let exits = init
        || image.architecture != "amd64"
        || image.labels.get(BEHAVIOUR).is_some_and(|behaviour| behaviour == "exit");
    exits.then(|| started + SignedDuration::from_millis(700))
}
