//! Comparing two recordings of the same drill, whatever they were made of: real clusters, the embedded one,
//! folders written long ago.
//!
//! - [`recording`]: what a recording holds. [`compare()`]: what is different between two; `sequence`: whether
//!   the events of either come in the order, and at the times, of a kubelet.
//! - [`normalise`]: what two recordings may differ in; the rules are `normalisation.yaml`.
//! - [`mutations`]: proof that the comparison can fail.

mod compare;
pub(crate) mod mutations;
mod normalise;
mod recording;
mod sequence;

pub(crate) use compare::compare;
pub(crate) use normalise::Normaliser;
#[allow(unused_imports, reason = "not every test program makes recordings of its own")]
pub(crate) use recording::{EventChange, Recording, status_column};
