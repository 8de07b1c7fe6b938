//! Comparing two recordings of the same drill, whatever they were made of: real clusters, the embedded one,
//! folders written long ago.
//!
//! - [`recording`]: what a recording holds. [`compare()`]: what is different between two; `sequence`: whether
//!   the events of either come in the order, and at the times, of a kubelet; `timeline`: how objects went on.
//! - [`normalise`]: what two recordings may differ in; the rules are `normalisation.yaml`.
//! - [`mutations`] and `over_time`: proof that the comparison can fail.

mod compare;
pub(crate) mod mutations;
mod normalise;
mod over_time;
mod recording;
mod sequence;
mod timeline;

#[allow(unused_imports, reason = "not every test program compares all")]
pub(crate) use compare::{compare, compare_whole};
pub(crate) use normalise::Normaliser;
#[allow(unused_imports, reason = "not every test program makes recordings of its own")]
pub(crate) use recording::{Recording, Version, WORKLOADS, status_column};
