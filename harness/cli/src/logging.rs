//! The log of a running lab: warnings to standard error, more with `PULLDRILL_LOG=debug`.

use tracing_subscriber::EnvFilter;

/// Starts it. Later calls change nothing.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("PULLDRILL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let _already_started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(anstream::stderr)
        .with_target(false)
        .try_init();
}
