//! Opening the drills: playing their history, and waiting for their symptoms.

use std::{sync::Arc, time::Duration};

use pulldrill_clock::{SignedDuration, Timestamp, real};
use pulldrill_scenarios::Variant;

use super::Inner;
use crate::{
    ClockMode, LabError,
    checks::gate,
    inject::timeline::{self, Entry},
    judge::Gate,
    observe::Snapshot,
    store::DrillEvent,
    view::DrillState,
};

/// Whoever waits for symptoms is told this often which ones have not come.
const TELLING: Duration = Duration::from_secs(30);

/// In the last so much of the history a symptom must have been seen.
const RECENT: SignedDuration = SignedDuration::from_secs(60);

impl Inner {
    /// Injects the drills that the lab was started with, and waits for their symptoms.
    pub(super) async fn open(&self) -> Result<(), LabError> {
        let _turn = self.turns.take("the lab").await?;
        let variants = self.variants();
        if self.backend.can_advance() {
            self.play(&variants).await?;
        } else {
            self.play_in_real_time(&variants).await?;
        }
        let failed = self.wait_for_symptoms(&variants).await?;
        if !failed.is_empty() {
            return Err(LabError::Symptom(failed.join("; ")));
        }
        self.write_info()
    }

    /// Plays the history, up to now.
    async fn play(&self, variants: &[Arc<Variant>]) -> Result<(), LabError> {
        let entries = timeline::merged(variants);
        let recent = self.history_end - RECENT;
        let mut to_arm: Vec<Arc<Variant>> = variants.to_vec();
        for entry in entries.iter().filter(|entry| self.options.history || !entry.is_last()) {
            let at = self.history_end + entry.at;
            if at > recent {
                self.arm(&mut to_arm, recent).await?;
            }
            self.clock.advance_to(at).await;
            self.perform(entry).await?;
        }
        self.arm(&mut to_arm, recent).await?;
        if !self.options.history {
            self.clock.advance_to(self.end()).await;
            self.go();
            for entry in entries.iter().filter(|entry| entry.is_last()) {
                self.perform(entry).await?;
            }
            self.judge.open_seen();
            return Ok(());
        }
        self.clock.advance_to(self.end()).await;
        self.judge.open_seen();
        self.clock.idle().await;
        if self.all_open(variants) {
            self.go();
        }
        Ok(())
    }

    /// Lets the histories happen, each as fast as the cluster can, all side by side.
    async fn play_in_real_time(&self, variants: &[Arc<Variant>]) -> Result<(), LabError> {
        self.options.steps.begin("Injecting the drills");
        futures::future::try_join_all(variants.iter().map(|variant| self.inject(variant))).await?;
        self.options.steps.begin("Waiting for their symptoms");
        Ok(())
    }

    /// The present, at which the past ends.
    fn end(&self) -> Timestamp {
        match self.options.clock {
            ClockMode::Live => real::now(),
            ClockMode::Held(at) => at,
        }
    }

    fn go(&self) {
        if self.options.clock == ClockMode::Live {
            self.clock.go_live();
        }
    }

    /// From `at` on, the symptoms are looked for.
    async fn arm(&self, variants: &mut Vec<Arc<Variant>>, at: Timestamp) -> Result<(), LabError> {
        if variants.is_empty() {
            return Ok(());
        }
        self.clock.advance_to(at).await;
        for variant in variants.drain(..) {
            self.ledger.record(&variant.drill, self.clock.now(), DrillEvent::Injected).await?;
            self.judge.arm(variant, Gate::WhenTold);
        }
        Ok(())
    }

    async fn perform(&self, entry: &Entry) -> Result<(), LabError> {
        let variant = &entry.variant;
        if entry.is_first() {
            self.recorder.begin(&variant.namespace);
            self.injector.make_namespace(variant).await?;
        }
        self.injector.perform(variant, entry.step()).await
    }

    /// Makes a drill's past happen in a moment, and its break after it.
    async fn inject(&self, variant: &Arc<Variant>) -> Result<(), LabError> {
        self.recorder.begin(&variant.namespace);
        self.injector.make_namespace(variant).await?;
        for (index, step) in variant.history.iter().enumerate() {
            self.injector.wait_for_good_pods(variant).await?;
            if index + 1 == variant.history.len() {
                self.injector.age_tokens(variant).await?;
            }
            self.injector.perform(variant, step).await?;
        }
        self.ledger.record(&variant.drill, self.clock.now(), DrillEvent::Injected).await?;
        self.judge.arm(variant.clone(), Gate::AtOnce);
        Ok(())
    }

    /// Injects one drill while the lab runs.
    pub(super) async fn inject_now(&self, variant: &Arc<Variant>) -> Result<(), LabError> {
        self.inject(variant).await?;
        let failed = self.wait_for_symptoms(std::slice::from_ref(variant)).await?;
        match failed.is_empty() {
            true => Ok(()),
            false => Err(LabError::Symptom(failed.join("; "))),
        }
    }

    fn all_open(&self, variants: &[Arc<Variant>]) -> bool {
        variants.iter().all(|variant| !self.is_waiting(variant))
    }

    fn is_waiting(&self, variant: &Variant) -> bool {
        self.ledger.with(&variant.drill, |progress| progress.state == DrillState::WaitingForSymptom)
    }

    /// Waits until every drill is open; what was seen instead where the time ran out.
    async fn wait_for_symptoms(&self, variants: &[Arc<Variant>]) -> Result<Vec<String>, LabError> {
        let deadline = self.clock.now() + self.options.symptom_budget;
        if self.clock.is_held() && self.options.clock != ClockMode::Live {
            while !self.all_open(variants) && self.clock.skip(deadline).await {}
            self.clock.idle().await;
        } else {
            self.clock.go_live();
            let mut changed = self.changed.subscribe();
            let mut over = Box::pin(self.clock.sleep_until(self.clock.busy(), deadline));
            let mut tell = Box::pin(real::sleep(TELLING));
            while !self.all_open(variants) {
                tokio::select! {
                    seen = changed.changed() => if seen.is_err() { break },
                    _busy = &mut over => break,
                    () = &mut tell => {
                        self.tell_what_is_missing(variants);
                        tell.set(real::sleep(TELLING));
                    }
                    () = self.stop.cancelled() => return Err(LabError::part("lab", "it was stopped")),
                }
            }
        }
        self.fail_those_that_wait(variants).await
    }

    /// Says which symptoms have not come yet, and what is seen instead.
    fn tell_what_is_missing(&self, variants: &[Arc<Variant>]) {
        let waiting = variants.iter().filter(|variant| self.is_waiting(variant));
        let missing: Vec<_> =
            waiting.map(|variant| format!("{} ({})", variant.drill, self.seen_instead(variant))).collect();
        self.options.steps.begin(&format!("Still waiting for {}", missing.join("; ")));
    }

    /// What the gate of a drill sees; nothing when it is the symptom.
    fn seen_instead(&self, variant: &Variant) -> String {
        let snapshot = Snapshot::new(self.backend.objects(), &variant.namespace);
        gate::look(variant, &snapshot).err().unwrap_or_default()
    }

    async fn fail_those_that_wait(&self, variants: &[Arc<Variant>]) -> Result<Vec<String>, LabError> {
        let mut failed = Vec::new();
        for variant in variants.iter().filter(|variant| self.is_waiting(variant)) {
            self.judge.forget(&variant.drill).await;
            let seen = self.seen_instead(variant);
            let message = format!("the symptom did not come; seen instead: {seen}");
            failed.push(format!("{} ({seen})", variant.drill));
            let event = DrillEvent::LabFailed { message };
            self.ledger.record(&variant.drill, self.clock.now(), event).await?;
        }
        Ok(failed)
    }
}
