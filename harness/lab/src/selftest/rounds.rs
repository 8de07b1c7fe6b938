//! Many scripts in one lab on a real cluster: in each round every scenario gets its next one, all side by side;
//! between rounds the drills are reset. Time is real here, so a verdict takes as long as it takes.

use std::{collections::BTreeMap, net::TcpListener, path::Path};

use futures::{StreamExt, stream::FuturesUnordered};
use pulldrill_clock::{SignedDuration, real};

use super::{Case, CaseKind, CaseResult, Outcome, SelftestOptions, Serve, script, verdict};
use crate::{
    Lab, LabError, LabOptions,
    view::{Audience, DrillState, DrillView},
};

/// How long a repair may take to show its effect: back-offs are up to five minutes, and then it is held.
const REPAIR: SignedDuration = SignedDuration::from_mins(9);

/// How long a cheat gets to be taken for a repair: to pull at once, and longer than the hold.
const CHEAT: SignedDuration = SignedDuration::from_secs(75);

/// Runs the cases seed by seed, each seed in a lab of its own.
pub(super) async fn run(
    options: &SelftestOptions,
    serve: Serve,
    cases: Vec<Case>,
    told: &(impl Fn(&CaseResult) + Send + Sync),
) -> Result<Vec<CaseResult>, LabError> {
    let mut results = Vec::new();
    for seed in &options.seeds {
        let of_seed: Vec<Case> = cases.iter().filter(|case| case.seed == *seed).cloned().collect();
        if !of_seed.is_empty() {
            results.extend(with_lab(options, &serve, *seed, of_seed, told).await?);
        }
    }
    Ok(results)
}

async fn with_lab(
    options: &SelftestOptions,
    serve: &Serve,
    seed: u64,
    cases: Vec<Case>,
    told: &(impl Fn(&CaseResult) + Send + Sync),
) -> Result<Vec<CaseResult>, LabError> {
    let folder = tempfile::tempdir().map_err(|error| LabError::part("temporary folder", error))?;
    let dir = folder.path().join("lab");
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .map_err(|source| LabError::Listen { address: "127.0.0.1:0".into(), source })?;
    let address = listener.local_addr().map_err(|error| LabError::part("web", error))?;
    let mut scenarios: Vec<String> = cases.iter().map(|case| case.scenario.clone()).collect();
    scenarios.dedup();
    let started = Lab::start(LabOptions {
        dir: Some(dir.clone()),
        seed,
        scenarios,
        scenario_dir: options.scenario_dir.clone(),
        backend: options.backend.clone(),
        web: Some(format!("http://{address}")),
        program: Some(options.program.clone()),
        steps: options.steps.clone(),
        stop: options.stop.child_token(),
        ..LabOptions::default()
    })
    .await;
    let lab = match started {
        Ok(lab) => lab,
        Err(error) => {
            crate::sweep(&dir).await?;
            return Err(error);
        }
    };
    let server = tokio::spawn(serve(lab.clone(), listener));
    let outcome = tokio::select! {
        outcome = rounds(options, &lab, folder.path(), cases, told) => outcome,
        () = options.stop.cancelled() => Err(LabError::part("selftest", "it was interrupted")),
    };
    lab.shutdown().await;
    server.abort();
    crate::sweep(&dir).await?;
    outcome
}

async fn rounds(
    options: &SelftestOptions,
    lab: &Lab,
    folder: &Path,
    cases: Vec<Case>,
    told: &(impl Fn(&CaseResult) + Send + Sync),
) -> Result<Vec<CaseResult>, LabError> {
    lab.open().await?;
    let mut waiting: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases.into_iter().rev() {
        waiting.entry(case.scenario.clone()).or_default().push(case);
    }
    let mut results = Vec::new();
    let mut untouched = true;
    loop {
        let round: Vec<Case> = waiting.values_mut().filter_map(Vec::pop).collect();
        if round.is_empty() {
            return Ok(results);
        }
        if !untouched {
            let drills: Vec<String> =
                round.iter().filter_map(|case| drill_of(lab, case)).map(|d| d.id).collect();
            options.steps.begin("Starting the drills anew");
            futures::future::try_join_all(drills.iter().map(|drill| lab.reset(drill))).await?;
        }
        untouched = round.iter().all(|case| case.kind == CaseKind::Before);
        let mut running: FuturesUnordered<_> =
            round.into_iter().map(|case| one(options, lab, folder, case)).collect();
        while let Some(result) = running.next().await {
            told(&result);
            results.push(result);
        }
    }
}

/// Runs a case in its drill.
async fn one(options: &SelftestOptions, lab: &Lab, folder: &Path, case: Case) -> CaseResult {
    let watch = real::stopwatch();
    let began = lab.clock().now();
    let outcome = match judged(options, lab, folder, &case).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(format!("the lab failed: {error}")),
    };
    case.result(outcome, lab.clock().now().duration_since(began), watch)
}

async fn judged(
    options: &SelftestOptions,
    lab: &Lab,
    folder: &Path,
    case: &Case,
) -> Result<Outcome, LabError> {
    let mut limit = SignedDuration::ZERO;
    if let Some(script) = verdict::script_of(lab, case) {
        if let Some(missing) = script::missing_program(options, &script) {
            return Ok(Outcome::Skipped(format!("there is no {missing} on this machine")));
        }
        let place = folder.join(&case.scenario);
        std::fs::create_dir_all(&place).map_err(|source| LabError::File {
            action: "make the folder",
            path: place.clone(),
            source,
        })?;
        if let Err(message) = script::run_in(options, lab, &place, &folder.join("lab"), &script).await? {
            return Ok(Outcome::Failed(message));
        }
        limit = if case.kind == CaseKind::Remedy { REPAIR } else { CHEAT };
    }
    solved(lab, case, limit).await;
    let gone = || Outcome::Failed("the drill is gone".into());
    Ok(drill_of(lab, case).map_or_else(gone, |drill| verdict::of(case.kind, &drill)))
}

/// Waits until the drill is solved, so long at most.
async fn solved(lab: &Lab, case: &Case, limit: SignedDuration) {
    let clock = lab.clock();
    let mut over = Box::pin(clock.sleep_until(clock.busy(), clock.now() + limit));
    let mut updates = lab.updates();
    let is_solved = || drill_of(lab, case).is_some_and(|drill| drill.state == DrillState::Solved);
    while !is_solved() {
        tokio::select! {
            _busy = &mut over => return,
            changed = updates.changed() => if changed.is_err() { return },
        }
    }
}

fn drill_of(lab: &Lab, case: &Case) -> Option<DrillView> {
    let drills = lab.status(Audience::Instructor).drills;
    drills.into_iter().find(|drill| drill.scenario.as_ref() == Some(&case.scenario))
}
