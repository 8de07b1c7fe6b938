//! The real programs that tests use, and the one way of doing without them.

use std::{io::Write, path::PathBuf};

/// Says that a test does not run, and why; fails in CI. Written to the stream itself: what the print macros say
/// in a test that passes is never seen.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: {why}");
    let _nobody_listens = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// The kubectl of a version (`1_20`, `1_36`) that the gate has installed.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn kubectl(version: &str) -> Option<PathBuf> {
    let path = named(version);
    if path.is_none() {
        skip(&format!("no kubectl {version}: set PULLDRILL_TEST_KUBECTL_{version}"));
    }
    path
}

fn named(version: &str) -> Option<PathBuf> {
    std::env::var_os(format!("PULLDRILL_TEST_KUBECTL_{version}")).map(PathBuf::from)
}

/// The kubectls to test with: name and path. Those of the gate, else whatever is on PATH.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn kubectls() -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = ["1_20", "1_36"]
        .into_iter()
        .filter_map(|version| Some((version.replace('_', "."), named(version)?)))
        .collect();
    if found.is_empty()
        && let Some(path) = on_path("kubectl")
    {
        found.push(("on PATH".into(), path));
    }
    if found.is_empty() {
        skip("no kubectl: put one on PATH");
    }
    found
}

/// A program on PATH.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// The kind program: the one that the gate names, else the one on PATH.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn kind() -> Option<PathBuf> {
    let path = std::env::var_os("PULLDRILL_TEST_KIND").map(PathBuf::from).or_else(|| on_path("kind"));
    if path.is_none() {
        skip("no kind: set PULLDRILL_TEST_KIND, or put it on PATH");
    }
    path
}

/// The image of kind's nodes; nothing is pulled for a test.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn node_image() -> Option<String> {
    let image = std::env::var("PULLDRILL_TEST_NODE_IMAGE").ok();
    if image.is_none() {
        skip("no node image: set PULLDRILL_TEST_NODE_IMAGE");
    }
    image
}
