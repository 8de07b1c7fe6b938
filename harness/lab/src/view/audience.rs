//! Who is looking, and what is taken out of a view for them.

use serde::{Deserialize, Serialize};

use super::{DrillView, RecordingView, StatusView};

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
        for check in self.checks.iter_mut().filter(|check| check.secret) {
            check.passed = false;
            check.message = "Whether the diagnosis is right is told when the drill is closed.".into();
            self.feed.retain(|told| told.check.as_ref() != Some(&check.id));
        }
        self.score -= self.score_detail.diagnose;
        self.score_detail.total -= self.score_detail.diagnose;
        self.score_detail.diagnose = 0;
        self
    }
}

impl RecordingView {
    /// The view for an audience: what a drill was made of tells a trainee its cause.
    #[must_use]
    pub fn filtered(mut self, audience: Audience) -> Self {
        if audience == Audience::Trainee && !self.state.is_closed() {
            self.scenario = None;
            self.applied = None;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::view::{
        CheckView, ClockView, DebriefView, DiagnosisView, DrillState, FeedView, SCHEMA_VERSION, ScoreView,
    };

    const SECRET: &str = "the-very-cause";

    fn drill(state: DrillState) -> DrillView {
        let at = Timestamp::UNIX_EPOCH;
        let check = |id: &str, secret| CheckView {
            id: id.into(),
            title: "t".into(),
            points: 20,
            required: false,
            secret,
            passed: true,
            message: "m".into(),
        };
        let told = |check: &str| FeedView {
            at,
            kind: "check".into(),
            check: Some(check.into()),
            message: "passes".into(),
        };
        DrillView {
            id: "payments".into(),
            namespace: "payments".into(),
            title: "t".into(),
            story: "s".into(),
            state,
            score: 50,
            score_detail: ScoreView { total: 50, diagnose: 20, repair: 30, ..ScoreView::default() },
            opened_at: Some(at),
            closed_at: None,
            elapsed_seconds: Some(1),
            hold_remaining_seconds: None,
            checks: vec![check("named", true), check("runs", false)],
            pods: Vec::new(),
            events: Vec::new(),
            feed: vec![told("named"), told("runs")],
            hints: Vec::new(),
            choices: Vec::new(),
            diagnosis: Some(DiagnosisView { choice: "c".into(), label: "l".into(), at, correct: Some(true) }),
            scenario: Some(SECRET.into()),
            family: Some(SECRET.into()),
            cause: Some(SECRET.into()),
            debrief: Some(DebriefView {
                id: "payments".into(),
                scenario: SECRET.into(),
                title: SECRET.into(),
                family: SECRET.into(),
                cause: SECRET.into(),
                cause_label: SECRET.into(),
                text: SECRET.into(),
                remedies: Vec::new(),
                references: Vec::new(),
            }),
            error: None,
        }
    }

    fn shown(state: DrillState, audience: Audience) -> String {
        let status = StatusView {
            schema_version: SCHEMA_VERSION,
            dialect: "d".into(),
            verified: true,
            clock: ClockView { shown: Timestamp::UNIX_EPOCH, advanced_seconds: 0 },
            drills: vec![drill(state)],
        };
        serde_json::to_string(&status.filtered(audience)).unwrap()
    }

    #[test]
    fn a_trainee_learns_the_answer_only_from_a_closed_drill() {
        use DrillState::{GivenUp, Held, InfrastructureError, Injecting, Open, Solved, WaitingForSymptom};
        for state in [Injecting, WaitingForSymptom, Open, Held, InfrastructureError] {
            assert!(!shown(state, Audience::Trainee).contains(SECRET), "{state:?}");
            assert!(shown(state, Audience::Instructor).contains(SECRET), "{state:?}");
        }
        for state in [Solved, GivenUp] {
            assert!(shown(state, Audience::Trainee).contains(SECRET), "{state:?}");
        }
    }

    #[test]
    fn a_trainee_cannot_find_the_right_diagnosis_by_trying() {
        let wrong = |mut drill: DrillView| {
            drill.diagnosis.as_mut().unwrap().correct = Some(false);
            drill.checks[0].passed = false;
            drill.feed.remove(0);
            drill.score_detail.diagnose = 0;
            drill.score_detail.total = 30;
            drill.score = 30;
            drill
        };
        let right = drill(DrillState::Open).filtered(Audience::Trainee);
        assert_eq!(right, wrong(drill(DrillState::Open)).filtered(Audience::Trainee));
    }
}
