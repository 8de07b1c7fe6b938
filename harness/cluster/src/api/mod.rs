//! The API server: the rules of reading and writing objects, and the HTTP face of them.
//!
//! - [`Api`] is the core that controllers and HTTP requests share: one module per verb, with defaults,
//!   validation and admission beside them.
//! - [`http`] is the one generic path of all requests; `print` makes tables for them.
//! - [`Access`] knows who is who, and who may what.

mod access;
mod admission;
mod apply;
pub(crate) mod certificates;
mod convert;
mod core;
mod create;
mod defaults;
mod delete;
mod eviction;
pub mod http;
mod invalid;
mod json;
mod kinds;
mod legacy;
mod logs;
mod managing;
mod names;
mod older;
mod print;
pub(crate) mod quantity;
pub(crate) mod quota;
mod selector;
mod status;
mod template_generation;
mod update;
mod user;
mod validate;
mod warnings;
mod webhooks;
mod zero_times;

pub use access::{Access, Attributes, AuthorizationMode};
use access::{Bearer, Bound, Certified, ISSUER, MASTERS, Token};
pub(crate) use access::{aggregated, first_objects};
pub use apply::Apply;
pub use certificates::SigningAuthority;
pub use core::{Api, ApiOptions, DeleteOptions, WriteOptions};
pub use invalid::{Errors, FieldError};
pub use logs::{LogLine, LogPart, LogSource};
pub use selector::{FieldSelector, Selector};
pub use status::Status;
pub use user::User;

#[cfg(test)]
mod tests;
