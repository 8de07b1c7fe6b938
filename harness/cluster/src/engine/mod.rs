//! The one loop in which everything that reacts to the cluster's state runs: controllers, scheduler and
//! kubelets.
//!
//! Each part is a [`Controller`]. The engine hands every store event to every controller, which names the
//! keys it wants to look at again; each key is then reconciled once, however often it was named. Work
//! that takes time (a pull, a grace period) is done elsewhere and comes back as a message, in lab time.
//! Everything of one cluster runs on one task, so a run with a stepped clock and a seed is repeatable.

mod queue;
mod runner;

use std::any::Any;

pub use queue::Queue;
pub use runner::{Context, Door, Engine};

use crate::store::{Event, Key};

/// What an asynchronous piece of work brings back; the controller that started it knows its type.
pub type Outcome = Box<dyn Any + Send>;

/// A part that reacts to the cluster's state.
pub trait Controller: Send {
    /// Its name, for example `deployment-controller`.
    fn name(&self) -> &'static str;

    /// Names the keys that an event makes worth another look. After a gap in the events (a restart, an
    /// advance of the clock) every object comes once more as [`crate::store::Change::Added`].
    fn observe(&mut self, event: &Event, queue: &mut Queue);

    /// Brings the world one step closer to what `key` should be. Errors of the API are the controller's
    /// to handle: usually by asking for the key again with [`Context::again_at`].
    fn reconcile(&mut self, key: &Key, context: &Context);

    /// Takes the outcome of work started with [`Context::start`].
    fn finished(&mut self, key: &Key, outcome: Outcome, context: &Context) {
        let _ = (key, outcome, context);
    }
}
