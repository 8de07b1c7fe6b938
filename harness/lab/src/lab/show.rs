//! What a lab shows of itself: views built from the journal and from what is observed now.

use std::collections::BTreeMap;

use pulldrill_clock::Timestamp;
use pulldrill_scenarios::{Category, CheckKind, Variant};

use super::Inner;
use crate::{
    LabError,
    observe::{Snapshot, events, pods},
    store::Progress,
    view::{
        Audience, CheckView, ChoiceView, ClockView, DebriefView, DiagnosisView, DrillView, FeedView,
        HintView, LabInfo, ReferenceView, RepairView, SCHEMA_VERSION, ScenarioView, ScoreView, StatusView,
    },
};

impl Inner {
    pub(super) fn status(&self, audience: Audience) -> StatusView {
        let (dialect, verified) = self.backend.dialect();
        let view = StatusView {
            schema_version: SCHEMA_VERSION,
            dialect,
            verified,
            clock: self.clock_view(),
            drills: self.variants().iter().map(|variant| self.whole_view(variant)).collect(),
        };
        view.filtered(audience)
    }

    pub(super) fn drill(&self, id: &str, audience: Audience) -> Result<DrillView, LabError> {
        let variant = self.variant(id)?;
        Ok(self.whole_view(&variant).filtered(audience))
    }

    pub(super) fn clock_view(&self) -> ClockView {
        let shown = self.clock.shown_now();
        let advanced = self.clock.now().duration_since(shown);
        ClockView {
            shown,
            advanced_seconds: (advanced.as_millis() + 500).div_euclid(1000).try_into().unwrap_or(0),
        }
    }

    /// Everything about a drill; [`DrillView::filtered`] decides who sees what.
    fn whole_view(&self, variant: &Variant) -> DrillView {
        let progress = self.ledger.progress(&variant.drill);
        let shown_now = self.clock.shown_now();
        let snapshot = Snapshot::new(self.backend.objects(), &variant.namespace);
        let shown = |at: Option<Timestamp>| at.map(|at| self.clock.shown(at));
        let end = progress.closed_at.unwrap_or_else(|| self.clock.now());
        let score_detail = score(variant, &progress);
        DrillView {
            id: variant.drill.clone(),
            namespace: variant.namespace.clone(),
            title: variant.title.clone(),
            story: variant.story.clone(),
            state: progress.state,
            score: score_detail.total,
            score_detail,
            opened_at: shown(progress.opened_at),
            closed_at: shown(progress.closed_at),
            elapsed_seconds: progress.opened_at.map(|at| end.duration_since(at).as_secs().max(0)),
            hold_remaining_seconds: self.hold_remaining(variant, &progress),
            checks: checks(variant, &progress),
            pods: self.pods(&snapshot, shown_now),
            events: events::views(&snapshot, shown_now),
            feed: self.feed(&progress),
            hints: self.hints(variant, &progress),
            choices: choices(variant),
            diagnosis: self.diagnosis_view(&progress),
            scenario: Some(variant.scenario.clone()),
            family: Some(variant.family.clone()),
            cause: Some(variant.cause.clone()),
            debrief: Some(debrief(variant)),
            error: progress.error,
        }
    }

    fn hold_remaining(&self, variant: &Variant, progress: &Progress) -> Option<i64> {
        let since = progress.held_since.filter(|_| progress.state == crate::view::DrillState::Held)?;
        let left = (since + variant.hold).duration_since(self.clock.now());
        Some(left.as_secs().max(0))
    }

    fn pods(&self, snapshot: &Snapshot, shown_now: Timestamp) -> Vec<crate::view::PodView> {
        let pods = snapshot.list("pods");
        pods.iter()
            .map(|pod| {
                let mut view = pods::view(pod.value(), shown_now);
                if pods::is_stuck_on_image(pod.value()) {
                    let next = self.judge.next_pull(pod.value());
                    view.next_retry_seconds =
                        next.map(|at| at.duration_since(self.clock.now()).as_secs().max(0));
                }
                view
            })
            .collect()
    }

    fn feed(&self, progress: &Progress) -> Vec<FeedView> {
        let told = progress.feed.iter();
        told.map(|told| FeedView {
            at: self.clock.shown(told.at),
            kind: told.kind.to_owned(),
            check: told.check.clone(),
            message: told.message.clone(),
        })
        .collect()
    }

    fn hints(&self, variant: &Variant, progress: &Progress) -> Vec<HintView> {
        let hints = (1..).zip(&variant.hints);
        hints
            .map(|(n, hint)| HintView {
                n,
                price: hint.price.into(),
                text: progress.hints.get(&n).map(|bought| bought.text.clone()),
            })
            .collect()
    }

    pub(super) fn diagnosis_view(&self, progress: &Progress) -> Option<DiagnosisView> {
        progress.diagnosis.as_ref().map(|diagnosis| DiagnosisView {
            choice: diagnosis.choice.clone(),
            label: diagnosis.label.clone(),
            at: self.clock.shown(diagnosis.at),
            correct: Some(diagnosis.correct),
        })
    }

    pub(super) fn info(&self) -> LabInfo {
        let hosts = self.stage.hosts();
        LabInfo {
            schema_version: SCHEMA_VERSION,
            web: self.options.web.clone(),
            kubeconfig: self.folder.as_ref().map(crate::folder::Folder::kubeconfig),
            registries: hosts.into_iter().map(|(_, h)| (h.name, h.url)).collect::<BTreeMap<_, _>>(),
            pid: std::process::id(),
            drills: self.variants().iter().map(|variant| variant.drill.clone()).collect(),
            seed: self.options.seed,
        }
    }

    pub(super) fn write_info(&self) -> Result<(), LabError> {
        self.folder.as_ref().map_or(Ok(()), |folder| folder.write_info(&self.info()))
    }

    pub(super) fn scenarios(&self) -> Vec<ScenarioView> {
        let document = |scenario: &pulldrill_scenarios::Scenario| {
            let document = scenario.document();
            let variant = scenario.variant(self.options.seed).ok();
            let names = |scripts: Option<&Vec<pulldrill_scenarios::Script>>| {
                scripts.into_iter().flatten().map(|script| script.name.clone()).collect()
            };
            ScenarioView {
                id: document.id.clone(),
                title: document.title.clone(),
                family: document.family.clone(),
                cause: document.cause.clone(),
                difficulty: format!("{:?}", document.difficulty).to_lowercase(),
                remedies: names(variant.as_ref().map(|variant| &variant.remedies)),
                cheats: names(variant.as_ref().map(|variant| &variant.cheats)),
            }
        };
        self.catalogue.iter().map(document).collect()
    }
}

/// Points by what they are for. What held before anything was done counts only with the whole repair, and
/// prices of hints only when the drill is solved.
fn score(variant: &Variant, progress: &Progress) -> ScoreView {
    let mut score = ScoreView::default();
    let passes = |id: &String| progress.checks.get(id).is_some_and(|result| result.passed);
    let repaired = variant.checks.iter().filter(|check| check.required).all(|check| passes(&check.id));
    let given = |id: &String| progress.given.as_ref().is_some_and(|given| given.contains(id));
    for check in &variant.checks {
        let points = i64::from(check.points);
        let counts = passes(&check.id) && (repaired || !given(&check.id));
        let earned = if counts { points } else { 0 };
        let (sum, max) = match check.category {
            Category::Diagnose => (&mut score.diagnose, &mut score.diagnose_max),
            Category::Repair => (&mut score.repair, &mut score.repair_max),
            Category::Prevent => (&mut score.prevent, &mut score.prevent_max),
        };
        *sum += earned;
        *max += points;
    }
    score.max = score.diagnose_max + score.repair_max + score.prevent_max;
    if progress.state == crate::view::DrillState::Solved {
        score.hints = progress.hints.values().map(|hint| hint.price).sum();
    }
    score.total = (score.diagnose + score.repair + score.prevent - score.hints).max(0);
    score
}

fn checks(variant: &Variant, progress: &Progress) -> Vec<CheckView> {
    let view = |check: &pulldrill_scenarios::Check| {
        let result = progress.checks.get(&check.id);
        CheckView {
            id: check.id.clone(),
            title: check.title.clone(),
            points: check.points.into(),
            required: check.required,
            secret: matches!(check.test, CheckKind::Diagnosed),
            passed: result.is_some_and(|result| result.passed),
            message: result.map_or_else(|| check.message.clone(), |result| result.message.clone()),
        }
    };
    variant.checks.iter().map(view).collect()
}

pub(super) fn choices(variant: &Variant) -> Vec<ChoiceView> {
    let choices = variant.diagnosis.choices.iter();
    choices.map(|cause| ChoiceView { id: cause.id.clone(), label: cause.label.clone() }).collect()
}

pub(super) fn debrief(variant: &Variant) -> DebriefView {
    let cause = variant.diagnosis.choices.iter().find(|cause| cause.id == variant.cause);
    let repair = |script: &pulldrill_scenarios::Script| RepairView {
        name: script.name.clone(),
        title: script.title.clone(),
        script: script.text.clone(),
    };
    let reference = |url: &String| ReferenceView { title: url.clone(), url: url.clone() };
    DebriefView {
        id: variant.drill.clone(),
        scenario: variant.scenario.clone(),
        title: variant.title.clone(),
        family: variant.family.clone(),
        cause: variant.cause.clone(),
        cause_label: cause.map_or_else(|| variant.cause.clone(), |cause| cause.label.clone()),
        text: variant.debrief.clone(),
        remedies: variant.remedies.iter().map(repair).collect(),
        references: variant.references.iter().map(reference).collect(),
    }
}
