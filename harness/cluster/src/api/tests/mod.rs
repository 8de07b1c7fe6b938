//! Tests of the rules below HTTP.

mod mutations;
mod services;
mod writes;
