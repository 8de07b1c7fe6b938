//! Where the registries of drills are: each has a port of its own, decided before anything is made, so that the
//! drills' texts can name it.

use std::collections::BTreeSet;

use pulldrill_scenarios::{Backend, Catalogue, Need, Placement, Registry, Scenario};

use crate::{ExistingOptions, LabError, RegistryAccess};

/// The ports that a Service may open on nodes, unless the cluster was told otherwise.
pub(crate) const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;

/// The ports of a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    host: String,
    first: u16,
    /// Scenario and handle, in the order of their ports.
    registries: Vec<(String, String)>,
}

impl Ports {
    /// The ports that the options lead to; those of a choice still open begin where node ports do.
    pub(crate) fn of(options: &ExistingOptions, catalogue: &Catalogue) -> Self {
        let (host, first) = match &options.registry_access {
            RegistryAccess::NodePort { first } | RegistryAccess::HostPort { first } => {
                ("localhost", first.unwrap_or(*NODE_PORTS.start()))
            }
            RegistryAccess::At { host, first } => (host.as_str(), *first),
        };
        let registries = catalogue.iter().flat_map(movable).collect();
        Self { host: host.to_owned(), first, registries }
    }

    /// All ports: the probe's first, and then one for each registry.
    pub(crate) fn all(&self) -> impl Iterator<Item = u16> {
        let count = u16::try_from(self.registries.len()).unwrap_or(u16::MAX);
        self.first..=self.first.saturating_add(count)
    }

    /// The registry that is there for a look at the cluster, as image references call it, and its port.
    pub(crate) fn probe(&self) -> (String, u16) {
        (self.name(self.first), self.first)
    }

    /// The names that a scenario gets.
    pub(crate) fn placement(&self, scenario: &str, namespace_prefix: &str) -> Placement {
        let own = self.registries().filter(|((id, _), _)| id == scenario);
        Placement {
            hosts: own.map(|((_, handle), port)| (handle.clone(), self.name(port))).collect(),
            namespace_prefix: Some(namespace_prefix.to_owned()),
        }
    }

    /// The port of each registry, by scenario and handle.
    pub(crate) fn registries(&self) -> impl Iterator<Item = (&(String, String), u16)> {
        self.registries.iter().zip(self.all().skip(1))
    }

    /// What image references call the registry at a port.
    pub(crate) fn name(&self, port: u16) -> String {
        format!("{}:{port}", self.host)
    }
}

/// The registries of a scenario that can be on a port, if it can run on somebody's cluster at all.
fn movable(scenario: &Scenario) -> Vec<(String, String)> {
    let document = scenario.document();
    if !document.backends.contains(&Backend::Existing) || document.needs.contains(&Need::HostMapping) {
        return Vec::new();
    }
    let movable = |registry: &&Registry| registry.host_parameter().is_some();
    let registries = document.registries.iter().filter(movable);
    registries.map(|registry| (document.id.clone(), registry.handle.clone())).collect()
}

/// What stands against ports: those that Services have, and those in the names of images that nodes have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    /// Ports that are in use.
    pub(crate) in_use: BTreeSet<u16>,
    /// Ports of `localhost` from which nodes still have images: a drill's private image among them would
    /// not be pulled again.
    pub(crate) remembered: BTreeSet<u16>,
}

/// The options with their first port decided: the first series of free ports, counted from one that depends on the
/// lab's prefix, so that the labs of a cluster seldom meet.
pub(crate) fn settle(
    options: &ExistingOptions,
    catalogue: &Catalogue,
    taken: &Taken,
) -> Result<ExistingOptions, LabError> {
    let settled = |access| ExistingOptions { registry_access: access, ..options.clone() };
    let look = || {
        let wanted = Ports::of(options, catalogue).all().count();
        let all: Vec<u16> = NODE_PORTS.collect();
        let start = hash(&options.namespace_prefix) % all.len();
        let series =
            |at: usize| all.get(at..at + wanted).filter(|ports| ports.iter().all(|port| free(*port, taken)));
        let found = (0..all.len()).find_map(|step| series((start + step * wanted) % all.len()));
        found.map(|ports| ports[0]).ok_or_else(|| {
            LabError::Invalid(format!("the cluster has no {wanted} node ports in a row that are free"))
        })
    };
    match options.registry_access {
        RegistryAccess::NodePort { first: None } => {
            Ok(settled(RegistryAccess::NodePort { first: Some(look()?) }))
        }
        RegistryAccess::HostPort { first: None } => {
            Ok(settled(RegistryAccess::HostPort { first: Some(look()?) }))
        }
        RegistryAccess::NodePort { first: Some(_) } => {
            let ports = Ports::of(options, catalogue);
            match ports.all().find(|port| taken.in_use.contains(port) || !NODE_PORTS.contains(port)) {
                None => Ok(options.clone()),
                Some(port) => Err(LabError::Invalid(format!(
                    "the node port {port} is in use, or not between {} and {}; choose others with --registry-access nodeport:PORT, or leave the port out",
                    NODE_PORTS.start(),
                    NODE_PORTS.end()
                ))),
            }
        }
        _ => Ok(options.clone()),
    }
}

fn free(port: u16, taken: &Taken) -> bool {
    !taken.in_use.contains(&port) && !taken.remembered.contains(&port)
}

/// A number that depends on a text and on nothing else.
fn hash(text: &str) -> usize {
    text.bytes().fold(5_381_usize, |hash, byte| hash.wrapping_mul(33).wrapping_add(usize::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        Catalogue::embedded().unwrap()
    }

    fn first(options: &ExistingOptions) -> u16 {
        Ports::of(options, &catalogue()).all().next().unwrap()
    }

    #[test]
    fn every_registry_has_a_port_of_its_own_and_its_scenario_speaks_of_it() {
        let options = ExistingOptions {
            registry_access: RegistryAccess::NodePort { first: Some(31_000) },
            ..ExistingOptions::default()
        };
        let ports = Ports::of(&options, &catalogue());
        assert_eq!(ports.probe(), ("localhost:31000".to_owned(), 31_000));
        let host = |scenario: &str| ports.placement(scenario, "p").hosts["main"].clone();
        assert_ne!(host("wrong-tag"), host("missing-pull-secret"));
        assert!(ports.registries().all(|(_, port)| port > 31_000));
        assert!(ports.placement("expired-token", "p").hosts.is_empty());
        assert_eq!(ports.all().count(), 3);
    }

    #[test]
    fn ports_in_use_or_remembered_are_passed_over_and_the_choice_is_the_same_every_time() {
        let options = ExistingOptions::default();
        let look = |taken: &Taken| settle(&options, &catalogue(), taken).unwrap();
        let usual = first(&look(&Taken::default()));
        assert_eq!(usual, first(&look(&Taken::default())));
        let in_use = Taken { in_use: [usual + 1].into(), ..Taken::default() };
        let other = first(&look(&in_use));
        assert!(other > usual + 1 || other + 2 < usual);
        let both = Taken { remembered: [other].into(), ..in_use };
        assert_ne!(first(&look(&both)), other);
        assert_ne!(first(&look(&both)), usual);
    }

    #[test]
    fn a_port_that_was_asked_for_and_is_taken_is_said() {
        let at = |first| ExistingOptions {
            registry_access: RegistryAccess::NodePort { first: Some(first) },
            ..ExistingOptions::default()
        };
        let taken = Taken { in_use: [31_002].into(), ..Taken::default() };
        let error = settle(&at(31_000), &catalogue(), &taken).unwrap_err().to_string();
        assert!(error.contains("31002"), "{error}");
        assert!(settle(&at(80), &catalogue(), &taken).is_err());
        assert_eq!(first(&settle(&at(31_003), &catalogue(), &taken).unwrap()), 31_003);
    }
}
