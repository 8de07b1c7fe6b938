//! Rebuilds the crate when a scenario is new: those that are there are known to the compiler.
#![expect(clippy::disallowed_macros, reason = "build scripts speak to Cargo by printing")]

fn main() {
    println!("cargo::rerun-if-changed=.");
}
