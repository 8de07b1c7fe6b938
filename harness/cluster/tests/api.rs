//! The API server over real HTTPS, as clients see it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "api/access.rs"]
mod access;
#[path = "api/bare.rs"]
mod bare;
#[path = "api/bearers.rs"]
mod bearers;
#[path = "api/bodies.rs"]
mod bodies;
#[path = "api/certificates.rs"]
mod certificates;
#[path = "api/discovery.rs"]
mod discovery;
#[path = "api/durable.rs"]
mod durable;
#[path = "api/garbage.rs"]
mod garbage;
#[path = "api/hostile.rs"]
mod hostile;
#[path = "api/kubectl_reads.rs"]
mod kubectl_reads;
#[path = "api/kubectls.rs"]
mod kubectls;
#[path = "api/managed.rs"]
mod managed;
#[path = "api/nodes.rs"]
mod nodes;
#[path = "api/objects.rs"]
mod objects;
#[path = "api/older.rs"]
mod older;
#[path = "../../../tests/support/programs.rs"]
mod programs;
#[path = "api/refusals.rs"]
mod refusals;
#[path = "api/reviews.rs"]
mod reviews;
#[path = "api/space.rs"]
mod space;
#[path = "api/streams.rs"]
mod streams;
#[path = "api/virtual_clusters.rs"]
mod virtual_clusters;
#[path = "api/watches.rs"]
mod watches;
#[path = "api/webhooks.rs"]
mod webhooks;
#[path = "api/world.rs"]
mod world;
