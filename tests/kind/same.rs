//! The heart of the project: the same drills on a real cluster and on the embedded one, recorded by the same
//! command, and compared. Any difference is a bug of the embedded side.
//!
//! `PULLDRILL_TEST_RECORDINGS=DIR` keeps the recordings, as `DIR/real` and `DIR/ours`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use pulldrill_cluster::dialect::Dialect;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    cases::{self, Case},
    comparison::{Normaliser, Recording, compare, mutations},
    lab::Parts,
    support::{self, Lab, until},
    turn,
};

/// The name of the kind cluster.
const NAME: &str = "pulldrill-test-comparison";

/// For so many seconds every image must have failed: three pulls that time out, and three steps of their back-off.
const FAILING: i64 = 130;

/// That must be so by then.
const PATIENCE: Duration = Duration::from_secs(300);

/// The two labs and what they are held against each other with.
struct World {
    cases: Vec<Case>,
    scenarios: TempDir,
    recordings: Recordings,
}

/// Where recordings are written.
enum Recordings {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl World {
    fn new() -> Result<Self> {
        let (cases, scenarios) = (cases::all()?, TempDir::new()?);
        cases::write(&cases, scenarios.path())?;
        let recordings = match std::env::var_os("PULLDRILL_TEST_RECORDINGS") {
            Some(dir) => Recordings::Kept(dir.into()),
            None => Recordings::Temporary(TempDir::new()?),
        };
        Ok(Self { cases, scenarios, recordings })
    }

    fn begin(&self, args: &[&str]) -> Result<Lab> {
        let scenarios = self.scenarios.path().to_str().context("a path in UTF-8")?;
        let all = [args, &["--no-history", "--scenario-dir", scenarios]].concat();
        Lab::begin(&all, |_| {})
    }

    fn begin_embedded(&self, dialect: &str, seed: &str) -> Result<Lab> {
        self.begin(&["--backend", "embedded", "--nodes", "1", "--dialect", dialect, "--seed", seed])
    }

    /// Records every case in both labs, each pair at the same time, and compares.
    fn compare(&self, dialect: &str, kubectl: &Path, real: &Lab, ours: &Lab) -> Result<Vec<String>> {
        let rules = Normaliser::new()?;
        let mut differences = Vec::new();
        for case in &self.cases {
            let record = |whose: &'static str, lab: &Lab| self.record(whose, case, kubectl, lab);
            let (real, ours) = std::thread::scope(|scope| {
                let real = scope.spawn(|| record("real", real));
                let ours = record("ours", ours);
                (real.join(), ours)
            });
            let real = real.map_err(|_| anyhow::anyhow!("the recording of {} panicked", case.id))??;
            let found = compare(&rules, dialect, &real, &ours?);
            let like = case.like.as_ref().map_or_else(String::new, |like| format!(" (recorded as {like})"));
            differences.extend(found.into_iter().map(|text| format!("{}{like}: {text}", case.id)));
            let mistakes = mutations::mistakes(&rules, dialect, &real);
            differences.extend(mistakes.into_iter().map(|text| format!("{}: {text}", case.id)));
        }
        Ok(differences)
    }

    fn record(&self, whose: &str, case: &Case, kubectl: &Path, lab: &Lab) -> Result<Recording> {
        let root = match &self.recordings {
            Recordings::Kept(dir) => dir.as_path(),
            Recordings::Temporary(dir) => dir.path(),
        };
        let dir = root.join(whose).join(&case.id);
        let (path, kubectl) = (dir.to_str().context("UTF-8")?, kubectl.to_str().context("UTF-8")?);
        let drill = case.drill();
        let output =
            lab.pulldrill(&["record", &drill, "-o", path, "--kubectl", kubectl, "--as-instructor"])?;
        ensure!(output.status.success(), "record {drill}: {}", String::from_utf8_lossy(&output.stderr));
        Recording::load(&dir)
    }

    /// Waits until the lab has brought every case about.
    async fn ready(&self, lab: &mut Lab) -> Result<()> {
        lab.ready().await.map_err(|error| self.told(lab, error))
    }

    /// What a lab says of itself, beside an error.
    fn told(&self, lab: &Lab, error: anyhow::Error) -> anyhow::Error {
        let log = std::fs::read_to_string(lab.root().join("up.log")).unwrap_or_default();
        let status = lab.pulldrill(&["status", "--as-instructor"]).map(|output| output.stdout);
        let status = String::from_utf8_lossy(&status.unwrap_or_default()).into_owned();
        error.context(format!("{log}\n{status}"))
    }

    /// Waits until every case has failed for long enough.
    async fn failed(&self, lab: &Lab) -> Result<()> {
        let failed = until(PATIENCE, "the back-off to grow", async || {
            let status = lab.json(&["status", "--as-instructor", "-o", "json"])?;
            let drills = status["drills"].as_array().context("no drills")?;
            Ok(drills.iter().all(|drill| failing(drill) >= FAILING).then_some(()))
        });
        failed.await.map_err(|error| self.told(lab, error))
    }
}

/// For how many seconds a drill's image has failed.
fn failing(drill: &Value) -> i64 {
    let events = drill["events"].as_array().into_iter().flatten();
    let failures = events.filter(|event| event["reason"] == "Failed");
    failures.filter_map(|event| event["firstSeconds"].as_i64()).max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_cluster_and_the_embedded_one_show_the_same() -> Result<()> {
    let Some(parts) = Parts::named() else { return Ok(()) };
    let kubectls = support::kubectls();
    let Some((_, any)) = kubectls.first() else { return Ok(()) };
    let world = World::new()?;
    let _turn = turn::turn()?;
    let mut real = world.begin(&parts.arguments(NAME)?)?;
    let outcome = async {
        real.wait_for("kubeconfig").await?;
        let node = node(&real, any)?;
        let dialect = dialect_of(&node);
        let version = dialect.split('-').nth(1).unwrap_or_default();
        let kubectl = kubectls.iter().find(|(name, _)| *name == version).map_or(any, |(_, path)| path);
        let mut ours = world.begin_embedded(&dialect, "2")?;
        tokio::try_join!(world.ready(&mut real), world.ready(&mut ours))?;
        tokio::try_join!(world.failed(&real), world.failed(&ours))?;
        world.compare(&dialect, kubectl, &real, &ours)
    };
    let outcome = outcome.await;
    let ended = real.end_within(rustix::process::Signal::TERM, Duration::from_secs(120)).await;
    // What went wrong first is said first.
    let differences = outcome?;
    ended?;
    ensure!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
    Ok(())
}

/// Proves the table, the recorder and the comparison where there is no real cluster: two embedded ones of
/// different seeds, made older, show the same.
#[tokio::test(flavor = "multi_thread")]
async fn two_embedded_clusters_show_the_same() -> Result<()> {
    // One will do: the dialects themselves are held against recordings elsewhere.
    for (version, kubectl) in support::kubectls().into_iter().rev().take(1) {
        let world = World::new()?;
        let known = Dialect::names();
        let wanted = known.iter().find(|name| name.starts_with(&format!("k8s-{version}-")));
        let dialect = wanted.or(known.first()).context("no dialect")?;
        let (mut one, mut other) = (world.begin_embedded(dialect, "1")?, world.begin_embedded(dialect, "2")?);
        tokio::try_join!(one.ready(), other.ready())?;
        for lab in [&one, &other] {
            let advanced = lab.pulldrill(&["clock", "advance", "3m", "--as-instructor"])?;
            ensure!(advanced.status.success(), "{}", String::from_utf8_lossy(&advanced.stderr));
            world.failed(lab).await?;
        }
        let differences = world.compare(dialect, &kubectl, &one, &other)?;
        let count = differences.len();
        ensure!(count == 0, "{dialect}: {count} differences\n{}", differences.join("\n"));
    }
    Ok(())
}

/// The first node, as the API shows it.
fn node(lab: &Lab, kubectl: &Path) -> Result<Value> {
    let nodes = lab.kubectl_ok(kubectl, &["get", "nodes", "-o", "json"])?;
    let nodes: Value = serde_json::from_str(&nodes)?;
    Ok(nodes["items"][0].clone())
}

/// The dialect of a node's versions; the nearest one, and a loud notice, when there is none.
fn dialect_of(node: &Value) -> String {
    let info = &node["status"]["nodeInfo"];
    let text = |field: &str| info[field].as_str().unwrap_or_default();
    let kubelet = minor(text("kubeletVersion").trim_start_matches('v'));
    let runtime = minor(text("containerRuntimeVersion").trim_start_matches("containerd://"));
    let wanted = format!("k8s-{kubelet}-containerd-{runtime}");
    let mut known = Dialect::names();
    known.retain(|name| name.contains("-containerd-"));
    if known.iter().any(|name| *name == wanted) {
        return wanted;
    }
    let nearest = known.iter().min_by_key(|name| distance(name, &wanted)).map(ToString::to_string);
    let nearest = nearest.unwrap_or_default();
    let notice = format!(
        "NOTICE: there is no dialect {wanted}; the real cluster is compared with {nearest}, and may differ"
    );
    let _nobody_listens = writeln!(std::io::stderr(), "{notice}");
    nearest
}

/// `1.20.2` to `1.20`.
fn minor(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// How far two dialects' names are apart: Kubernetes first, then containerd, then what else the name says.
fn distance(name: &str, wanted: &str) -> (u32, u32, usize) {
    let numbers = |name: &str| -> Vec<u32> {
        let parts = name.split('-').filter(|part| part.contains('.'));
        parts
            .map(|part| part.split('.').fold(0, |n, digits| n * 1000 + digits.parse::<u32>().unwrap_or(0)))
            .collect()
    };
    let (a, b) = (numbers(name), numbers(wanted));
    let apart = |at: usize| a.get(at).zip(b.get(at)).map_or(u32::MAX, |(a, b)| a.abs_diff(*b));
    (apart(0), apart(1), name.len())
}

#[test]
fn a_node_without_a_dialect_of_its_own_gets_the_nearest() {
    let node = |kubelet: &str, runtime: &str| {
        serde_json::json!({"status": {"nodeInfo": {
            "kubeletVersion": kubelet,
            "containerRuntimeVersion": format!("containerd://{runtime}"),
        }}})
    };
    assert_eq!(dialect_of(&node("v1.20.2", "1.7.24")), "k8s-1.20-containerd-1.7");
    assert_eq!(dialect_of(&node("v1.21.9", "1.4.0")), "k8s-1.20-containerd-1.7");
    assert_eq!(dialect_of(&node("v1.31.4", "2.0.0")), "k8s-1.31-containerd-1.7");
    assert_eq!(dialect_of(&node("v1.35.0", "2.2.1")), "k8s-1.36-containerd-2.1");
}
