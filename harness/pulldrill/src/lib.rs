//! pulldrill as a library: a cluster in which image pulls fail for a known reason, inside a test.
//!
//! For authors of tools that watch, diagnose or repair Kubernetes: start a lab with the failures that the
//! tool is for, point the tool at its kubeconfig, and ask the lab what came of it. No container engine, no
//! network, no kubectl is needed. There is no command line and no page in here.
//!
//! ```no_run
//! use pulldrill::{Drills, SignedDuration, view::{Audience, DrillState}};
//!
//! # async fn run_my_tool(_kubeconfig: &str) {}
//! # async fn example() -> Result<(), pulldrill::LabError> {
//! let lab = Drills::of(["wrong-tag", "expired-token"]).seed(42).start().await?;
//!
//! run_my_tool(&lab.kubeconfig()).await;
//!
//! // What was repaired has to hold; that costs lab time, not yours.
//! lab.advance(SignedDuration::from_mins(2)).await?;
//! for drill in lab.status(Audience::Instructor).drills {
//!     assert_eq!(drill.state, DrillState::Solved, "{:?}: {:#?}", drill.scenario, drill.checks);
//! }
//! lab.shutdown().await;
//! # Ok(())
//! # }
//! ```

pub use pulldrill_clock::SignedDuration;
pub use pulldrill_lab::{BackendKind, ClockMode, ErrorClass, Lab, LabError, LabOptions, request, view};
pub use pulldrill_scenarios::{Catalogue, Scenario, ScenarioError, Variant};

/// What a lab for a test is to hold.
#[derive(Clone, Debug)]
#[must_use = "nothing runs until `start`"]
pub struct Drills(LabOptions);

impl Drills {
    /// The drills of these scenarios; of all scenarios when none is named.
    pub fn of<I>(scenarios: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let scenarios = scenarios.into_iter().map(Into::into).collect();
        Self(LabOptions { scenarios, ..LabOptions::default() })
    }

    /// What names, versions and numbers are drawn from; the same seed makes the same lab.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Wording and timing of which kubelet and runtime.
    pub fn dialect(mut self, dialect: impl Into<String>) -> Self {
        self.0.dialect = dialect.into();
        self
    }

    /// Start at zero, so that the tool sees the failures begin, instead of playing what happened before.
    pub fn without_history(mut self) -> Self {
        self.0.history = false;
        self
    }

    /// Everything else that can be chosen.
    pub fn options(&mut self) -> &mut LabOptions {
        &mut self.0
    }

    /// Boots the lab; returns when every drill fails as it should. Needs a tokio runtime of several threads.
    ///
    /// # Errors
    /// [`LabError`], for an unknown scenario or a symptom that did not come.
    pub async fn start(self) -> Result<Lab, LabError> {
        pulldrill_tls::install_provider();
        let lab = Lab::start(self.0).await?;
        if let Err(error) = lab.open().await {
            lab.shutdown().await;
            return Err(error);
        }
        Ok(lab)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_scenario_that_is_not_there_is_named() {
        let error = Drills::of(["no-such-thing"]).start().await.unwrap_err();
        assert!(error.to_string().contains("no-such-thing"), "{error}");
    }
}
