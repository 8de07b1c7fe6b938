//! What the judge remembers of one drill.

use std::sync::Arc;

use pulldrill_clock::clock::TimerId;
use pulldrill_scenarios::Variant;

use crate::checks::Baseline;

/// When a drill opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// As soon as its symptom is seen.
    AtOnce,
    /// When told, if its symptom has been seen by then: the past is being played.
    WhenTold,
}

/// Where the judge is with a drill.
pub(super) enum Stand {
    /// The symptom is looked for.
    Waiting {
        /// When to open.
        gate: Gate,
        /// What was seen of the symptom.
        seen: Option<String>,
    },
    /// The checks run.
    Open {
        /// What repairs are compared with.
        baseline: Box<Baseline>,
        /// The timer of a running hold.
        hold: Option<TimerId>,
    },
    /// Nothing is judged any more.
    Over,
}

/// One drill.
pub(super) struct Case {
    /// As it was written.
    pub(super) variant: Arc<Variant>,
    /// Where the judge is with it.
    pub(super) stand: Stand,
}
