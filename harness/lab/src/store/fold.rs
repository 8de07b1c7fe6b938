//! What the events of one drill amount to.
//!
//! Pure: the same events give the same progress, on the first run and after any restart.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::event::{CheckResult, DrillEvent};
use crate::view::DrillState;

/// Where one drill stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Its state.
    pub state: DrillState,
    /// When the symptom was seen; lab time, as all times here.
    pub opened_at: Option<Timestamp>,
    /// Since when all required checks pass.
    pub held_since: Option<Timestamp>,
    /// When it was solved or given up.
    pub closed_at: Option<Timestamp>,
    /// The latest outcome of every check.
    pub checks: BTreeMap<String, CheckResult>,
    /// The checks that passed before anything was done; `None` until they have been run once.
    pub given: Option<BTreeSet<String>>,
    /// The hints bought, by number.
    pub hints: BTreeMap<usize, Hint>,
    /// The latest diagnosis.
    pub diagnosis: Option<Diagnosis>,
    /// What was told to the trainee.
    pub feed: Vec<Told>,
    /// What went wrong in the lab.
    pub error: Option<String>,
    /// Kinds and words of what was noticed already.
    pub noticed: BTreeSet<(String, String)>,
}

/// A hint that was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// Its price.
    pub price: i64,
    /// The words.
    pub text: String,
}

/// A diagnosis that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    /// The choice.
    pub choice: String,
    /// Its label.
    pub label: String,
    /// Whether it is right.
    pub correct: bool,
    /// When.
    pub at: Timestamp,
}

/// One line of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// When.
    pub at: Timestamp,
    /// `state`, `check`, `hint`, `diagnosis`, `notice`.
    pub kind: &'static str,
    /// The check that it is about, if it is about one.
    pub check: Option<String>,
    /// The words.
    pub message: String,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            state: DrillState::Injecting,
            opened_at: None,
            held_since: None,
            closed_at: None,
            checks: BTreeMap::new(),
            given: None,
            hints: BTreeMap::new(),
            diagnosis: None,
            feed: Vec::new(),
            error: None,
            noticed: BTreeSet::new(),
        }
    }
}

impl Progress {
    /// Takes in one more event.
    pub(crate) fn apply(&mut self, at: Timestamp, event: &DrillEvent) {
        match event {
            DrillEvent::Injecting { .. } => *self = Self::default(),
            DrillEvent::Injected => self.state = DrillState::WaitingForSymptom,
            DrillEvent::SymptomSeen { seen } => {
                self.state = DrillState::Open;
                self.opened_at = Some(at);
                self.error = None;
                self.tell(at, "state", format!("The symptom is there: {seen}. Your time runs."));
            }
            DrillEvent::LabFailed { message } => {
                self.state = DrillState::InfrastructureError;
                self.error = Some(message.clone());
                self.tell(at, "state", format!("The lab failed, not you: {message}"));
            }
            DrillEvent::Checked { results } => {
                for result in results {
                    self.take_result(at, result);
                }
                let passed = results.iter().filter(|result| result.passed);
                self.given.get_or_insert_with(|| passed.map(|result| result.id.clone()).collect());
            }
            DrillEvent::Held => {
                self.state = DrillState::Held;
                self.held_since = Some(at);
                self.tell(at, "state", "Every required check passes. Now it has to last.".into());
            }
            DrillEvent::Broken => {
                self.state = DrillState::Open;
                self.held_since = None;
                self.tell(at, "state", "It did not last: a required check fails again.".into());
            }
            DrillEvent::Solved => self.close(at, DrillState::Solved, "Solved."),
            DrillEvent::GivenUp => self.close(at, DrillState::GivenUp, "Given up; the answer is below."),
            DrillEvent::HintBought { n, price, text } => {
                self.hints.insert(*n, Hint { price: *price, text: text.clone() });
                let message = format!("Hint {n} was taken; it costs {price} points if you solve the drill.");
                self.tell(at, "hint", message);
            }
            DrillEvent::Diagnosed { choice, label, correct } => {
                let (choice, label, correct) = (choice.clone(), label.clone(), *correct);
                self.tell(at, "diagnosis", format!("Your diagnosis: {label}."));
                self.diagnosis = Some(Diagnosis { choice, label, correct, at });
            }
            DrillEvent::Noticed { kind, message } => {
                self.noticed.insert((kind.clone(), message.clone()));
                self.tell(at, "notice", message.clone());
            }
        }
    }

    fn take_result(&mut self, at: Timestamp, result: &CheckResult) {
        let before = self.checks.insert(result.id.clone(), result.clone());
        if before.is_some_and(|before| before.passed != result.passed) {
            let words = if result.passed { "passes" } else { "no longer passes" };
            let message = format!("Check {} {words}: {}", result.id, result.message);
            self.feed.push(Told { at, kind: "check", check: Some(result.id.clone()), message });
        }
    }

    fn close(&mut self, at: Timestamp, state: DrillState, words: &str) {
        self.state = state;
        self.closed_at = Some(at);
        self.tell(at, "state", words.into());
    }

    fn tell(&mut self, at: Timestamp, kind: &'static str, message: String) {
        self.feed.push(Told { at, kind, check: None, message });
    }
}

#[cfg(test)]
mod tests {
    use pulldrill_clock::SignedDuration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn folded(events: &[DrillEvent]) -> Progress {
        let mut progress = Progress::default();
        for (n, event) in (0..).zip(events) {
            progress.apply(at(n), event);
        }
        progress
    }

    fn opened() -> Vec<DrillEvent> {
        vec![
            DrillEvent::Injecting { scenario: "s".into(), seed: 1 },
            DrillEvent::Injected,
            DrillEvent::SymptomSeen { seen: "ImagePullBackOff".into() },
        ]
    }

    #[test]
    fn a_drill_goes_from_the_symptom_over_the_hold_to_the_solution() {
        let mut events = opened();
        assert_eq!(folded(&events[..2]).state, DrillState::WaitingForSymptom);
        let open = folded(&events);
        assert_eq!((open.state, open.opened_at), (DrillState::Open, Some(at(2))));
        events.extend([DrillEvent::Held, DrillEvent::Broken]);
        let broken = folded(&events);
        assert_eq!((broken.state, broken.held_since), (DrillState::Open, None));
        events.extend([DrillEvent::Held, DrillEvent::Solved]);
        let solved = folded(&events);
        assert_eq!((solved.state, solved.closed_at), (DrillState::Solved, Some(at(6))));
        assert_eq!(solved.held_since, Some(at(5)));
    }

    #[test]
    fn a_new_attempt_forgets_the_one_before() {
        let mut events = opened();
        events.push(DrillEvent::HintBought { n: 1, price: 5, text: "t".into() });
        events.push(DrillEvent::Diagnosed { choice: "a".into(), label: "A".into(), correct: true });
        assert_eq!(folded(&events).hints.len(), 1);
        events.push(DrillEvent::Injecting { scenario: "s".into(), seed: 1 });
        assert_eq!(folded(&events), Progress::default());
    }

    #[test]
    fn only_a_changed_outcome_is_told() {
        let result = |passed| DrillEvent::Checked {
            results: vec![CheckResult { id: "runs".into(), passed, message: "m".into() }],
        };
        let mut events = opened();
        events.extend([result(false), result(false), result(true)]);
        let told = folded(&events).feed.iter().filter(|told| told.kind == "check").count();
        assert_eq!(told, 1);
    }

    #[test]
    fn what_passed_before_anything_was_done_is_remembered() {
        let result = |id: &str, passed| CheckResult { id: id.into(), passed, message: "m".into() };
        let mut events = opened();
        assert_eq!(folded(&events).given, None);
        events.push(DrillEvent::Checked { results: vec![result("kept", true), result("runs", false)] });
        events.push(DrillEvent::Checked { results: vec![result("runs", true)] });
        assert_eq!(folded(&events).given, Some(["kept".to_owned()].into()));
    }

    #[test]
    fn a_failure_of_the_lab_is_no_failure_of_the_trainee() {
        let mut events = opened();
        events.truncate(2);
        events.push(DrillEvent::LabFailed { message: "no symptom".into() });
        let failed = folded(&events);
        assert_eq!(failed.state, DrillState::InfrastructureError);
        assert!(!failed.state.is_closed() && failed.opened_at.is_none());
    }
}
