//! What a running lab consists of.

use std::sync::Arc;

use futures::future::{BoxFuture, Shared};
use parking_lot::RwLock;
use pulldrill_clock::Clock;
use pulldrill_scenarios::{Catalogue, Variant};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::turns::Turns;
use crate::{
    LabError, LabOptions, backend::Backend, folder::Folder, inject::Injector, judge::Judge,
    recording::Recorder, stage::Stage, store::Ledger,
};

/// The parts of a lab and the drills in it.
pub(super) struct Inner {
    pub(super) options: LabOptions,
    pub(super) catalogue: Catalogue,
    pub(super) clock: Clock,
    pub(super) folder: Option<Folder>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) stage: Arc<Stage>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) judge: Judge,
    pub(super) injector: Injector,
    pub(super) recorder: Recorder,
    /// In the order in which they were started.
    pub(super) drills: RwLock<Vec<Arc<Variant>>>,
    pub(super) changed: watch::Sender<u64>,
    pub(super) instructor_token: String,
    pub(super) registry_authority: String,
    /// The end of the history that `up` plays.
    pub(super) history_end: pulldrill_clock::Timestamp,
    /// Ends when the registry has let go of every connection.
    pub(super) registry_ended: Shared<BoxFuture<'static, ()>>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// Who may inject.
    pub(super) turns: Turns,
}

impl Inner {
    /// A drill by its id.
    pub(super) fn variant(&self, id: &str) -> Result<Arc<Variant>, LabError> {
        let drills = self.drills.read();
        drills.iter().find(|variant| variant.drill == id).cloned().ok_or_else(|| LabError::UnknownDrill {
            id: id.to_owned(),
            known: drills.iter().map(|variant| variant.drill.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// All drills.
    pub(super) fn variants(&self) -> Vec<Arc<Variant>> {
        self.drills.read().clone()
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let drills: Vec<String> = self.drills.read().iter().map(|variant| variant.drill.clone()).collect();
        f.debug_struct("Lab").field("drills", &drills).field("clock", &self.clock).finish_non_exhaustive()
    }
}
