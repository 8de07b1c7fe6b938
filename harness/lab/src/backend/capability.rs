//! What each kind of cluster can give, and which scenarios that is enough for.

use pulldrill_scenarios::{Backend, Catalogue, Need, Placement, Script, Variant};

use super::existing;
use crate::BackendKind;

impl BackendKind {
    /// The backend as scenarios name it.
    #[must_use]
    pub fn scenario_backend(&self) -> Backend {
        match self {
            Self::Embedded => Backend::Embedded,
            Self::Kind(_) => Backend::Kind,
            Self::Existing(_) => Backend::Existing,
        }
    }

    /// Which names a scenario has to have others for here.
    #[must_use]
    pub fn placement(&self, catalogue: &Catalogue, scenario: &str) -> Placement {
        match self {
            Self::Embedded | Self::Kind(_) => Placement::default(),
            Self::Existing(options) => existing::placement(options, catalogue, scenario),
        }
    }

    /// What it can give.
    #[must_use]
    pub(crate) fn gives(&self) -> &'static [Need] {
        match self {
            Self::Embedded => &[Need::HostMapping, Need::NodeIdentity, Need::NodeNetwork, Need::Clock],
            // A real kubelet keeps real time.
            Self::Kind(_) => &[Need::HostMapping, Need::NodeIdentity, Need::NodeNetwork],
            // Its nodes are not the lab's.
            Self::Existing(_) => &[Need::NodeIdentity],
        }
    }

    /// Whether a remedy or cheat is for this kind of cluster.
    #[must_use]
    pub(crate) fn runs(&self, script: &Script) -> bool {
        script.backends.is_empty() || script.backends.iter().any(|name| name == self.name())
    }

    /// Its name, as on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Kind(_) => "kind",
            Self::Existing(_) => "existing",
        }
    }

    /// Why a drill can't run here; nothing when it can.
    #[must_use]
    pub fn lacks(&self, variant: &Variant) -> Option<String> {
        self.lacks_beside(variant, &[])
    }

    /// Why a drill can't run here, where a look at the cluster has found that some of what its kind usually gives
    /// is missing.
    pub(crate) fn lacks_beside(&self, variant: &Variant, missing: &[Need]) -> Option<String> {
        if !variant.backends.contains(&self.scenario_backend()) {
            return Some(format!("it is not made for {self}"));
        }
        let lacking: Vec<&str> = variant
            .needs
            .iter()
            .filter(|need| !self.gives().contains(need) || missing.contains(need))
            .map(|need| explained(*need))
            .collect();
        (!lacking.is_empty()).then(|| format!("{self} {}", lacking.join(", and ")))
    }
}

impl std::fmt::Display for BackendKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Embedded => "the embedded cluster",
            Self::Kind(_) => "a kind cluster",
            Self::Existing(_) => "an existing cluster",
        })
    }
}

/// What it means that a need is not met.
fn explained(need: Need) -> &'static str {
    match need {
        Need::HostMapping => "can't lead its nodes to a registry of any name (host-mapping)",
        Need::NodeIdentity => "can't tell which node pulls (node-identity)",
        Need::NodeNetwork => "doesn't let the lab change its nodes' firewalls (node-network)",
        Need::Clock => "has a clock that can't be advanced (clock)",
    }
}
