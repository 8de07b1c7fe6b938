//! The `pulldrill` command: parses, calls, prints. What it prints is decided by the lab.

mod args;
mod client;
mod commands;
mod exit;
mod folder;
mod logging;
mod output;
mod parse;

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// An API server and a registry allocate much and briefly, in every thread: the system's allocator takes a fifth of the
/// time of a request, and keeps more memory.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    pulldrill_tls::install_provider();
    let args = args::Args::of_this_process();
    let out = output::Output::new(args.common.format());
    match commands::run(args, &out) {
        Ok(exit) => exit.into(),
        Err(failure) => out.failure(&failure).into(),
    }
}
