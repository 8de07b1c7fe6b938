//! An embedded Kubernetes that real clients can talk to and whose kubelets really pull.
//!
//! Layout, lowest first:
//!
//! - [`store`]: every object, numbered, with a window of events.
//! - [`api`]: the rules of reading and writing objects, and HTTP.
//! - [`engine`]: the loop in which controllers, scheduler and kubelets run.
pub mod api;
pub mod engine;
pub mod patch;
pub mod schema;
pub mod store;
