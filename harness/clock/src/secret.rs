//! Secrets: tokens nobody can guess, drawn from the operating system.
//!
//! They are the one kind of randomness that no seed may reproduce.

use uuid::Uuid;

/// A fresh token of 64 hexadecimal digits.
#[must_use]
pub fn token() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// A fresh object uid in the usual form.
#[must_use]
pub fn uid() -> String {
    Uuid::new_v4().to_string()
}
