//! The embedded cluster against recordings of real kubelets and containerd.
//!
//! `tests/recordings/<dialect>/<case>/` was recorded on real clusters. Each case is played again on the
//! embedded cluster with the same manifest, under the dialect of that name, and the two are compared: the
//! status over time, the events, and what `kubectl describe` prints.

#[path = "../support/comparison/mod.rs"]
mod comparison;
mod describe;
mod drills;
mod messages;
mod mutations;
#[path = "../support/programs.rs"]
mod programs;
mod registries;
mod world;

use std::path::{Path, PathBuf};

use anyhow::Result;
use comparison::{Normaliser, Recording, compare};

/// Every recording: dialect, case, folder.
fn recordings() -> Vec<(String, String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let mut found = Vec::new();
    // `api` holds recordings of another kind: of API servers and clients, see tests/clients.
    for dialect in folders(&root).into_iter().filter(|name| name != "api") {
        for case in folders(&root.join(&dialect)) {
            found.push((dialect.clone(), case.clone(), root.join(&dialect).join(&case)));
        }
    }
    assert!(!found.is_empty(), "no recordings under {}", root.display());
    found
}

fn folders(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Plays every recorded case of one dialect and compares.
async fn hold_against_recordings(dialect: &str, kubectl: &str) -> Result<()> {
    let Some(kubectl) = programs::kubectl(kubectl) else { return Ok(()) };
    let rules = Normaliser::new()?;
    let mut report = Vec::new();
    for (of, case, dir) in recordings() {
        if of == dialect {
            let ours = world::play(dialect, &case, &dir, &kubectl).await?;
            let found = compare(&rules, dialect, &Recording::load(&dir)?, &ours);
            report.extend(found.into_iter().map(|difference| format!("{dialect}/{case}: {difference}")));
        }
    }
    assert!(report.is_empty(), "{} differences\n{}", report.len(), report.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_1_36_with_containerd_2_1() -> Result<()> {
    hold_against_recordings("k8s-1.36-containerd-2.1", "1_36").await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_1_20_with_containerd_1_7() -> Result<()> {
    hold_against_recordings("k8s-1.20-containerd-1.7", "1_20").await
}
