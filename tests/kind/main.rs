//! The same drills on real Kubernetes: `kind`, and an existing cluster.
//!
//! Needs a Docker engine, the kind program and a node image; what is missing makes these tests skip, loudly.

#[path = "../support/mod.rs"]
mod support;

mod existing;
