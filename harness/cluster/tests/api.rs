//! The API server over real HTTPS, as clients see it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "api/access.rs"]
mod access;
#[path = "api/bare.rs"]
mod bare;
#[path = "api/discovery.rs"]
mod discovery;
#[path = "api/hostile.rs"]
mod hostile;
#[path = "api/objects.rs"]
mod objects;
#[path = "api/older.rs"]
mod older;
#[path = "api/watches.rs"]
mod watches;
#[path = "api/world.rs"]
mod world;
