//! How long from the start of the process until all five symptoms can be seen through the Kubernetes API,
//! how much memory that takes at its peak, and how large the program is.
//!
//! `cargo bench -p pulldrill-cli --bench boot` prints the figures; nothing is asserted but that the symptoms
//! are really there.
#![expect(clippy::disallowed_macros, reason = "a bench prints its figures")]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use kube::{Api, Client, Config, api::DynamicObject, config::Kubeconfig, discovery::ApiResource};
use pulldrill_clock::real;

/// How often the lab is booted.
const ROUNDS: usize = 10;

/// Ends the lab with the round.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    pulldrill_tls::install_provider();
    let program = Path::new(env!("CARGO_BIN_EXE_pulldrill"));
    let mut times = Vec::new();
    let mut memory = Vec::new();
    for seed in 1..=ROUNDS {
        let (time, peak) = round(program, seed).await?;
        times.push(time);
        memory.push(peak);
    }
    times.sort();
    memory.sort_unstable();
    println!(
        "process start to five symptoms through the API: median {:?}, slowest {:?} of {ROUNDS}",
        times[ROUNDS / 2],
        times[ROUNDS - 1]
    );
    println!("peak memory: median {} KiB, most {} KiB", memory[ROUNDS / 2], memory[ROUNDS - 1]);
    println!("binary: {} KiB", std::fs::metadata(program)?.len() / 1024);
    Ok(())
}

async fn round(program: &Path, seed: usize) -> Result<(Duration, u64)> {
    let root = tempfile::TempDir::new()?;
    let dir = root.path().join("lab");
    let watch = real::stopwatch();
    let child = Command::new(program)
        .arg("up")
        .arg("--dir")
        .arg(&dir)
        .args(["--listen", "127.0.0.1:0", "--seed", &seed.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let running = Running(child);
    while !dir.join("lab.json").exists() {
        ensure!(watch.elapsed() < Duration::from_secs(60), "the lab did not come up");
        real::sleep(Duration::from_millis(1)).await;
    }
    let stuck = stuck_namespaces(&dir.join("kubeconfig")).await?;
    let time = watch.elapsed();
    ensure!(stuck == 5, "{stuck} namespaces with a pull failure, not 5");
    Ok((time, peak_memory(running.0.id())?))
}

/// In how many namespaces a container waits in `ErrImagePull` or `ImagePullBackOff`.
async fn stuck_namespaces(kubeconfig: &Path) -> Result<usize> {
    let config =
        Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &Default::default()).await?;
    let kind = ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&());
    let pods: Api<DynamicObject> = Api::all_with(Client::try_from(config)?, &kind);
    let mut namespaces = std::collections::BTreeSet::new();
    for pod in pods.list(&Default::default()).await? {
        let waiting = pod.data["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].as_str();
        if matches!(waiting, Some("ErrImagePull" | "ImagePullBackOff")) {
            namespaces.insert(pod.metadata.namespace.clone());
        }
    }
    Ok(namespaces.len())
}

/// The most memory that a process ever held, in KiB.
fn peak_memory(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
