//! The real programs that tests use, and the one way of doing without them.

use std::{io::Write, path::PathBuf};

/// Says that a test does not run, and why; fails in CI. Written to the stream itself: what the print macros say
/// in a test that passes is never seen.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: {why}");
    say(why);
}

/// Says that a test does not run, and why, where that is good in CI too: no registry of packages has its program.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn say(why: &str) {
    let _nobody_listens = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// The `kind` program for tests with a real cluster. They take a Docker engine, a node image and minutes, so they
/// are asked for by naming both; where they must not be missing, `PULLDRILL_REQUIRE_KIND` is set.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn kind() -> Option<PathBuf> {
    real("PULLDRILL_TEST_KIND").map(PathBuf::from)
}

/// The image of a real cluster's nodes.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn node_image() -> Option<String> {
    real("PULLDRILL_TEST_NODE_IMAGE")
}

/// The plain registry program, for tests beside a Docker engine. Both are there, or the test that needs them is
/// skipped like those with a real cluster.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn registry() -> Option<PathBuf> {
    let program = std::env::var_os("PULLDRILL_TEST_REGISTRY").map(PathBuf::from);
    let program = program.or_else(|| on_path("docker-registry"));
    let mut engine = std::process::Command::new("docker");
    let engine = engine.args(["version", "--format", "{{.Server.Version}}"]).output();
    let missing = match (&program, engine.is_ok_and(|output| output.status.success())) {
        (Some(_), true) => return program,
        (None, _) => "set PULLDRILL_TEST_REGISTRY to a docker-registry",
        (_, false) => "no Docker engine answers",
    };
    optional(&format!("no real registry: {missing}"));
    None
}

/// Says that what takes a Docker engine does not run, and why; fails where that must not be.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn optional(why: &str) {
    let required = std::env::var_os("PULLDRILL_REQUIRE_KIND").is_some();
    assert!(!required, "{why}");
    say(why);
}

fn real(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if value.is_none() {
        optional(&format!("no real cluster: set {name}"));
    }
    value
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

/// A client that the gate has installed, by the variable that says where.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn client(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        skip(&format!("no {what}: set {variable}"));
    }
    path
}

fn named(version: &str) -> Option<PathBuf> {
    std::env::var_os(format!("PULLDRILL_TEST_KUBECTL_{version}")).map(PathBuf::from)
}

/// The kubectls to test with: name and path. Those of the gate, else whatever is on PATH.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn kubectls() -> Vec<(String, PathBuf)> {
    or_on_path(["1_20", "1_36"].into_iter().filter_map(known).collect())
}

/// One kubectl of each way to speak to a server, oldest first; else whatever is on PATH.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn every_kubectl() -> Vec<(String, PathBuf)> {
    let releases = ["1_20", "1_30", "1_32", "1_36", "1_37"];
    let found: Vec<_> = releases.into_iter().filter_map(known).collect();
    if !found.is_empty() {
        for missing in releases.into_iter().filter(|release| known(release).is_none()) {
            skip(&format!("no kubectl {missing}: set PULLDRILL_TEST_KUBECTL_{missing}"));
        }
    }
    or_on_path(found)
}

fn known(release: &str) -> Option<(String, PathBuf)> {
    Some((release.replace('_', "."), named(release)?))
}

fn or_on_path(mut found: Vec<(String, PathBuf)>) -> Vec<(String, PathBuf)> {
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
