//! The view of one drill.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a drill is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillState {
    /// Its objects are being made.
    Injecting,
    /// Everything is there but the symptom.
    WaitingForSymptom,
    /// The trainee's clock runs.
    Open,
    /// Every required check passes and has to go on doing so for the hold.
    Held,
    /// It held.
    Solved,
    /// The trainee asked for the answer.
    GivenUp,
    /// The lab could not bring the symptom about; never the trainee's failure.
    InfrastructureError,
}

impl DrillState {
    /// Nothing of the drill is secret any more.
    #[must_use]
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Solved | Self::GivenUp)
    }

    /// The symptom has been seen and the answer is still wanted.
    #[must_use]
    pub fn is_running(self) -> bool {
        matches!(self, Self::Open | Self::Held)
    }

    /// The name that is shown, the same as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Injecting => "injecting",
            Self::WaitingForSymptom => "waiting-for-symptom",
            Self::Open => "open",
            Self::Held => "held",
            Self::Solved => "solved",
            Self::GivenUp => "given-up",
            Self::InfrastructureError => "infrastructure-error",
        }
    }
}

/// One drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillView {
    /// The neutral id.
    pub id: String,
    /// The namespace it lives in.
    pub namespace: String,
    /// Its title.
    pub title: String,
    /// What the trainee is told, Markdown.
    pub story: String,
    /// Where it is in its life.
    pub state: DrillState,
    /// Points so far, of 100.
    pub score: i64,
    /// How the points come about.
    pub score_detail: ScoreView,
    /// When the symptom was seen; shown time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// When it was solved or given up; shown time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Seconds of lab time since the symptom, up to the end of the drill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_seconds: Option<i64>,
    /// Seconds of lab time until a held drill is solved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_remaining_seconds: Option<i64>,
    /// What is checked.
    pub checks: Vec<CheckView>,
    /// The pods of the namespace.
    pub pods: Vec<PodView>,
    /// The Kubernetes events of the namespace, the latest last.
    pub events: Vec<EventView>,
    /// What the lab noticed and says about it, the latest last.
    pub feed: Vec<FeedView>,
    /// The hints, with text where bought.
    pub hints: Vec<HintView>,
    /// What a diagnosis may name; the same list for each drill.
    pub choices: Vec<ChoiceView>,
    /// The diagnosis that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<DiagnosisView>,
    /// The scenario's id; instructor, or closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The scenario's family; instructor, or closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The true cause; instructor, or closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What to learn from it; instructor, or closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debrief: Option<DebriefView>,
    /// What went wrong in the lab itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a score comes about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoreView {
    /// What counts: never below zero.
    pub total: i64,
    /// What could be reached.
    pub max: i64,
    /// For naming the cause.
    pub diagnose: i64,
    /// Of how many.
    pub diagnose_max: i64,
    /// For the repair.
    pub repair: i64,
    /// Of how many.
    pub repair_max: i64,
    /// For keeping it from coming back.
    pub prevent: i64,
    /// Of how many.
    pub prevent_max: i64,
    /// What hints have cost; counts only in a solved drill.
    pub hints: i64,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckView {
    /// Its id within the drill.
    pub id: String,
    /// What it looks at.
    pub title: String,
    /// What it is worth.
    pub points: i64,
    /// Needed for the solution; otherwise a bonus.
    pub required: bool,
    /// Whether its outcome would answer a question that is still open.
    #[serde(skip)]
    pub secret: bool,
    /// Whether it holds now (in a closed drill: held at the end).
    pub passed: bool,
    /// What is still missing, or what was seen.
    pub message: String,
}

/// One pod, as `kubectl get pods` shows it and a little more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Ready containers of all, `0/1`.
    pub ready: String,
    /// The STATUS column.
    pub status: String,
    /// How often containers were restarted.
    pub restarts: i64,
    /// Its age in seconds of lab time.
    pub age_seconds: i64,
    /// The node it was bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The image of its first container, as its spec has it.
    pub image: String,
    /// The waiting message of the container that the status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// About how long until the kubelet may pull again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_retry_seconds: Option<i64>,
}

/// One Kubernetes event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For example `BackOff`.
    pub reason: String,
    /// For example `pod/payments-api-…`.
    pub object: String,
    /// The words.
    pub message: String,
    /// How often.
    pub count: i64,
    /// Seconds since it was last seen.
    pub last_seconds: i64,
    /// Seconds since it was first seen.
    pub first_seconds: i64,
}

/// Something that the lab noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedView {
    /// When; shown time.
    pub at: Timestamp,
    /// `state`, `check`, `hint`, `diagnosis`, `notice`.
    pub kind: String,
    /// The check that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// What to read.
    pub message: String,
}

/// One hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HintView {
    /// Its number, from 1.
    pub n: usize,
    /// What it costs if the drill is solved.
    pub price: i64,
    /// The words, once it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// One answer that a diagnosis may give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChoiceView {
    /// What `diagnose` takes.
    pub id: String,
    /// What a person reads.
    pub label: String,
}

/// A diagnosis that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiagnosisView {
    /// The choice.
    pub choice: String,
    /// Its label.
    pub label: String,
    /// When; shown time.
    pub at: Timestamp,
    /// Whether it is right; told when the drill is closed, or to the instructor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
}

/// What there is to learn from a drill; only for a closed one, or the instructor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DebriefView {
    /// The neutral id.
    pub id: String,
    /// The scenario's id.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The family of causes.
    pub family: String,
    /// The true cause.
    pub cause: String,
    /// The cause in words.
    pub cause_label: String,
    /// The text, Markdown.
    pub text: String,
    /// How it can be repaired: name and script.
    pub remedies: Vec<RepairView>,
    /// Where to read on.
    pub references: Vec<ReferenceView>,
}

/// One accepted repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairView {
    /// Its name.
    pub name: String,
    /// What it does.
    pub title: String,
    /// The commands.
    pub script: String,
}

/// A place to read on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceView {
    /// What it is.
    pub title: String,
    /// Where it is.
    pub url: String,
}
