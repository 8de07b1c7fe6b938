//! The steps of many drills on one time line.

use std::sync::Arc;

use pulldrill_clock::SignedDuration;
use pulldrill_scenarios::{Step, Variant};

/// One step of one drill.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The drill.
    pub(crate) variant: Arc<Variant>,
    /// Which of its steps.
    pub(crate) index: usize,
    /// When, counted from the end of the history.
    pub(crate) at: SignedDuration,
}

impl Entry {
    /// The step.
    pub(crate) fn step(&self) -> &Step {
        &self.variant.history[self.index]
    }

    /// Whether it is the drill's first step.
    pub(crate) fn is_first(&self) -> bool {
        self.index == 0
    }

    /// Whether it is the step after which the symptom comes.
    pub(crate) fn is_last(&self) -> bool {
        self.index + 1 == self.variant.history.len()
    }
}

/// All steps of all drills, oldest first; steps of the same time in the order of the drills.
pub(crate) fn merged(variants: &[Arc<Variant>]) -> Vec<Entry> {
    let mut all = Vec::new();
    for variant in variants {
        for (index, step) in variant.history.iter().enumerate() {
            all.push(Entry { variant: variant.clone(), index, at: step.at });
        }
    }
    all.sort_by_key(|entry| entry.at);
    all
}

/// How long before the end the first step is.
pub(crate) fn span(entries: &[Entry]) -> SignedDuration {
    entries.iter().map(|entry| -entry.at).max().unwrap_or_default().max(SignedDuration::ZERO)
}
