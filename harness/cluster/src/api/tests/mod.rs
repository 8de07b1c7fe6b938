//! Tests of the rules below HTTP.

mod mutations;
mod writes;
