//! The pulldrill command.
fn main() {}
