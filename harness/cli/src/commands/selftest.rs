//! `selftest`: every remedy must solve its drill and every cheat must not, in labs of its own.

use std::{io::IsTerminal, num::NonZero, sync::Arc};

use futures::FutureExt;
use pulldrill_lab::{
    BackendKind, LabOptions,
    selftest::{CaseKind, CaseResult, Outcome as Ending, SelftestOptions, Serve, run},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Ground, kubectl, up::stop_on_signals};
use crate::{
    args::{Backend, Selftest},
    exit::{Exit, Failure, Outcome},
    output::{Tone, paint, table},
};

pub(super) async fn selftest(ground: &Ground<'_>, args: &Selftest) -> Outcome {
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let options = SelftestOptions {
        scenarios: args.scenarios.clone(),
        seeds: args.seeds.clone().collect(),
        kubectl: kubectl::find(args.kubectl.as_deref())?,
        program: std::env::current_exe()
            .map_err(|error| Failure::infrastructure(format!("cannot find this program: {error}")))?,
        dialect: args.dialect.clone().unwrap_or_else(|| LabOptions::default().dialect),
        scenario_dir: args.scenario_dir.clone(),
        backend: super::place::backend(&args.place),
        sample: args.sample,
        steps: super::up::steps(*ground.out),
        parallel: std::thread::available_parallelism().map_or(1, NonZero::get),
        stop: stop.clone(),
    };
    let out = *ground.out;
    // Real time is long; then every result is worth a line.
    let tell = std::io::stderr().is_terminal() || args.place.backend != Backend::Embedded;
    let told = move |result: &CaseResult| {
        if tell {
            out.remark(&line(result));
        }
    };
    let results = tokio::select! {
        biased;
        results = run(&options, serve(&stop), told) => results?,
        () = stop.cancelled(), if options.backend == BackendKind::Embedded => {
            return Err(Failure::infrastructure("interrupted"));
        }
    };
    ground.out.data(&results, |results| report(results));
    let failed = results.iter().any(|result| matches!(result.outcome, Ending::Failed(_)));
    Ok(if failed || results.is_empty() { Exit::No } else { Exit::Yes })
}

/// The site for each lab, as `up` serves it.
fn serve(stop: &CancellationToken) -> Serve {
    let stop = stop.clone();
    Arc::new(move |lab, listener| {
        let stop = stop.child_token();
        async move {
            // Tokio takes over only sockets that do not block.
            let ready = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
            let served = match ready {
                Ok(listener) => pulldrill_web::serve(listener, lab, stop).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = served {
                tracing::error!(%error, "the lab's API is not served");
            }
        }
        .boxed()
    })
}

fn line(result: &CaseResult) -> String {
    format!("{} {} seed {} {}", ending(result), result.scenario, result.seed, result.name)
}

fn ending(result: &CaseResult) -> String {
    match result.outcome {
        Ending::Passed => paint(Tone::Good, "passed"),
        Ending::Failed(_) => paint(Tone::Bad, "FAILED"),
        Ending::Skipped(_) => paint(Tone::Wait, "skipped"),
    }
}

fn report(results: &[CaseResult]) -> String {
    let rows = results.iter().map(|result| {
        vec![
            ending(result),
            result.scenario.clone(),
            result.seed.to_string(),
            kind(result.kind).to_owned(),
            result.name.clone(),
            pulldrill_web::duration::age(result.lab_seconds),
            format!("{} ms", result.real_milliseconds),
        ]
    });
    let head = ["result", "scenario", "seed", "kind", "script", "lab time", "real time"];
    let mut text = table(&head, rows);
    for result in results {
        if let Ending::Failed(why) | Ending::Skipped(why) = &result.outcome {
            text.push_str(&format!("\n\n{}\n    {}", line(result), why.trim_end().replace('\n', "\n    ")));
        }
    }
    text.push_str(&format!("\n\n{}", closing(results)));
    text
}

fn kind(kind: CaseKind) -> &'static str {
    match kind {
        CaseKind::Before => "before",
        CaseKind::Remedy => "remedy",
        CaseKind::Cheat => "cheat",
    }
}

fn closing(results: &[CaseResult]) -> String {
    let count = |is: fn(&Ending) -> bool| results.iter().filter(|result| is(&result.outcome)).count();
    let failed = count(|ending| matches!(ending, Ending::Failed(_)));
    let skipped = count(|ending| matches!(ending, Ending::Skipped(_)));
    let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    format!("{} passed, {failed} failed{skipped}", count(|ending| *ending == Ending::Passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(name: &str, outcome: Ending) -> CaseResult {
        CaseResult {
            scenario: "wrong-tag".into(),
            seed: 1,
            kind: CaseKind::Remedy,
            name: name.into(),
            title: name.into(),
            outcome,
            lab_seconds: 42,
            real_milliseconds: 7,
        }
    }

    #[test]
    fn a_report_ends_with_the_count_and_says_why() {
        let results = [
            result("undo", Ending::Passed),
            result("edit", Ending::Failed("the drill is open\npods: a".into())),
            result("push", Ending::Skipped("there is no docker".into())),
        ];
        let text = report(&results);
        assert!(text.ends_with("1 passed, 1 failed, 1 skipped"), "{text}");
        assert!(text.contains("    the drill is open\n    pods: a"), "{text}");
        assert_eq!(closing(&results[..1]), "1 passed, 0 failed");
    }
}
