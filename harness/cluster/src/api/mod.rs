//! The API server: the rules of reading and writing objects, and the HTTP face of them.

mod core;
mod status;
mod user;

pub use core::{Api, DeleteOptions, WriteOptions};
pub use status::Status;
pub use user::User;
