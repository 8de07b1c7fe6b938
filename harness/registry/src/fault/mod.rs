//! Faults: ways in which a host misbehaves on purpose. Which there are, and what a rule that switches one on may say, are
//! the tables of `pulldrill_faults`; here is what a host remembers of its rules, and the one question about them: which of
//! them strike now? Chance is drawn from the host's own seeded series.

pub(crate) mod certificates;
mod hosts;
pub(crate) mod line;
pub(crate) mod spoil;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use pulldrill_clock::{Clock, Timestamp, seed};
use pulldrill_faults::{FaultKind, FaultRule, RuleError, Stage, Subject, Value};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use hosts::HostFault;

/// A fault that a host has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fault {
    /// Its number, of which no other fault of the registry has the same.
    pub id: u64,
    /// What switched it on.
    pub rule: FaultRule,
    /// How often it has struck.
    pub struck: u64,
    /// When it ends, in lab time; it stays in the list after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Gives every fault of a registry a number of its own.
pub(crate) type Numbers = Arc<AtomicU64>;

/// A host's faults.
pub(crate) struct Faults {
    clock: Clock,
    numbers: Numbers,
    active: Mutex<Vec<Active>>,
    chance: Mutex<seed::Rng>,
    changed: watch::Sender<()>,
}

/// A rule in force.
struct Active {
    id: u64,
    rule: FaultRule,
    kind: &'static FaultKind,
    until: Option<Timestamp>,
    /// How often something in its scope went through, because of its schedule.
    passed: u64,
    /// How often it has struck.
    struck: u64,
}

/// A fault that strikes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strike {
    /// Its name in the table.
    pub(crate) name: &'static str,
    values: BTreeMap<&'static str, Value>,
}

impl Strike {
    /// A number among its parameters.
    pub(crate) fn number(&self, name: &str) -> u64 {
        match self.values.get(name) {
            Some(Value::Number(number)) => *number,
            _ => 0,
        }
    }

    /// A text among its parameters.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.values.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// A flag among its parameters.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Flag(true)))
    }
}

impl Faults {
    pub(crate) fn new(seed: u64, host: &str, clock: Clock, numbers: Numbers) -> Self {
        Self {
            clock,
            numbers,
            active: Mutex::default(),
            chance: Mutex::new(seed::rng(seed, &format!("registry/faults/{host}"))),
            changed: watch::Sender::new(()),
        }
    }

    /// Replaces all rules; their counts and times begin anew.
    pub(crate) fn set(&self, rules: Vec<FaultRule>) -> Result<(), RuleError> {
        let active = rules.into_iter().map(|rule| self.activate(rule)).collect::<Result<Vec<_>, _>>()?;
        let ends: Vec<Timestamp> = active.iter().filter_map(|active| active.until).collect();
        *self.active.lock() = active;
        self.changed.send_replace(());
        ends.into_iter().for_each(|end| self.tell_at(end));
        Ok(())
    }

    /// Adds a rule after the others, which go on as they are.
    pub(crate) fn add(&self, rule: FaultRule) -> Result<Fault, RuleError> {
        let active = self.activate(rule)?;
        let (fault, end) = (active.shown(), active.until);
        self.active.lock().push(active);
        self.changed.send_replace(());
        end.into_iter().for_each(|end| self.tell_at(end));
        Ok(fault)
    }

    /// Takes one away; false when it is not there.
    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut active = self.active.lock();
        let before = active.len();
        active.retain(|active| active.id != id);
        let removed = active.len() < before;
        drop(active);
        if removed {
            self.changed.send_replace(());
        }
        removed
    }

    fn activate(&self, rule: FaultRule) -> Result<Active, RuleError> {
        let kind = rule.kind()?;
        let until = rule.when.until(self.clock.now());
        let id = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Active { id, rule, kind, until, passed: 0, struck: 0 })
    }

    fn tell_at(&self, end: Timestamp) {
        let changed = self.changed.clone();
        self.clock.schedule(end, move |_busy| changed.send_replace(()));
    }

    /// All of them, in order.
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.active.lock().iter().map(Active::shown).collect()
    }

    /// Whether there are none.
    pub(crate) fn are_none(&self) -> bool {
        self.active.lock().is_empty()
    }

    /// Tells when rules come and go.
    pub(crate) fn follow(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether the port is closed now. Asked again and again, so nothing is counted and no chance is drawn.
    pub(crate) fn refuses(&self) -> bool {
        let now = self.clock.now();
        let active = self.active.lock();
        active.iter().any(|active| active.kind.stage == Stage::Port && active.is_on(now))
    }

    /// The faults of a stage that strike this, in the order of their rules.
    pub(crate) fn strike(&self, stage: Stage, subject: &Subject<'_>) -> Vec<Strike> {
        let mut active = self.active.lock();
        if active.is_empty() {
            return Vec::new();
        }
        let now = self.clock.now();
        let mut chance = self.chance.lock();
        let concerned = active.iter_mut().filter(|active| active.kind.stage == stage && active.is_on(now));
        let struck = concerned.filter(|active| active.rule.on.covers(subject)).filter_map(|active| {
            if active.passed < active.rule.when.after.unwrap_or(0) {
                active.passed += 1;
                return None;
            }
            if active.rule.when.times.is_some_and(|times| active.struck >= times) {
                return None;
            }
            if active.rule.when.probability.is_some_and(|p| chance.random_range(0.0..1.0) >= p) {
                return None;
            }
            active.struck += 1;
            Some(active.strike())
        });
        struck.collect()
    }
}

impl Active {
    fn shown(&self) -> Fault {
        Fault { id: self.id, rule: self.rule.clone(), struck: self.struck, until: self.until }
    }

    fn is_on(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn strike(&self) -> Strike {
        Strike { name: self.kind.name, values: self.rule.values() }
    }
}

#[cfg(test)]
mod tests {
    use pulldrill_clock::{SignedDuration, real};

    use pulldrill_faults::{Schedule, Scope};

    use super::*;

    fn names(faults: &Faults, subject: &Subject<'_>) -> Vec<&'static str> {
        faults.strike(Stage::Refusal, subject).into_iter().map(|strike| strike.name).collect()
    }

    fn faults(when: Schedule) -> (Faults, Clock) {
        let clock = Clock::held_at(real::now());
        let faults = Faults::new(1, "r.example", clock.clone(), Numbers::default());
        let on = Scope { repository: Some("a".into()), ..Scope::default() };
        faults.set(vec![FaultRule { when, ..FaultRule::new("status").on(on) }]).unwrap();
        (faults, clock)
    }

    const A: Subject<'_> = Subject {
        repository: Some("a"),
        part: None,
        reference: None,
        client: None,
        node: None,
        user_agent: None,
        method: None,
    };
    const B: Subject<'_> = Subject { repository: Some("b"), ..A };

    #[tokio::test]
    async fn a_fault_begins_after_some_and_ends_after_some() {
        let (faults, _clock) = faults(Schedule { after: Some(2), times: Some(1), ..Schedule::default() });
        assert!(names(&faults, &A).is_empty() && names(&faults, &B).is_empty());
        assert!(names(&faults, &A).is_empty(), "what is not in its scope does not count");
        assert_eq!(names(&faults, &A), ["status"]);
        assert!(names(&faults, &A).is_empty(), "once was all");
        assert!(faults.strike(Stage::Answer, &A).is_empty());
    }

    #[tokio::test]
    async fn a_fault_lasts_as_long_as_the_labs_clock_says_and_tells_its_end() {
        let (faults, clock) = faults(Schedule { seconds: Some(60), ..Schedule::default() });
        let mut follow = faults.follow();
        clock.advance(SignedDuration::from_secs(59)).await;
        assert_eq!(names(&faults, &A), ["status"]);
        assert!(!follow.has_changed().unwrap());
        clock.advance(SignedDuration::from_secs(1)).await;
        follow.changed().await.unwrap();
        assert!(names(&faults, &A).is_empty());
    }

    #[tokio::test]
    async fn chance_is_the_same_from_the_same_seed() {
        let draw = || {
            let (faults, _clock) = faults(Schedule { probability: Some(0.5), ..Schedule::default() });
            (0..200).map(|_| names(&faults, &A).len()).collect::<Vec<_>>()
        };
        let drawn = draw();
        assert_eq!(drawn, draw());
        let struck: usize = drawn.iter().sum();
        assert!((60..140).contains(&struck), "{struck}");
    }

    #[tokio::test]
    async fn parameters_are_what_was_said_or_what_the_table_says() {
        let (faults, _clock) = faults(Schedule::default());
        let strike = faults.strike(Stage::Refusal, &A).remove(0);
        assert_eq!((strike.number("status"), strike.text("body")), (503, ""));
        faults.set(vec![FaultRule::new("status").with("status", &418).with("body", &"tea")]).unwrap();
        let strike = faults.strike(Stage::Refusal, &B).remove(0);
        assert_eq!((strike.number("status"), strike.text("body")), (418, "tea"));
        assert!(!strike.flag("rescue"));
        assert!(faults.set(vec![FaultRule::new("tea")]).is_err());
        assert!(faults.add(FaultRule::new("tea")).is_err());
        assert_eq!(faults.list().len(), 1, "what is refused changes nothing");
    }

    #[tokio::test]
    async fn faults_come_and_go_one_by_one_and_the_others_go_on() {
        let (faults, _clock) = faults(Schedule { times: Some(2), ..Schedule::default() });
        assert_eq!(names(&faults, &A), ["status"]);
        let first = faults.list().remove(0);
        let mut follow = faults.follow();
        let html = faults.add(FaultRule::new("html")).unwrap();
        assert!(html.id != first.id && follow.has_changed().unwrap());
        assert_eq!(names(&faults, &A), ["status", "html"]);
        assert_eq!(names(&faults, &A), ["html"], "what one has struck is not forgotten");
        assert_eq!(faults.list().iter().map(|fault| fault.struck).collect::<Vec<_>>(), [2, 2]);
        follow.mark_unchanged();
        assert!(faults.remove(first.id) && !faults.remove(first.id));
        assert!(follow.has_changed().unwrap());
        assert_eq!(faults.list().iter().map(|fault| fault.id).collect::<Vec<_>>(), [html.id]);
    }
}
