//! The selftest: every remedy must solve its drill, every cheat must not, and nothing must before.
//!
//! On the embedded cluster each case gets a lab of its own on a held clock, so waiting costs lab time only. On
//! a real cluster one lab serves all cases, in rounds, with a reset between them. The web server is the
//! caller's: scripts talk to it through the `pulldrill` command.
//!
//! - `case`: one script in one lab. `rounds`: many scripts in one lab. `script`: running one. `verdict`: what
//!   comes of it. This module: which cases there are.

mod case;
mod rounds;
mod script;
mod verdict;

use std::{net::TcpListener, path::PathBuf, sync::Arc};

use futures::{StreamExt, future::BoxFuture, stream};
use pulldrill_scenarios::{Scenario, Script};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{BackendKind, Lab, LabError, LabOptions, Steps};

/// Serves a lab's page and JSON API on a listener until the lab ends.
pub type Serve = Arc<dyn Fn(Lab, TcpListener) -> BoxFuture<'static, ()> + Send + Sync>;

/// What is to be tested, and with what.
#[derive(Clone, Debug)]
pub struct SelftestOptions {
    /// Ids of the scenarios; all when empty.
    pub scenarios: Vec<String>,
    /// The seeds of the variants; each case is run with each.
    pub seeds: Vec<u64>,
    /// The kubectl that scripts find as `kubectl`.
    pub kubectl: PathBuf,
    /// The `pulldrill` binary that scripts find as `pulldrill`.
    pub program: PathBuf,
    /// The dialect.
    pub dialect: String,
    /// A folder of scenarios in place of the built-in ones.
    pub scenario_dir: Option<PathBuf>,
    /// Where the cluster lives.
    pub backend: BackendKind,
    /// At most so many remedies and cheats of each scenario; all without.
    pub sample: Option<usize>,
    /// Told of the steps of a boot.
    pub steps: Steps,
    /// How many cases run at the same time.
    pub parallel: usize,
    /// Ends the test early.
    pub stop: CancellationToken,
}

/// What a case tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseKind {
    /// Nothing is done: the drill must stay unsolved.
    Before,
    /// An accepted repair: the drill must be solved.
    Remedy,
    /// A known wrong repair: the drill must stay unsolved.
    Cheat,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result", content = "detail")]
pub enum Outcome {
    /// As it must.
    Passed,
    /// Otherwise.
    Failed(String),
    /// It could not be tried here.
    Skipped(String),
}

/// The result of one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseResult {
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// What was tried.
    pub kind: CaseKind,
    /// The script's name.
    pub name: String,
    /// What the script does.
    pub title: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Lab time from the opening to the verdict, in seconds.
    pub lab_seconds: i64,
    /// Real time for all of it, in milliseconds.
    pub real_milliseconds: u64,
}

/// Runs every case; `told` hears of each result as it comes.
///
/// # Errors
/// [`LabError`] when there is nothing to test; a lab that fails is the result of its case.
pub async fn run(
    options: &SelftestOptions,
    serve: Serve,
    told: impl Fn(&CaseResult) + Send + Sync,
) -> Result<Vec<CaseResult>, LabError> {
    let cases = cases(options)?;
    if options.backend != BackendKind::Embedded {
        return rounds::run(options, serve, cases, &told).await;
    }
    let results = stream::iter(cases)
        .map(|case| case::run(options, serve.clone(), case))
        .buffered(options.parallel.max(1))
        .inspect(&told);
    Ok(results.collect().await)
}

/// One case to be run.
#[derive(Clone, Debug)]
struct Case {
    scenario: String,
    seed: u64,
    kind: CaseKind,
    name: String,
    title: String,
}

fn cases(options: &SelftestOptions) -> Result<Vec<Case>, LabError> {
    let as_lab = LabOptions { scenario_dir: options.scenario_dir.clone(), ..LabOptions::default() };
    let catalogue = crate::lab::catalogue(&as_lab)?;
    for id in &options.scenarios {
        crate::lab::known(&catalogue, id)?;
    }
    let mut cases = Vec::new();
    for scenario in &catalogue {
        if options.scenarios.is_empty() || options.scenarios.iter().any(|id| id == scenario.id()) {
            for seed in &options.seeds {
                cases.extend(of_scenario(options, scenario, *seed)?);
            }
        }
    }
    Ok(cases)
}

fn of_scenario(options: &SelftestOptions, scenario: &Scenario, seed: u64) -> Result<Vec<Case>, LabError> {
    let variant = scenario.variant(seed).map_err(|error| LabError::Scenario(error.to_string()))?;
    if let Some(reason) = options.backend.lacks(&variant) {
        tracing::warn!(scenario = scenario.id(), reason, "not available here");
        return Ok(Vec::new());
    }
    let here = |script: &&Script| options.backend.runs(script);
    let most = options.sample.unwrap_or(usize::MAX);
    let case = |kind, name: &str, title: &str| Case {
        scenario: scenario.id().to_owned(),
        seed,
        kind,
        name: name.to_owned(),
        title: title.to_owned(),
    };
    let mut cases = vec![case(CaseKind::Before, "nothing", "Nothing is done")];
    cases.extend(
        variant.remedies.iter().filter(here).take(most).map(|s| case(CaseKind::Remedy, &s.name, &s.title)),
    );
    cases.extend(
        variant.cheats.iter().filter(here).take(most).map(|s| case(CaseKind::Cheat, &s.name, &s.title)),
    );
    Ok(cases)
}
