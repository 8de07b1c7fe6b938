//! What a lab shows of itself: plain serialisable types, the same for the page, the JSON API and the command.
//!
//! They are built whole, as an instructor may see them; [`audience`] is the one place that takes out what
//! a trainee must not know yet. Nothing here computes: state comes from the fold of the drill's events,
//! pods and events from observation.

pub mod audience;
mod drill;
mod infra;
mod recording;

pub use audience::Audience;
pub use drill::{
    CheckView, ChoiceView, DebriefView, DiagnosisView, DrillState, DrillView, EventView, FeedView, HintView,
    PodView, ReferenceView, RepairView, ScoreView,
};
pub use infra::{
    ClockView, CopyView, EgressView, FaultView, JournalView, LabInfo, PullView, ScenarioView, StatusView,
};
pub use recording::{ChangeView, NodeView, RecordingView};

/// The version of every JSON document of this crate; it rises when a field changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;
