//! Rebuilds the crate when an asset or a template is new: those that are there are known to the compiler.
#![expect(clippy::disallowed_macros, reason = "build scripts speak to Cargo by printing")]

fn main() {
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed=templates");
}
