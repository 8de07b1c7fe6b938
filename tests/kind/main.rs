//! The same drills on real Kubernetes: `kind`, and an existing cluster.
//!
//! Needs a Docker engine, the kind program and a node image; what is missing makes these tests skip, loudly.

#[path = "../support/comparison/mod.rs"]
mod comparison;
#[path = "../support/mod.rs"]
mod support;

mod cases;
mod existing;
mod same;

/// Held by whoever has a real cluster: two at a time are too many for a small machine.
static ONE_CLUSTER: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
