//! What people and scripts see of a lab over HTTP: pages, live updates and the JSON API.
//!
//! - [`serve`]: the whole site on a listener, until it is told to stop.
//! - [`Pages`]: the pages as text, for whoever wants to render a status without a server.
//!
//! Inside: `routes` is the one table that says which path exists and who may call it, `gate` enforces it,
//! `api` and `pages` answer, `live` streams changes, `assets` holds what is embedded.
//!
//! It shows what the lab says and decides nothing about drills.

mod api;
mod assets;
pub mod duration;
mod error;
mod gate;
mod live;
mod pages;
mod routes;
mod site;
#[cfg(test)]
mod tests;

pub use error::WebError;
pub use pages::Pages;
pub use site::serve;

/// A header that only a program of this project sends; its presence proves that no foreign page is asking.
pub const CLIENT_HEADER: &str = "x-pulldrill-client";
