//! The admin API: a registry that runs elsewhere, under its owner's control over HTTP with a bearer token.
//!
//! - [`wire`]: what goes over the wire; `server` and `handlers`: the registry's side; `tunnel`: `CONNECT`, by which
//!   the same port leads to every host's own listener.
//! - [`client`]: the owner's side, a [`crate::Control`] like the registry itself; `forward`: a local port for each
//!   host; `mirror`: its copy of the pull log.
//!
//! What clients of the registry are told is no matter of this module: they never come here.

pub mod client;
mod forward;
mod handlers;
mod mirror;
mod refusal;
mod server;
mod tunnel;
pub mod wire;

pub use client::{AdminClient, AdminClientOptions};
pub use server::{AdminServer, serve};
pub use wire::{KnownClients, Pulls, Route};
