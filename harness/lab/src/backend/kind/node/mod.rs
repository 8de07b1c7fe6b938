//! What is done inside a node, once it runs: where its packets, names and pulls go.
//!
//! Goes through a [`Shell`](super::shell::Shell), so it does not matter how one gets into the node. Nothing depends on
//! a version of Kubernetes. Run on kind nodes with Kubernetes 1.20 and containerd 1.7.

pub(crate) mod containerd;
pub(crate) mod images;
pub(crate) mod network;
