//! Dependencies point one way.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result};
use serde_json::Value;

/// Who may use whom among the workspace's own crates.
const ALLOWED: &[(&str, &[&str])] = &[
    ("pulldrill-clock", &[]),
    ("pulldrill-tls", &[]),
    ("pulldrill-faults", &["pulldrill-clock"]),
    ("pulldrill-scenarios", &["pulldrill-clock", "pulldrill-faults"]),
    ("pulldrill-registry", &["pulldrill-clock", "pulldrill-faults", "pulldrill-tls"]),
    ("pulldrill-cluster", &["pulldrill-clock", "pulldrill-tls"]),
    (
        "pulldrill-lab",
        &[
            "pulldrill-clock",
            "pulldrill-tls",
            "pulldrill-scenarios",
            "pulldrill-registry",
            "pulldrill-cluster",
        ],
    ),
    ("pulldrill", &["pulldrill-clock", "pulldrill-tls", "pulldrill-lab", "pulldrill-scenarios"]),
    ("pulldrill-web", &["pulldrill-clock", "pulldrill-lab"]),
    (
        "pulldrill-cli",
        // The registry and the cluster, for `registry serve` and `cluster serve`: that part alone, without a lab.
        &[
            "pulldrill-clock",
            "pulldrill-tls",
            "pulldrill-scenarios",
            "pulldrill-registry",
            "pulldrill-cluster",
            "pulldrill-lab",
            "pulldrill-web",
        ],
    ),
];

#[test]
fn dependencies_point_one_way() -> Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let packages = metadata["packages"].as_array().context("packages")?;
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let may = allowed.get(name).with_context(|| format!("{name} is not in the table of layers"))?;
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let other = dependency["name"].as_str().unwrap_or_default();
            let ours = packages.iter().any(|p| p["name"] == other);
            assert!(
                !ours || dependency["kind"] == "dev" || may.contains(&other),
                "{name} must not depend on {other}"
            );
        }
    }
    assert_eq!(packages.len(), ALLOWED.len());
    Ok(())
}
