//! The distribution specification's own conformance program against `registry serve`.
//!
//! No registry of packages has that program, so nothing here can make it: `PULLDRILL_TEST_OCI_CONFORMANCE` names one that
//! somebody has built (`docs/registry.md` says how). Our own tests of the same duties are those of
//! `harness/registry/tests/specification`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use tempfile::TempDir;

use crate::{
    registry_alone::Served,
    support::{clean, say},
};

const HOST: &str = "registry.lab.test";

/// What the specification leaves open and we don't do: to find a blob in whatever repository has it.
const LEFT_OPEN: [&str; 2] = [
    "sha256 blobs/mount anonymous/blob-mount-anonymous",
    "sha512 blobs/mount anonymous/blob-mount-anonymous",
];

fn program() -> Option<PathBuf> {
    let program = std::env::var_os("PULLDRILL_TEST_OCI_CONFORMANCE").map(PathBuf::from);
    if program.is_none() {
        say("no conformance program of the specification: set PULLDRILL_TEST_OCI_CONFORMANCE");
    }
    program
}

/// Runs it with all that version 1.1 has switched on, as the user of the registry.
fn run(program: &Path, served: &Served, root: &Path) -> Result<Output> {
    let login = String::from_utf8(STANDARD.decode(served.login(HOST)?)?)?;
    let (user, password) = login.split_once(':').context("a log-in")?;
    let mut command = clean(Command::new(program));
    command
        .current_dir(root)
        .env("SSL_CERT_FILE", root.join("lab/ca.pem"))
        .env("OCI_REGISTRY", served.url(HOST)?.trim_start_matches("https://").trim_end_matches('/'))
        .env("OCI_USERNAME", user)
        .env("OCI_PASSWORD", password)
        .env("OCI_VERSION", "1.1")
        .env("OCI_API_BLOBS_UPLOAD_CANCEL", "true")
        .env("OCI_API_BLOBS_DIGEST_HEADER", "true")
        .env("OCI_API_MANIFESTS_DIGEST_HEADER", "true");
    Ok(command.stdin(Stdio::null()).output()?)
}

/// How many of its checks came out like that.
fn count(report: &str, outcome: &str) -> Result<u64> {
    let totals = report.split_once("OCI Conformance Result").context("no result")?.1;
    let line = totals.lines().find(|line| line.trim_start().starts_with(outcome)).context("no such line")?;
    Ok(line.rsplit(' ').next().context("no number")?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conformance_program_finds_nothing_wrong() -> Result<()> {
    let Some(program) = program() else { return Ok(()) };
    for on_disk in [false, true] {
        let root = TempDir::new()?;
        let data = root.path().join("data").display().to_string();
        let args = ["--personality", "distribution", "--data", &data];
        let served = Served::start(root.path(), &args[..if on_disk { 4 } else { 2 }]).await?;
        let output = run(&program, &served, root.path())?;
        let report = String::from_utf8_lossy(&output.stdout);
        let of = |outcome: &str| count(&report, outcome).context(report.to_string());
        ensure!(of("Pass")? > 800, "{report}");
        ensure!((of("FAIL")?, of("Error")?) == (0, 0), "{report}");
        let skipped = report.lines().filter_map(|line| line.trim().strip_suffix(": Skip"));
        let skipped: BTreeSet<&str> = skipped.filter_map(|name| Some(name.split_once('/')?.1)).collect();
        ensure!(skipped == BTreeSet::from(LEFT_OPEN), "{skipped:?}\n{report}");
    }
    Ok(())
}
