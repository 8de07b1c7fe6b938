//! The embedded cluster against recordings of real kubelets and containerd.
//!
//! `tests/recordings/<dialect>/<case>/` was recorded on real clusters. Each case is played again on the
//! embedded cluster with the same manifest, under the dialect of that name, and the two are compared: the
//! status over time, the events, and what `kubectl describe` prints.

#[path = "../support/apart.rs"]
mod apart;
#[path = "../support/command.rs"]
#[allow(dead_code, reason = "not every test program needs all of it")]
mod command;
#[path = "../support/comparison/mod.rs"]
mod comparison;
#[path = "../support/containerd/mod.rs"]
mod containerd;
mod cri;
mod describe;
mod drills;
mod ground;
mod messages;
mod mutations;
#[path = "../support/programs.rs"]
mod programs;
mod registries;
mod script;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use comparison::{Normaliser, Recording, compare_whole};
use futures::{StreamExt, TryStreamExt};
use pulldrill_cluster::dialect::Dialect;

/// The sets of recordings, each named as the dialect that it proves, and the kubectl that described them.
const SETS: [(&str, &str); 3] = [
    ("k8s-1.20-containerd-1.7", "1_20"),
    ("k8s-1.36-containerd-2.1", "1_36"),
    ("k8s-1.36-containerd-2.1-transfer", "1_36"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings")
}

/// Every recording: dialect, case, folder.
fn recordings() -> Vec<(String, String, PathBuf)> {
    let mut found = Vec::new();
    for (dialect, _) in SETS {
        for case in folders(&root().join(dialect)) {
            found.push((dialect.to_owned(), case.clone(), root().join(dialect).join(&case)));
        }
    }
    assert!(!found.is_empty(), "no recordings under {}", root().display());
    found
}

fn folders(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .into_iter()
        .flatten()
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_dir()))
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// How many cases are played at a time: most of a case's time goes to `kubectl describe`.
const AT_A_TIME: usize = 4;

/// Plays every recorded case of a set and compares. With `GOLDEN_CASE` in the environment, the cases whose names contain it.
async fn hold_against_recordings((dialect, kubectl): (&str, &str)) -> Result<()> {
    let Some(kubectl) = programs::kubectl(kubectl) else { return Ok(()) };
    let only = std::env::var("GOLDEN_CASE").unwrap_or_default();
    let (rules, kubectl) = (&Normaliser::new()?, &kubectl);
    let cases = recordings().into_iter().filter(|(of, case, _)| of == dialect && case.contains(&only));
    let found = futures::stream::iter(cases).map(|(_, case, dir)| async move {
        let ours = world::play(dialect, &case, &dir, kubectl).await.with_context(|| case.clone())?;
        let found = compare_whole(rules, dialect, &Recording::load(&dir)?, &ours);
        anyhow::Ok(found.into_iter().map(|difference| format!("{dialect}/{case}: {difference}")).collect())
    });
    let report: Vec<Vec<String>> = found.buffered(AT_A_TIME).try_collect().await?;
    let report = report.concat();
    assert!(report.is_empty(), "{} differences\n{}", report.len(), report.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_1_20_with_containerd_1_7() -> Result<()> {
    hold_against_recordings(SETS[0]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_1_36_with_containerd_2_1() -> Result<()> {
    hold_against_recordings(SETS[1]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_1_36_with_containerd_2_1_and_its_transfer_service() -> Result<()> {
    hold_against_recordings(SETS[2]).await
}

/// Every set and every case that was recorded is here, and nothing else is.
#[test]
fn no_recording_is_left_out() -> Result<()> {
    let list = root().join("cases.yaml");
    let listed = std::fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    let mut listed: BTreeMap<String, Vec<String>> = serde_saphyr::from_str(&listed)?;
    listed.values_mut().for_each(|cases| cases.sort());
    let mut played: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (dialect, case, _) in recordings() {
        played.entry(dialect).or_default().push(case);
    }
    assert_eq!(listed, played);
    // Other recordings are of API servers and clients (tests/clients), and of container runtimes alone (`cri`).
    let sets = folders(&root()).into_iter().filter(|name| name != "api" && name != "cri");
    assert_eq!(listed.into_keys().collect::<Vec<_>>(), sets.collect::<Vec<_>>());
    Ok(())
}

/// A recording proves a dialect only if there is one, and only what is proven says so.
#[test]
fn the_dialects_that_say_so_are_those_with_recordings() {
    let recorded: BTreeSet<String> = recordings().into_iter().map(|(dialect, ..)| dialect).collect();
    let verified = Dialect::names().into_iter().filter(|id| Dialect::named(id).is_some_and(|d| d.verified));
    assert_eq!(recorded, verified.map(str::to_owned).collect());
}
