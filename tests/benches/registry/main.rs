//! The registry and Debian's `docker-registry` side by side: the same client program, the same content, one run on one
//! machine. Both keep their data on disk, or both in memory.
//!
//! `cargo bench -p pulldrill-cli --bench registry` with `PULLDRILL_TEST_REGISTRY` prints the figures and their ratios;
//! without it, only ours. Nothing is asserted but that the answers are right.
#![expect(clippy::disallowed_macros, reason = "a bench prints its figures")]

mod measures;
mod raw;
mod servers;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "another bench needs more of it")]
mod support;

use anyhow::Result;
use servers::Server;
use support::figures;

const MODES: [(&str, bool); 2] = [("in memory", false), ("on disk", true)];

#[tokio::main]
async fn main() -> Result<()> {
    pulldrill_tls::install_provider();
    for (mode, disk) in MODES {
        let ours = {
            let server = Server::ours(disk).await?;
            measures::all(&server, |figure| figures::tell(&format!("pulldrill, {mode}"), figure)).await?
        };
        let theirs = match Server::debian(disk).await? {
            Some(server) => {
                let tell = |figure: &_| figures::tell(&format!("docker-registry, {mode}"), figure);
                Some(measures::all(&server, tell).await?)
            }
            None => None,
        };
        figures::print(mode, ("pulldrill", &ours), ("docker-registry", theirs.as_deref()));
    }
    println!(
        "\none connection of this machine, from memory: {:.0} MiB/s with TLS, {:.0} MiB/s without",
        raw::with_tls(measures::LARGE).await?,
        raw::without_tls(measures::LARGE).await?
    );
    Ok(())
}
