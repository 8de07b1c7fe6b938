//! An embedded Kubernetes that real clients can talk to and whose kubelets really pull.
//!
//! Layout, lowest first:
//!
//! - [`store`]: every object, numbered, with a window of events.
//! - [`api`]: the rules of reading and writing objects, and HTTP.
//! - [`engine`]: the loop in which controllers, scheduler and kubelets run.
//! - [`dialect`]: the wording and timing of a kubelet and runtime version, as data.
//! - [`kubelet`]: what makes pods run on a node, or says why they do not.
//! - [`network`]: names, routes and firewalls as the nodes see them.
//! - [`puller`]: how a node gets images, over real HTTPS.
//! - [`recorder`]: how components write events: aggregated, counted, rate-limited.
pub mod api;
pub mod dialect;
pub mod engine;
pub mod kubelet;
pub mod network;
pub mod puller;
pub mod recorder;
pub mod store;
