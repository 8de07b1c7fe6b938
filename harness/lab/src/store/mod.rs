//! The lab's journal: what happened to every drill, append-only.
//!
//! - [`event`]: the events. [`fold`]: what a series of them amounts to.
//! - [`sqlite`]: where they are kept, by one thread that owns the database.
//! - [`Ledger`]: the one way to add to them: decide on what has been folded so far, write, fold on.
//!
//! It knows nothing of clusters; it never forgets and never changes what has been written.

pub(crate) mod event;
pub(crate) mod fold;
mod ledger;
mod sqlite;

pub(crate) use event::{CheckResult, DrillEvent, JournalEntry};
pub(crate) use fold::Progress;
pub(crate) use ledger::Ledger;
