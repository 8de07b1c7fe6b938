//! One case: a lab, a script, a verdict.

use std::net::TcpListener;

use pulldrill_clock::{Clock, SignedDuration, Timestamp, real};

use super::{Case, CaseKind, CaseResult, Outcome, SelftestOptions, Serve, script, verdict};
use crate::{
    ClockMode, Lab, LabError, LabOptions,
    view::{Audience, DrillState, DrillView},
};

/// How far in the past the labs live: however much lab time a case takes, nothing is ever in the future.
const PAST: SignedDuration = SignedDuration::from_hours(72);

/// How much lab time a repair gets to show its effect.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

/// Runs a case; whatever goes wrong is its result.
pub(super) async fn run(options: &SelftestOptions, serve: Serve, case: Case) -> CaseResult {
    let watch = real::stopwatch();
    let (outcome, lab_time) = match try_case(options, serve, &case).await {
        Ok(verdict) => verdict,
        Err(error) => (Outcome::Failed(format!("the lab failed: {error}")), SignedDuration::ZERO),
    };
    case.result(outcome, lab_time, watch)
}

async fn try_case(
    options: &SelftestOptions,
    serve: Serve,
    case: &Case,
) -> Result<(Outcome, SignedDuration), LabError> {
    let folder = tempfile::tempdir().map_err(|error| LabError::part("temporary folder", error))?;
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .map_err(|source| LabError::Listen { address: "127.0.0.1:0".into(), source })?;
    let address = listener.local_addr().map_err(|error| LabError::part("web", error))?;
    let lab = Lab::start(LabOptions {
        dir: Some(folder.path().join("lab")),
        seed: case.seed,
        scenarios: vec![case.scenario.clone()],
        scenario_dir: options.scenario_dir.clone(),
        dialect: options.dialect.clone(),
        clock: ClockMode::Held(real::now() - PAST),
        web: Some(format!("http://{address}")),
        stop: options.stop.child_token(),
        ..LabOptions::default()
    })
    .await?;
    let server = tokio::spawn(serve(lab.clone(), listener));
    let verdict = judged(options, case, &lab, folder.path()).await;
    lab.shutdown().await;
    server.abort();
    verdict
}

async fn judged(
    options: &SelftestOptions,
    case: &Case,
    lab: &Lab,
    folder: &std::path::Path,
) -> Result<(Outcome, SignedDuration), LabError> {
    lab.open().await?;
    let opened = lab.clock().now();
    let since = |lab: &Lab| lab.clock().now().duration_since(opened);
    if let Some(script) = verdict::script_of(lab, case) {
        if let Some(missing) = script::missing_program(options, &script) {
            return Ok((Outcome::Skipped(format!("there is no {missing} on this machine")), since(lab)));
        }
        if let Err(message) = script::run(options, lab, folder, &script).await? {
            return Ok((Outcome::Failed(message), since(lab)));
        }
    }
    let until = lab.clock().now() + PATIENCE;
    let wants_solution = case.kind == CaseKind::Remedy;
    step(lab.clock(), until, || {
        wants_solution && the_drill(lab).is_some_and(|drill| drill.state == DrillState::Solved)
    })
    .await;
    let Some(drill) = the_drill(lab) else {
        return Ok((Outcome::Failed("the drill is gone".into()), since(lab)));
    };
    Ok((verdict::of(case.kind, &drill), since(lab)))
}

/// Moves the clock from timer to timer until it is so, or until then.
async fn step(clock: &Clock, until: Timestamp, is_so: impl Fn() -> bool) {
    clock.idle().await;
    while !is_so() && clock.skip(until).await {
        clock.idle().await;
    }
}

fn the_drill(lab: &Lab) -> Option<DrillView> {
    lab.status(Audience::Instructor).drills.into_iter().next()
}
