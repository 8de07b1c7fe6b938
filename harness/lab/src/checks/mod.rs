//! Judging a drill: pure predicates over what is observed now, the baseline, and the evidence.
//!
//! - [`baseline`]: what there was when the drill opened.
//! - [`evidence`]: what the registries know, behind a trait.
//! - [`gate`]: whether the symptom is there.
//! - the other modules: one small group of predicates each; [`evaluate`] picks by the check's kind.
//!
//! Nothing here waits, writes or remembers: holds and states are the judge's.

pub(crate) mod baseline;
pub(crate) mod content;
pub(crate) mod cron;
pub(crate) mod evidence;
pub(crate) mod gate;
pub(crate) mod policy;
pub(crate) mod secrets;
#[cfg(test)]
mod tests;
pub(crate) mod workload;

use pulldrill_clock::Timestamp;
use pulldrill_scenarios::{Check, CheckKind, Variant};

pub(crate) use baseline::Baseline;
pub(crate) use evidence::Evidence;

use crate::{
    observe::{Snapshot, Workload},
    store::{CheckResult, Progress},
};

/// Everything that a predicate may look at.
pub(crate) struct Facts<'a> {
    /// The drill as it was written.
    pub variant: &'a Variant,
    /// The namespace now.
    pub snapshot: &'a Snapshot,
    /// The namespace when the drill opened.
    pub baseline: &'a Baseline,
    /// What the registries and the nodes' network know.
    pub evidence: &'a dyn Evidence,
    /// What happened in the drill so far.
    pub progress: &'a Progress,
    /// Lab time.
    pub now: Timestamp,
}

impl Facts<'_> {
    /// The drill's workload, if it still is the object that it was when the drill opened.
    #[must_use]
    pub(crate) fn workload(&self) -> Option<Workload> {
        let spec = &self.variant.workload;
        Workload::find(self.snapshot, spec.kind.resource(), &spec.name)
            .filter(|workload| workload.uid() == self.baseline.workload_uid)
    }

    /// The name that image references use for the registry of a handle; empty when there is none.
    #[must_use]
    pub(crate) fn host(&self, handle: &str) -> &str {
        let registry = self.variant.registries.iter().find(|registry| registry.handle == handle);
        registry.map_or("", |registry| registry.host.as_str())
    }
}

/// What a predicate found: whether it holds, and what was seen.
pub(crate) type Finding = Result<String, String>;

/// Judges every check of the drill, in their order.
#[must_use]
pub(crate) fn evaluate_all(facts: &Facts<'_>) -> Vec<CheckResult> {
    facts.variant.checks.iter().map(|check| evaluate(check, facts)).collect()
}

/// Judges one check. A failing one is explained in the scenario's words, which give nothing away.
#[must_use]
pub(crate) fn evaluate(check: &Check, facts: &Facts<'_>) -> CheckResult {
    let (passed, message) = match find(&check.test, facts) {
        Ok(seen) => (true, seen),
        Err(_) => (false, check.message.clone()),
    };
    CheckResult { id: check.id.clone(), passed, message }
}

/// Looks whether a predicate holds, and says what it saw; for instructors and logs.
pub(crate) fn find(kind: &CheckKind, facts: &Facts<'_>) -> Finding {
    match kind {
        CheckKind::Diagnosed => policy::diagnosed(facts),
        CheckKind::WorkloadRunning => workload::running(facts),
        CheckKind::AcceptedContent => content::accepted(facts),
        CheckKind::ServedByRegistry { registries } => content::served(facts, registries),
        CheckKind::PulledWith { registry, users } => content::pulled_with(facts, registry, users),
        CheckKind::PolicyKept => policy::kept(facts),
        CheckKind::OthersUnharmed => workload::others_unharmed(facts),
        CheckKind::ServiceAccountHasSecret { registry } => secrets::on_service_account(facts, registry),
        CheckKind::DigestPinned => content::digest_pinned(facts),
        CheckKind::SecretFresh { registry, remaining } => secrets::fresh(facts, registry, *remaining),
        CheckKind::RefresherScheduled { within } => cron::refresher(facts, *within),
        CheckKind::EgressMinimal { addresses } => policy::egress_minimal(facts, *addresses),
    }
}
