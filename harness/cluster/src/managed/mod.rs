//! Who owns which fields of an object: `metadata.managedFields`, and how writes change it. Pure functions over
//! objects and sets; which manager a request names and what its subresource may touch is the API's.
//!
//! The rules are those of Kubernetes' `managedfields` package and of structured-merge-diff's `merge`.

mod apply;
mod cap;
mod conflict;
mod entry;
mod known;
mod last_applied;
mod prune;
mod update;
mod wire;

pub use apply::{Applied, ApplyError, apply};
pub use conflict::Conflicts;
pub use entry::{Entry, ManagedFields, Operation, Owner};
pub use known::Known;
pub use update::{Versions, Write, update};
pub use wire::{Claim, taken_from};

#[cfg(test)]
mod tests;
