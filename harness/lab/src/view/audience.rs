//! Who is looking, and what is taken out of a view for them.

use serde::{Deserialize, Serialize};

use super::{DrillView, StatusView};

/// Who is looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// Sees what a person at the cluster could find out.
    Trainee,
    /// Knows the answers.
    Instructor,
}

impl StatusView {
    /// The view for an audience.
    #[must_use]
    pub fn filtered(mut self, audience: Audience) -> Self {
        self.drills = self.drills.into_iter().map(|drill| drill.filtered(audience)).collect();
        self
    }
}

impl DrillView {
    /// The view for an audience: a trainee learns scenario, family, cause and debrief, and whether the
    /// diagnosis was right, only when the drill is closed.
    #[must_use]
    pub fn filtered(mut self, audience: Audience) -> Self {
        if audience == Audience::Instructor || self.state.is_closed() {
            return self;
        }
        self.scenario = None;
        self.family = None;
        self.cause = None;
        self.debrief = None;
        if let Some(diagnosis) = &mut self.diagnosis {
            diagnosis.correct = None;
        }
        self.score -= self.score_detail.diagnose;
        self.score_detail.total -= self.score_detail.diagnose;
        self.score_detail.diagnose = 0;
        self
    }
}
