//! The judge: one task that sees every change in lab time and turns it into drill events.
//!
//! It opens the symptom gates, runs the checks, keeps the holds, and notices what deserves a word. What
//! it decides is written through the ledger; it keeps nothing else that matters. The predicates themselves
//! are in [`crate::checks`].

mod case;
mod notice;
mod task;

use std::sync::Arc;

use parking_lot::Mutex;
use pulldrill_clock::{Busy, Clock, Timestamp, mailbox};
use pulldrill_scenarios::Variant;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use case::Case;
pub(crate) use case::Gate;
pub(crate) use notice::POD_DELETED;

use crate::{backend::Backend, observe::Retries, stage::Stage, store::Ledger};

/// What the judge can be told.
enum Message {
    /// Look for the symptom of this drill.
    Arm { variant: Arc<Variant>, gate: Gate },
    /// Open at once where the symptom has been seen; from now on, open whenever it is.
    OpenSeen,
    /// A hold may be over.
    HoldOver { drill: String, since: Timestamp },
    /// Judge again, whatever has changed or not.
    Look { drill: String },
    /// The drill begins anew or is gone.
    Forget { drill: String, done: oneshot::Sender<()> },
    /// Whether the template of the drill's workload has changed since it opened.
    TemplateChanged { drill: String, answer: oneshot::Sender<bool> },
}

/// The handle of the judge.
#[derive(Clone)]
pub(crate) struct Judge {
    messages: mailbox::Sender<Message>,
    retries: Arc<Mutex<Retries>>,
}

impl Judge {
    /// Starts the judge's task.
    pub(crate) fn start(
        backend: Arc<dyn Backend>,
        stage: Arc<Stage>,
        ledger: Arc<Ledger>,
        changed: tokio::sync::watch::Sender<u64>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let clock = backend.clock().clone();
        let (messages, inbox) = mailbox::mailbox(&clock);
        let retries = Arc::new(Mutex::default());
        let task = task::Task::new(backend, stage, ledger, changed, messages.clone(), retries.clone());
        (Self { messages, retries }, task.run(inbox, stop))
    }

    /// From when on the image of a waiting pod may be pulled again; lab time.
    pub(crate) fn next_pull(&self, pod: &Value) -> Option<Timestamp> {
        self.retries.lock().next(pod)
    }

    /// Looks for the symptom of a drill from now on.
    pub(crate) fn arm(&self, variant: Arc<Variant>, gate: Gate) {
        self.messages.send(Message::Arm { variant, gate });
    }

    /// Opens every drill whose symptom has been seen, and from now on each when its symptom is seen.
    pub(crate) fn open_seen(&self) {
        self.messages.send(Message::OpenSeen);
    }

    /// Judges a drill again.
    pub(crate) fn look(&self, drill: &str) {
        self.messages.send(Message::Look { drill: drill.to_owned() });
    }

    /// Stops judging a drill; returns when that is so.
    pub(crate) async fn forget(&self, drill: &str) {
        let (done, forgotten) = oneshot::channel();
        self.messages.send(Message::Forget { drill: drill.to_owned(), done });
        drop(forgotten.await);
    }

    /// Whether the trainee has changed the workload's template.
    pub(crate) async fn template_changed(&self, drill: &str) -> bool {
        let (answer, changed) = oneshot::channel();
        self.messages.send(Message::TemplateChanged { drill: drill.to_owned(), answer });
        changed.await.unwrap_or(false)
    }
}

/// A timer's message: the token that the clock hands over is no longer needed once it is sent.
fn schedule(
    clock: &Clock,
    at: Timestamp,
    messages: &mailbox::Sender<Message>,
    message: Message,
) -> pulldrill_clock::clock::TimerId {
    let messages = messages.clone();
    clock.schedule(at, move |_busy: Busy| messages.send(message))
}
