//! An embedded Kubernetes that real clients can talk to and whose kubelets really pull.
//!
//! Layout, lowest first:
//!
//! - [`store`]: every object, numbered, with a window of events.
//! - [`schema`]: what the built-in types look like.
//! - [`fields`]: sets of an object's fields; [`managed`]: who owns which.
//! - [`patch`]: the four ways of changing an object.
//! - [`api`]: the rules of reading and writing objects, and HTTP.
//! - [`resources`]: the table of what is served.
//! - [`engine`]: the loop in which controllers, scheduler and kubelets run.
//! - [`dialect`]: the wording and timing of a kubelet and runtime version, as data.
//! - [`kubelet`]: what makes pods run on a node, or says why they do not.
//! - [`runtime`]: what runs inside containers. [`streams`]: the seam between it and the protocols that reach it.
//! - [`network`]: names, routes and firewalls as the nodes see them.
//! - [`puller`]: how a node gets images, over real HTTPS.
//! - [`controllers`]: Deployments and the other workloads, garbage, namespaces; with the scheduler.
//! - [`Cluster`]: all of it, started with one call.
//! - [`recorder`]: how components write events: aggregated, counted, rate-limited.
pub mod api;
mod blocking;
mod bucket;
mod cluster;
pub mod controllers;
pub mod dialect;
pub mod engine;
pub mod fields;
mod go;
mod go_json;
mod json_writer;
pub mod kubelet;
pub mod managed;
pub mod network;
pub mod patch;
pub mod puller;
mod quantity;
pub mod recorder;
mod release;
pub mod resources;
pub mod runtime;
mod scheduler;
pub mod schema;
pub mod store;
pub mod streams;

pub use kubelet::{NodeError, NodeOptions, PullRate};

pub use cluster::{Cluster, ClusterError, ClusterOptions, DEFAULT_QUOTA, Parts, Principal};
pub use release::Release;
