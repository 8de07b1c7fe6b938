//! What comes of a case: its script, and what the drill's state says about it.

use std::time::Instant;

use pulldrill_clock::SignedDuration;
use pulldrill_scenarios::Script;

use super::{Case, CaseKind, CaseResult, Outcome};
use crate::{
    Lab,
    view::{DrillState, DrillView},
};

impl Case {
    /// The case with its end.
    pub(super) fn result(self, outcome: Outcome, lab_time: SignedDuration, watch: Instant) -> CaseResult {
        CaseResult {
            scenario: self.scenario,
            seed: self.seed,
            kind: self.kind,
            name: self.name,
            title: self.title,
            outcome,
            lab_seconds: lab_time.as_secs(),
            real_milliseconds: u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// What a drill's state says about a case.
pub(super) fn of(kind: CaseKind, drill: &DrillView) -> Outcome {
    let solved = drill.state == DrillState::Solved;
    match (kind, solved) {
        (CaseKind::Remedy, true) | (CaseKind::Before | CaseKind::Cheat, false) => Outcome::Passed,
        (CaseKind::Before | CaseKind::Cheat, true) => Outcome::Failed("the drill is solved".into()),
        (CaseKind::Remedy, false) => {
            let failing = drill.checks.iter().filter(|check| check.required && !check.passed);
            let checks: Vec<&str> = failing.map(|check| check.id.as_str()).collect();
            let pods: Vec<String> =
                drill.pods.iter().map(|pod| format!("{} {}", pod.name, pod.status)).collect();
            Outcome::Failed(format!(
                "the drill is {}; failing: {}; pods: {}",
                drill.state.as_str(),
                checks.join(", "),
                pods.join(", ")
            ))
        }
    }
}

/// The script of a case, as it is in the lab's variant.
pub(super) fn script_of(lab: &Lab, case: &Case) -> Option<Script> {
    let variant = lab.variants().into_iter().find(|variant| variant.scenario == case.scenario)?;
    let scripts = match case.kind {
        CaseKind::Before => return None,
        CaseKind::Remedy => &variant.remedies,
        CaseKind::Cheat => &variant.cheats,
    };
    scripts.iter().find(|script| script.name == case.name).cloned()
}
