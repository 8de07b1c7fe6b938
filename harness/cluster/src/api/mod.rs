//! The API server: the rules of reading and writing objects, and the HTTP face of them.
//!
//! - [`Api`] is the core that controllers and HTTP requests share: one module per verb, with defaults,
//!   validation and admission beside them.

mod admission;
mod core;
mod create;
mod defaults;
mod delete;
mod invalid;
mod json;
mod kinds;
mod names;
mod quantity;
mod selector;
mod status;
mod update;
mod user;
mod validate;

pub use core::{Api, ApiOptions, DeleteOptions, WriteOptions};
pub use invalid::{Errors, FieldError};
pub use selector::{FieldSelector, Selector};
pub use status::Status;
pub use user::User;

#[cfg(test)]
mod tests;
