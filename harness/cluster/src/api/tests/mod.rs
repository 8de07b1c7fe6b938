//! Tests of the rules below HTTP.

mod mutations;
mod refusals;
mod services;
mod writes;
