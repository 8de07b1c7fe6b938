//! The handle of a running lab.

mod acts;
mod choose;
mod inner;
mod open;
mod recorded;
mod show;
mod start;
#[cfg(test)]
mod tests;
mod turns;

use std::sync::Arc;

use pulldrill_clock::{Clock, SignedDuration};
use tokio::sync::watch;

pub(crate) use choose::{catalogue, known, variants};
use inner::Inner;

use pulldrill_registry::signature;

use crate::{
    Ec2Answer, LabError, LabOptions, ec2, egress,
    folder::Folder,
    request::{CopyRequest, EgressRequest, FaultRequest, PullQuery},
    store::JournalEntry,
    view::{
        Audience, CopyView, DebriefView, DiagnosisView, DrillView, EgressView, FaultView, HintView,
        JournalView, LabInfo, PullView, RecordingView, ScenarioView, StatusView,
    },
};

/// The furthest that a clock is advanced at once.
const LONGEST_ADVANCE: SignedDuration = SignedDuration::from_hours(24 * 31);

/// A running lab; cheap to clone, all clones are the same lab.
#[derive(Clone, Debug)]
pub struct Lab(Arc<Inner>);

impl Lab {
    /// Boots everything but the drills: registries, network, cluster. The drills are listed, as
    /// [`crate::view::DrillState::Injecting`], so a page can be served from here on.
    ///
    /// # Errors
    /// A use error for an unknown scenario, dialect or an owned folder; an infrastructure error otherwise.
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        start::start(options).await.map(|inner| Self(Arc::new(inner)))
    }

    /// Injects the drills, plays their history, waits for every symptom, and then writes the files of
    /// the lab's folder, `lab.json` last.
    ///
    /// # Errors
    /// [`LabError::Symptom`] when a symptom did not come; the other drills are open nevertheless.
    pub async fn open(&self) -> Result<(), LabError> {
        self.0.open().await
    }

    /// Everything, for an audience.
    #[must_use]
    pub fn status(&self, audience: Audience) -> StatusView {
        self.0.status(audience)
    }

    /// One drill, for an audience.
    ///
    /// # Errors
    /// [`LabError::UnknownDrill`].
    pub fn drill(&self, id: &str, audience: Audience) -> Result<DrillView, LabError> {
        self.0.drill(id, audience)
    }

    /// A number that rises with every visible change.
    #[must_use]
    pub fn updates(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Who a token belongs to: the instructor's own, or nobody in particular. Compared in constant time.
    #[must_use]
    pub fn audience_of(&self, token: Option<&str>) -> Audience {
        let same = |a: &[u8], b: &[u8]| {
            a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
        };
        match token {
            Some(token) if same(token.as_bytes(), self.0.instructor_token.as_bytes()) => Audience::Instructor,
            _ => Audience::Trainee,
        }
    }

    /// What `lab.json` says.
    #[must_use]
    pub fn info(&self) -> LabInfo {
        self.0.info()
    }

    /// The kubeconfig of the trainee, YAML.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        self.0.backend.trainee_kubeconfig()
    }

    /// The certificate authority of the registries, PEM.
    #[must_use]
    pub fn registry_authority(&self) -> String {
        self.0.registry_authority.clone()
    }

    /// The lab clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The scenarios of this lab's catalogue; only for an instructor.
    #[must_use]
    pub fn scenarios(&self) -> Vec<ScenarioView> {
        self.0.scenarios()
    }

    /// The next hint of a drill, bought: its price counts if the drill is solved.
    ///
    /// # Errors
    /// [`LabError::WrongState`] for a drill that is not open, or when there is no further hint.
    pub async fn hint(&self, drill: &str) -> Result<HintView, LabError> {
        self.0.hint(drill).await
    }

    /// Takes the trainee's diagnosis; the latest before the solution counts.
    ///
    /// # Errors
    /// [`LabError::UnknownChoice`], [`LabError::WrongState`].
    pub async fn diagnose(&self, drill: &str, choice: &str) -> Result<DiagnosisView, LabError> {
        self.0.diagnose(drill, choice).await
    }

    /// Closes a drill without a solution and tells the answer.
    ///
    /// # Errors
    /// [`LabError::WrongState`] for a drill that is not open.
    pub async fn give_up(&self, drill: &str) -> Result<DebriefView, LabError> {
        self.0.give_up(drill).await
    }

    /// What there is to learn from a drill.
    ///
    /// # Errors
    /// [`LabError::WrongState`] for a trainee while the drill is not closed.
    pub fn debrief(&self, drill: &str, audience: Audience) -> Result<DebriefView, LabError> {
        self.0.debrief(drill, audience)
    }

    /// Deletes the drill's namespace and starts it anew under the same id; returns when its symptom is there.
    ///
    /// # Errors
    /// [`LabError::Symptom`], or what the cluster said.
    pub async fn reset(&self, drill: &str) -> Result<(), LabError> {
        self.0.reset(drill).await
    }

    /// Starts one more drill; returns its id when its symptom is there.
    ///
    /// # Errors
    /// [`LabError::UnknownScenario`], [`LabError::Invalid`] when a drill of that scenario is there already.
    pub async fn start_drill(&self, scenario: &str) -> Result<String, LabError> {
        self.0.start_drill(scenario).await
    }

    /// The egress rules of a node, or of all.
    ///
    /// # Errors
    /// [`LabError::UnknownNode`].
    pub async fn egress(&self, node: Option<&str>) -> Result<Vec<EgressView>, LabError> {
        egress::list(self.0.stage.nodes(), node).await
    }

    /// Puts an allowing rule before all others.
    ///
    /// # Errors
    /// [`LabError::UnknownNode`], [`LabError::Invalid`].
    pub async fn allow_egress(&self, request: &EgressRequest) -> Result<Vec<EgressView>, LabError> {
        egress::allow(&self.0.stage.firewall().await, request).await
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// [`LabError::UnknownNode`], [`LabError::UnknownRule`].
    pub async fn delete_egress(&self, node: &str, id: &str) -> Result<(), LabError> {
        egress::delete(&self.0.stage.firewall().await, node, id).await
    }

    /// A call of the EC2 API: the nodes' egress rules as security groups.
    pub async fn ec2(&self, request: &signature::Request<'_>) -> Ec2Answer {
        let account = ec2::Account { owner: self.0.stage.aws_account(), seed: self.0.options.seed };
        ec2::answer(&account, &self.0.stage.firewall().await, request).await
    }

    /// Copies an image from registry to registry.
    ///
    /// # Errors
    /// [`LabError::Invalid`] with what the registries said.
    pub async fn copy_image(&self, request: &CopyRequest) -> Result<CopyView, LabError> {
        self.0.stage.copy(request).await
    }

    /// A fresh password of the lab's ECR-like registry: of the one named, or of the only one.
    ///
    /// # Errors
    /// [`LabError::Invalid`] when there is none, or several and no name.
    pub async fn ecr_login_password(&self, host: Option<&str>) -> Result<String, LabError> {
        let hosts = self.0.stage.ecr_hosts();
        let wanted = hosts.iter().filter(|h| host.is_none_or(|name| h.name == name)).collect::<Vec<_>>();
        match wanted.as_slice() {
            [one] => self.0.stage.issue_token(one, self.0.clock.now()).await.map(|token| token.password),
            [] => Err(LabError::Invalid("there is no such registry with tokens in this lab".into())),
            _ => Err(LabError::Invalid("there are several registries with tokens; name one".into())),
        }
    }

    /// What the registries saw.
    ///
    /// # Errors
    /// [`LabError::UnknownDrill`].
    pub fn pull_log(&self, query: &PullQuery) -> Result<Vec<PullView>, LabError> {
        if let Some(drill) = &query.drill {
            self.0.variant(drill)?;
        }
        Ok(self.0.stage.pull_views(query))
    }

    /// The number of the latest request that the registries saw.
    #[must_use]
    pub fn last_pull(&self) -> u64 {
        self.0.stage.last_pull()
    }

    /// Waits until the registries have seen more than what has this number.
    pub async fn more_pulls(&self, since: u64) {
        self.0.stage.pulls_beyond(since).await;
    }

    /// The faults of the registry that is named, or of all; only for an instructor, for they may be the answer.
    ///
    /// # Errors
    /// [`LabError::Invalid`] when there is no such registry.
    pub async fn faults(&self, host: Option<&str>) -> Result<Vec<FaultView>, LabError> {
        self.0.stage.fault_views(host).await
    }

    /// Lets registries misbehave: the one that is named, or all. The faults that were added.
    ///
    /// # Errors
    /// [`LabError::Invalid`] for a rule that makes no sense, or when there is no such registry.
    pub async fn add_fault(&self, request: &FaultRequest) -> Result<Vec<FaultView>, LabError> {
        self.0.stage.switch_on(request).await
    }

    /// Ends a fault, or all of the registry that is named, or all. The faults that were ended.
    ///
    /// # Errors
    /// [`LabError::UnknownFault`]; [`LabError::Invalid`] when there is no such registry.
    pub async fn clear_faults(
        &self,
        host: Option<&str>,
        id: Option<u64>,
    ) -> Result<Vec<FaultView>, LabError> {
        self.0.stage.switch_off(host, id).await
    }

    /// Everything that happened to the drills of this run, in order; only for an instructor.
    ///
    /// # Errors
    /// [`LabError::Store`].
    pub async fn journal(&self) -> Result<Vec<JournalView>, LabError> {
        let view = |entry: JournalEntry| JournalView {
            at: self.0.clock.shown(entry.at),
            drill: entry.drill,
            event: serde_json::to_value(entry.event).unwrap_or_default(),
        };
        Ok(self.0.ledger.read().await?.into_iter().map(view).collect())
    }

    /// What was seen of a drill since its namespace was made, for an audience.
    ///
    /// # Errors
    /// [`LabError::UnknownDrill`].
    pub fn recording(&self, drill: &str, audience: Audience) -> Result<RecordingView, LabError> {
        self.0.recording(drill, audience)
    }

    /// Makes the world older.
    ///
    /// # Errors
    /// [`LabError::Invalid`] for a negative or endless span.
    pub async fn advance(&self, by: SignedDuration) -> Result<crate::view::ClockView, LabError> {
        if by.is_negative() || by > LONGEST_ADVANCE {
            return Err(LabError::Invalid(format!(
                "the clock can be advanced by up to {} days",
                LONGEST_ADVANCE.as_hours() / 24
            )));
        }
        if !self.0.backend.can_advance() {
            return Err(LabError::Invalid("the clock of this cluster cannot be advanced".into()));
        }
        self.0.clock.advance(by).await;
        self.0.changed.send_modify(|n| *n += 1);
        Ok(self.0.clock_view())
    }

    /// The drills as they were written.
    pub(crate) fn variants(&self) -> Vec<Arc<pulldrill_scenarios::Variant>> {
        self.0.variants()
    }

    /// Numbers that rise with everything that happens in cluster and registries.
    pub(crate) fn activity(&self) -> (u64, u64) {
        (self.0.backend.objects().revision(), self.0.stage.last_pull())
    }

    /// Whether lab time can be moved.
    pub(crate) fn clock_can_advance(&self) -> bool {
        self.0.backend.can_advance()
    }

    /// Ends everything and removes `lab.json`; returns when it has ended.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        if let Err(error) = self.0.backend.down().await {
            tracing::error!(%error, "not everything that the lab made could be removed");
        }
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.registry_ended.clone().await;
        self.0.clock.end();
        if let Some(Err(error)) = self.0.folder.as_ref().map(Folder::release) {
            tracing::warn!(%error, "the lab's folder could not be released");
        }
    }
}
