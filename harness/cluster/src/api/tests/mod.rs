//! Tests of the rules below HTTP.

mod writes;
