//! What a real `kubectl describe` prints of a cluster, with a folder of its own for a home and a cache.

use std::path::Path;

use anyhow::Result;

/// Runs `kubectl describe` with these arguments on the cluster of a kubeconfig, given as text.
pub(crate) async fn describe(kubectl: &Path, kubeconfig: &str, arguments: &[&str]) -> Result<String> {
    let home = tempfile::TempDir::new()?;
    let config = home.path().join("config");
    std::fs::write(&config, kubeconfig)?;
    let described = tokio::process::Command::new(kubectl)
        .arg("--kubeconfig")
        .arg(&config)
        .arg("--cache-dir")
        .arg(home.path())
        .arg("describe")
        .args(arguments)
        .env("HOME", home.path())
        .output()
        .await?;
    anyhow::ensure!(described.status.success(), "{}", String::from_utf8_lossy(&described.stderr));
    Ok(String::from_utf8_lossy(&described.stdout).into_owned())
}
