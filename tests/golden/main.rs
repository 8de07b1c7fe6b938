//! The embedded cluster against recordings of real kubelets and containerd.
//!
//! `tests/recordings/<dialect>/<case>/` was recorded on real clusters. Each case is played again on the
//! embedded cluster with the same manifest, under the dialect of that name, and the two are compared: the
//! status over time, the events, and what `kubectl describe` prints.

mod compare;
mod mutations;
mod normalise;
mod recording;

use std::path::{Path, PathBuf};

/// Every recording: dialect, case, folder.
fn recordings() -> Vec<(String, String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let mut found = Vec::new();
    for dialect in folders(&root) {
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
