//! What was seen in the namespaces of drills: every version of their pods, workloads and events, with the
//! time at which it was seen.
//!
//! - [`Recorder`]: follows the cluster's objects and keeps a [`tape`] for each drill.
//! - [`applied`]: what was done to bring a drill about, as a file.
//!
//! It looks at what any client of the cluster could see; it judges nothing and writes no file.

mod applied;
mod tape;

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use pulldrill_clock::{Clock, SignedDuration, Timestamp, mailbox};
use pulldrill_cluster::store::{Event, Store, StoreChanged};
use tokio_util::sync::CancellationToken;

pub(crate) use applied::applied;

use crate::view::ChangeView;
use tape::{Seen, Tape};

/// The resources whose changes are kept.
const RESOURCES: [&str; 6] =
    ["pods", "deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "events"];

/// How many changes are kept of a drill; hours of a drill that nobody touches.
const KEPT: usize = 2_000;

/// Keeps what is seen of every drill since its namespace was made.
#[derive(Clone)]
pub(crate) struct Recorder {
    store: Arc<Store>,
    clock: Clock,
    tapes: Arc<Mutex<Tapes>>,
}

/// All tapes, by namespace.
struct Tapes {
    /// The revision up to which everything has been taken in.
    seen: u64,
    by_namespace: BTreeMap<String, Tape>,
}

impl Recorder {
    /// A recorder of these objects; [`Recorder::run`] keeps it up to date.
    pub(crate) fn new(store: Arc<Store>, clock: Clock) -> Self {
        let tapes = Tapes { seen: store.revision(), by_namespace: BTreeMap::new() };
        Self { store, clock, tapes: Arc::new(Mutex::new(tapes)) }
    }

    /// Takes in what happens until it is stopped.
    pub(crate) fn run(
        &self,
        mut changes: mailbox::Receiver<StoreChanged>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let recorder = self.clone();
        async move {
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    Some((StoreChanged, _busy)) = changes.recv() => {
                        while changes.try_recv().is_ok() {}
                        recorder.catch_up(&mut recorder.tapes.lock());
                    }
                    else => return,
                }
            }
        }
    }

    /// Begins a namespace's tape, in place of one that there may be.
    pub(crate) fn begin(&self, namespace: &str) {
        let mut tapes = self.tapes.lock();
        self.catch_up(&mut tapes);
        tapes.by_namespace.insert(namespace.to_owned(), Tape::new(KEPT));
    }

    /// What was seen in a namespace, the oldest first, and how many older changes are no longer kept.
    pub(crate) fn changes(&self, namespace: &str) -> (Vec<ChangeView>, u64) {
        let mut tapes = self.tapes.lock();
        self.catch_up(&mut tapes);
        let tape = tapes.by_namespace.get(namespace);
        tape.map(|tape| (tape.shown(self.shift()), tape.dropped())).unwrap_or_default()
    }

    /// Takes in everything up to now.
    fn catch_up(&self, tapes: &mut Tapes) {
        loop {
            if let Ok(events) = self.store.events_since(tapes.seen) {
                self.keep(tapes, &events);
                tapes.seen = events.last().map_or(tapes.seen, |event| event.revision);
                return;
            }
            // The world was made older, or changes came faster than they are kept.
            match self.store.missed_by_aging(tapes.seen) {
                Some(events) => self.keep(tapes, &events),
                None => tapes.by_namespace.values_mut().for_each(Tape::missed),
            }
            tapes.seen = self.store.oldest();
        }
    }

    fn keep(&self, tapes: &mut Tapes, events: &[Arc<Event>]) {
        let shown = self.clock.shown_now();
        let shift = self.shift();
        for event in events.iter().filter(|event| RESOURCES.contains(&&*event.resource)) {
            if let Some(tape) = tapes.by_namespace.get_mut(&event.key.namespace) {
                tape.keep(Seen { shown, shift, change: event.change, object: event.object.clone() });
            }
        }
    }

    /// How far shown times lie in the past.
    fn shift(&self) -> SignedDuration {
        let shown = self.clock.shown(Timestamp::UNIX_EPOCH);
        Timestamp::UNIX_EPOCH.duration_since(shown)
    }
}

#[cfg(test)]
mod tests;
