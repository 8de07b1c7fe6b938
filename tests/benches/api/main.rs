//! The embedded API server and a real kube-apiserver with etcd side by side: the same client program, the same objects,
//! one run on one machine. Writes are compared in both modes: in memory (etcd on a memory file system), and durable
//! (both on disk).
//!
//! `cargo bench -p pulldrill-cli --bench api` with `PULLDRILL_TEST_KUBE_APISERVER` and `PULLDRILL_TEST_ETCD` prints the
//! figures and their ratios; without them, only the embedded cluster's. With `-- --own` after it nothing is compared, and only
//! that is measured which the real one has not. Nothing is asserted but that the answers are right.
#![expect(clippy::disallowed_macros, reason = "a bench prints its figures")]

mod measures;
mod pods;
mod server;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "another bench needs more of it")]
mod support;
mod virtual_clusters;
mod watcher;

use anyhow::Result;
use mimalloc::MiMalloc;
use server::Server;
use support::figures;

/// The command's own: the pods of [`pods`] and the clusters of [`virtual_clusters`] live in this process.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What is compared: the embedded cluster's way of keeping objects, and the folder where etcd does the same.
const MODES: [(&str, bool); 2] = [("in memory", false), ("durable", true)];

/// How often everything is measured, each server in turn: a machine that others use as well is quicker in one minute than in
/// the next.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Result<()> {
    pulldrill_tls::install_provider();
    if std::env::args().all(|argument| argument != "--own") {
        compare().await?;
    }
    own().await
}

async fn compare() -> Result<()> {
    let (mut ours, mut real) = (MODES.map(|_| Vec::new()), MODES.map(|_| Vec::new()));
    for round in 1..=ROUNDS {
        for (index, (mode, durable)) in MODES.into_iter().enumerate() {
            eprintln!("round {round} of {ROUNDS}, {mode}");
            ours[index].push(measures::all(&Server::embedded(durable).await?).await?);
            if let Some(server) = Server::real(durable).await? {
                real[index].push(measures::all(&server).await?);
            }
        }
    }
    for (((mode, _), ours), real) in MODES.into_iter().zip(ours).zip(real) {
        let real = (!real.is_empty()).then(|| figures::medians(real));
        figures::print(mode, ("embedded", &figures::medians(ours)), ("kube-apiserver", real.as_deref()));
    }
    Ok(())
}

async fn own() -> Result<()> {
    let (time, memory) = virtual_clusters::cost().await?;
    println!("\none more virtual cluster: {:.2} ms, {memory} KiB", time.as_secs_f64() * 1e3);
    let (count, time) = pods::until_back_off().await?;
    println!(
        "{count} pods to the right back-off state: {:.2} s, {:.0} pods/s",
        time.as_secs_f64(),
        count as f64 / time.as_secs_f64()
    );
    Ok(())
}
