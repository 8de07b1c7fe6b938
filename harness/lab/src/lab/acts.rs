//! What the trainee and the instructor do with drills.

use std::sync::Arc;

use pulldrill_scenarios::{Condition, Hint, Variant};

use super::{Inner, choose, show};
use crate::{
    LabError,
    judge::POD_DELETED,
    store::{DrillEvent, Progress},
    view::{Audience, DebriefView, DiagnosisView, DrillState, HintView},
};

impl Inner {
    pub(super) async fn hint(&self, id: &str) -> Result<HintView, LabError> {
        let variant = self.variant(id)?;
        let template_changed = self.judge.template_changed(id).await;
        self.ledger
            .change(id, self.clock.now(), |progress| {
                running(&variant, progress, "a hint")?;
                let n = progress.hints.len() + 1;
                let Some(hint) = variant.hints.get(n - 1) else {
                    return Err(LabError::Invalid(format!("drill {id} has no further hint")));
                };
                let (price, text) = (i64::from(hint.price), text_of(hint, progress, template_changed));
                let view = HintView { n, price, text: Some(text.clone()) };
                Ok((vec![DrillEvent::HintBought { n, price, text }], view))
            })
            .await
    }

    pub(super) async fn diagnose(&self, id: &str, choice: &str) -> Result<DiagnosisView, LabError> {
        let variant = self.variant(id)?;
        let known = variant.diagnosis.choices.iter().find(|cause| cause.id == choice);
        let cause = known.ok_or_else(|| LabError::UnknownChoice {
            choice: choice.to_owned(),
            known: variant.diagnosis.choices.iter().map(|c| c.id.as_str()).collect::<Vec<_>>().join(", "),
        })?;
        let now = self.clock.now();
        let correct = variant.diagnosis.accepted.iter().any(|accepted| accepted == choice);
        let (choice, label) = (cause.id.clone(), cause.label.clone());
        let view = DiagnosisView {
            choice: choice.clone(),
            label: label.clone(),
            at: self.clock.shown(now),
            correct: None,
        };
        self.ledger
            .change(id, now, |progress| {
                running(&variant, progress, "a diagnosis")?;
                Ok((vec![DrillEvent::Diagnosed { choice, label, correct }], ()))
            })
            .await?;
        self.judge.look(id);
        Ok(view)
    }

    pub(super) async fn give_up(&self, id: &str) -> Result<DebriefView, LabError> {
        let variant = self.variant(id)?;
        self.ledger
            .change(id, self.clock.now(), |progress| {
                running(&variant, progress, "giving up")?;
                Ok((vec![DrillEvent::GivenUp], ()))
            })
            .await?;
        self.judge.look(id);
        Ok(show::debrief(&variant))
    }

    pub(super) fn debrief(&self, id: &str, audience: Audience) -> Result<DebriefView, LabError> {
        let variant = self.variant(id)?;
        let state = self.ledger.with(id, |progress| progress.state);
        if audience == Audience::Trainee && !state.is_closed() {
            return Err(LabError::WrongState {
                id: id.to_owned(),
                action: "the debriefing",
                state: state.as_str(),
                advice: "solve it, or give it up, first",
            });
        }
        Ok(show::debrief(&variant))
    }

    pub(super) async fn reset(&self, id: &str) -> Result<(), LabError> {
        let _turn = self.turns.take(id).await?;
        let variant = self.variant(id)?;
        self.judge.forget(id).await;
        let event = DrillEvent::Injecting { scenario: variant.scenario.clone(), seed: variant.seed };
        self.ledger.record(id, self.clock.now(), event).await?;
        self.injector.delete_namespace(&variant).await?;
        self.stage.tear_down(&variant).await?;
        for registry in &variant.registries {
            self.backend.forget_images(&registry.host).await?;
        }
        let variant = self.moved(variant).await?;
        self.bring_up(&variant).await
    }

    /// The drill with the names that it has elsewhere, where its old place can't be used again.
    async fn moved(&self, variant: Arc<Variant>) -> Result<Arc<Variant>, LabError> {
        let Some(placement) = self.backend.elsewhere(&variant.scenario).await? else { return Ok(variant) };
        let scenario = self.catalogue.get(&variant.scenario);
        let scenario = scenario.ok_or_else(|| LabError::Scenario(format!("{} is gone", variant.scenario)))?;
        let moved = scenario.variant_at(variant.seed, &placement);
        let moved = Arc::new(moved.map_err(|error| LabError::Scenario(error.to_string()))?);
        for drill in self.drills.write().iter_mut().filter(|drill| drill.drill == moved.drill) {
            *drill = moved.clone();
        }
        Ok(moved)
    }

    pub(super) async fn start_drill(&self, scenario: &str) -> Result<String, LabError> {
        let _turn = self.turns.take(scenario).await?;
        choose::known(&self.catalogue, scenario)?;
        let others = self.variants();
        if others.iter().any(|variant| variant.scenario == scenario) {
            // Which one it is would tell its cause.
            return Err(LabError::Invalid(
                "one of the drills is of that scenario already; reset it instead".to_owned(),
            ));
        }
        let variant = Arc::new(choose::one(&self.catalogue, scenario, &self.options, &others)?);
        choose::possible(&self.options.backend, self.backend.missing(), &variant)?;
        let event = DrillEvent::Injecting { scenario: variant.scenario.clone(), seed: variant.seed };
        self.ledger.record(&variant.drill, self.clock.now(), event).await?;
        self.drills.write().push(variant.clone());
        self.bring_up(&variant).await?;
        Ok(variant.drill.clone())
    }

    /// Sets the stage and injects a drill while the lab runs.
    async fn bring_up(&self, variant: &Arc<Variant>) -> Result<(), LabError> {
        let outcome = async {
            self.stage.set_up(variant, self.clock.now()).await?;
            self.inject_now(variant).await
        };
        let outcome = outcome.await;
        if let Err(error) = &outcome
            && !matches!(error, LabError::Symptom(_))
        {
            let event = DrillEvent::LabFailed { message: error.to_string() };
            self.ledger.record(&variant.drill, self.clock.now(), event).await?;
        }
        self.write_info()?;
        outcome
    }
}

/// Fails unless the drill runs.
fn running(variant: &Variant, progress: &Progress, action: &'static str) -> Result<(), LabError> {
    if progress.state.is_running() {
        return Ok(());
    }
    let advice = match progress.state {
        DrillState::Solved | DrillState::GivenUp => "it is closed; reset it to start anew",
        DrillState::InfrastructureError => "reset it to start anew",
        _ => "wait until its symptom is there",
    };
    let state = progress.state.as_str();
    Err(LabError::WrongState { id: variant.drill.clone(), action, state, advice })
}

/// The words of a hint in the present situation.
fn text_of(hint: &Hint, progress: &Progress, template_changed: bool) -> String {
    let passed = |id: &String| progress.checks.get(id).is_some_and(|result| result.passed);
    let holds = |condition: &Condition| match condition {
        Condition::CheckPassed(id) => passed(id),
        Condition::CheckFailed(id) => !passed(id),
        Condition::PodDeleted => progress.noticed.iter().any(|(kind, _)| kind == POD_DELETED),
        Condition::TemplateChanged => template_changed,
    };
    let fitting = hint.alternatives.iter().find(|alternative| holds(&alternative.when));
    fitting.map_or(&hint.text, |alternative| &alternative.text).clone()
}
