//! What each kind of cluster can give, and which scenarios that is enough for.

use pulldrill_scenarios::{Backend, Catalogue, Need, Placement, Script, Variant};

use super::{Missing, existing};
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
            Self::Existing(options) if options.allow_node_access => {
                &[Need::HostMapping, Need::NodeIdentity, Need::NodeNetwork]
            }
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
    pub(crate) fn lacks_beside(&self, variant: &Variant, missing: &[Missing]) -> Option<String> {
        if !variant.backends.contains(&self.scenario_backend()) {
            return Some(format!("it is not made for {self}"));
        }
        if matches!(self, Self::Existing(_))
            && let Some(name) = existing::public_name(variant)
        {
            return Some(format!(
                "{self} may use {name} itself, so that name can't lead to a registry of the lab"
            ));
        }
        let lacking: Vec<Need> =
            variant.needs.iter().copied().filter(|need| !self.gives().contains(need)).collect();
        if !lacking.is_empty() {
            let lacks = lacking.iter().map(|need| explained(*need)).collect::<Vec<_>>().join(", and ");
            return Some(format!("{self} {lacks}{}", self.advice(&lacking)));
        }
        let mut why: Vec<&str> = Vec::new();
        for missing in missing.iter().filter(|missing| variant.needs.contains(&missing.need)) {
            if !why.contains(&missing.why.as_str()) {
                why.push(&missing.why);
            }
        }
        (!why.is_empty()).then(|| why.join("; "))
    }

    /// What would give all of it.
    fn advice(&self, lacking: &[Need]) -> &'static str {
        let by_access = [Need::HostMapping, Need::NodeNetwork];
        let helps = matches!(self, Self::Existing(_)) && lacking.iter().all(|need| by_access.contains(need));
        if helps { "; --allow-node-access gives that" } else { "" }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExistingOptions;

    fn reasons(allow_node_access: bool) -> Vec<(String, Option<String>)> {
        let backend =
            BackendKind::Existing(ExistingOptions { allow_node_access, ..ExistingOptions::default() });
        let catalogue = Catalogue::embedded().unwrap();
        let reason = |scenario: &pulldrill_scenarios::Scenario| {
            (scenario.id().to_owned(), backend.lacks(&scenario.variant(1).unwrap()))
        };
        catalogue.iter().map(reason).collect()
    }

    fn of(reasons: &[(String, Option<String>)], id: &str) -> Option<String> {
        reasons.iter().find(|(known, _)| known == id).and_then(|(_, reason)| reason.clone())
    }

    #[test]
    fn names_of_the_public_are_never_led_elsewhere_on_somebodys_cluster() {
        for access in [false, true] {
            let reasons = reasons(access);
            assert!(of(&reasons, "hub-rate-limit").unwrap().contains("docker.io"));
            assert!(of(&reasons, "expired-token").unwrap().contains(".amazonaws.com"));
            assert_eq!(of(&reasons, "wrong-tag"), None);
        }
    }

    #[test]
    fn access_to_nodes_gives_drills_about_their_network() {
        let without = of(&reasons(false), "blocked-registry").unwrap();
        assert!(without.contains("node-network") && without.contains("--allow-node-access"), "{without}");
        assert_eq!(of(&reasons(true), "blocked-registry"), None);
    }

    #[test]
    fn what_a_look_has_found_missing_is_said_in_its_own_words() {
        let backend =
            BackendKind::Existing(ExistingOptions { allow_node_access: true, ..ExistingOptions::default() });
        let catalogue = Catalogue::embedded().unwrap();
        let variant = catalogue.get("blocked-registry").unwrap().variant(1).unwrap();
        let missing = [Need::HostMapping, Need::NodeNetwork]
            .map(|need| Missing { need, why: "node-1 has no packet filter".into() });
        assert_eq!(backend.lacks_beside(&variant, &missing).unwrap(), "node-1 has no packet filter");
    }
}
