//! The same drills on real Kubernetes: `kind`, and an existing cluster.
//!
//! Needs a Docker engine, the kind program and a node image; what is missing makes these tests skip, loudly.
//! They take turns: a machine has room for one cluster.

#[path = "../support/comparison/mod.rs"]
mod comparison;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "end-to-end tests need more of it")]
mod support;

mod cases;
mod crash;
mod existing;
mod guest_nodes;
mod lab;
mod machine;
mod peer;
mod same;
mod turn;
