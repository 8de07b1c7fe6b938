//! The mechanics of a real `kind` cluster: containers, images, the `kind` program, what is done inside a node.
//!
//! Small functions that know Docker and nodes, and nothing of drills. What they make carries the lab's labels,
//! so that [`sweep`] can take exactly that away again, from any process.
#![allow(dead_code, unused_imports, reason = "the backend that is put together from these parts comes next")]

pub(crate) mod cluster;
pub(crate) mod engine;
pub(crate) mod error;
pub(crate) mod firewall;
pub(crate) mod folder;
pub(crate) mod image;
pub(crate) mod membership;
pub(crate) mod node;
pub(crate) mod owner;
mod process;
pub(crate) mod registry;
pub(crate) mod shell;
pub(crate) mod sweep;
#[cfg(test)]
mod testing;

pub(crate) use error::KindError;
