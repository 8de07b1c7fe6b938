//! The handle of a running lab.

use std::sync::Arc;

use pulldrill_clock::{Clock, SignedDuration};
use tokio::sync::watch;

use crate::{
    LabError, LabOptions,
    request::{CopyRequest, EgressRequest, PullQuery},
    view::{
        Audience, CopyView, DebriefView, DiagnosisView, DrillView, EgressView, HintView, LabInfo, PullView,
        ScenarioView, StatusView,
    },
};

/// A running lab; cheap to clone, all clones are the same lab.
#[derive(Clone, Debug)]
pub struct Lab(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    changed: watch::Sender<u64>,
}

fn not_yet<T>() -> Result<T, LabError> {
    Err(LabError::part("lab", "this part of the lab is not built in"))
}

impl Lab {
    /// Boots everything but the drills: registries, network, cluster. The drills are listed, as
    /// [`crate::view::DrillState::Injecting`], so a page can be served from here on.
    ///
    /// # Errors
    /// A use error for an unknown scenario, dialect or an owned folder; an infrastructure error otherwise.
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        let _ = options;
        not_yet()
    }

    /// Injects the drills, plays their history, waits for every symptom, and then writes the files of
    /// the lab's folder, `lab.json` last.
    ///
    /// # Errors
    /// [`LabError::Symptom`] when a symptom did not come; the other drills are open nevertheless.
    pub async fn open(&self) -> Result<(), LabError> {
        not_yet()
    }

    /// Everything, for an audience.
    #[must_use]
    pub fn status(&self, audience: Audience) -> StatusView {
        let _ = audience;
        StatusView {
            schema_version: crate::view::SCHEMA_VERSION,
            dialect: String::new(),
            verified: false,
            clock: crate::view::ClockView { shown: self.0.clock.shown_now(), advanced_seconds: 0 },
            drills: Vec::new(),
        }
    }

    /// One drill, for an audience.
    ///
    /// # Errors
    /// [`LabError::UnknownDrill`].
    pub fn drill(&self, id: &str, audience: Audience) -> Result<DrillView, LabError> {
        let _ = (id, audience);
        not_yet()
    }

    /// A number that rises with every visible change.
    #[must_use]
    pub fn updates(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Who a token belongs to: the instructor's own, or nobody in particular. Compared in constant time.
    #[must_use]
    pub fn audience_of(&self, token: Option<&str>) -> Audience {
        let _ = token;
        Audience::Trainee
    }

    /// What `lab.json` says.
    #[must_use]
    pub fn info(&self) -> LabInfo {
        LabInfo {
            schema_version: crate::view::SCHEMA_VERSION,
            web: None,
            kubeconfig: None,
            registries: std::collections::BTreeMap::new(),
            pid: std::process::id(),
            drills: Vec::new(),
            seed: 0,
        }
    }

    /// The kubeconfig of the trainee, YAML.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        String::new()
    }

    /// The certificate authority of the registries, PEM.
    #[must_use]
    pub fn registry_authority(&self) -> String {
        String::new()
    }

    /// The lab clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The scenarios of this lab's catalogue; only for an instructor.
    #[must_use]
    pub fn scenarios(&self) -> Vec<ScenarioView> {
        Vec::new()
    }

    /// The next hint of a drill, bought: its price counts if the drill is solved.
    ///
    /// # Errors
    /// [`LabError::WrongState`] for a drill that is not open, or when there is no further hint.
    pub async fn hint(&self, drill: &str) -> Result<HintView, LabError> {
        let _ = drill;
        not_yet()
    }

    /// Takes the trainee's diagnosis; the latest before the solution counts.
    ///
    /// # Errors
    /// [`LabError::UnknownChoice`], [`LabError::WrongState`].
    pub async fn diagnose(&self, drill: &str, choice: &str) -> Result<DiagnosisView, LabError> {
        let _ = (drill, choice);
        not_yet()
    }

    /// Closes a drill without a solution and tells the answer.
    ///
    /// # Errors
    /// [`LabError::WrongState`] for a drill that is not open.
    pub async fn give_up(&self, drill: &str) -> Result<DebriefView, LabError> {
        let _ = drill;
        not_yet()
    }

    /// What there is to learn from a drill.
    ///
    /// # Errors
    /// [`LabError::WrongState`] for a trainee while the drill is not closed.
    pub fn debrief(&self, drill: &str, audience: Audience) -> Result<DebriefView, LabError> {
        let _ = (drill, audience);
        not_yet()
    }

    /// Deletes the drill's namespace and starts it anew under the same id; returns when its symptom is there.
    ///
    /// # Errors
    /// [`LabError::Symptom`], or what the cluster said.
    pub async fn reset(&self, drill: &str) -> Result<(), LabError> {
        let _ = drill;
        not_yet()
    }

    /// Starts one more drill; returns its id when its symptom is there.
    ///
    /// # Errors
    /// [`LabError::UnknownScenario`], [`LabError::Invalid`] when a drill of that scenario is there already.
    pub async fn start_drill(&self, scenario: &str) -> Result<String, LabError> {
        let _ = scenario;
        not_yet()
    }

    /// The egress rules of a node, or of all.
    ///
    /// # Errors
    /// [`LabError::UnknownNode`].
    pub fn egress(&self, node: Option<&str>) -> Result<Vec<EgressView>, LabError> {
        let _ = node;
        not_yet()
    }

    /// Puts an allowing rule before all others.
    ///
    /// # Errors
    /// [`LabError::UnknownNode`], [`LabError::Invalid`].
    pub async fn allow_egress(&self, request: &EgressRequest) -> Result<Vec<EgressView>, LabError> {
        let _ = request;
        not_yet()
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// [`LabError::UnknownNode`], [`LabError::UnknownRule`].
    pub async fn delete_egress(&self, node: &str, id: &str) -> Result<(), LabError> {
        let _ = (node, id);
        not_yet()
    }

    /// Copies an image from registry to registry.
    ///
    /// # Errors
    /// [`LabError::Invalid`] with what the registries said.
    pub async fn copy_image(&self, request: &CopyRequest) -> Result<CopyView, LabError> {
        let _ = request;
        not_yet()
    }

    /// A fresh password of the lab's ECR-like registry: of the one named, or of the only one.
    ///
    /// # Errors
    /// [`LabError::Invalid`] when there is none, or several and no name.
    pub async fn ecr_login_password(&self, host: Option<&str>) -> Result<String, LabError> {
        let _ = host;
        not_yet()
    }

    /// What the registries saw.
    ///
    /// # Errors
    /// [`LabError::UnknownDrill`].
    pub fn pull_log(&self, query: &PullQuery) -> Result<Vec<PullView>, LabError> {
        let _ = query;
        not_yet()
    }

    /// Makes the world older.
    ///
    /// # Errors
    /// [`LabError::Invalid`] for a negative or endless span.
    pub async fn advance(&self, by: SignedDuration) -> Result<crate::view::ClockView, LabError> {
        let _ = by;
        not_yet()
    }

    /// Ends everything and removes `lab.json`; returns when it has ended.
    pub async fn shutdown(&self) {}
}
