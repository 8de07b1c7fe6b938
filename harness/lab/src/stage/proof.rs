//! What checks are told of the stage.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use pulldrill_cluster::network::Action;
use pulldrill_registry::Registry;

use super::Stage;
use crate::{
    backend::NodeNetwork,
    checks::evidence::{Content, Credentials, Evidence, Rule, Served},
};

/// The evidence for one drill, as of now.
pub(crate) struct Proof {
    registry: Registry,
    firewall: Arc<dyn NodeNetwork>,
    /// Endpoints by the names that image references use.
    endpoints: BTreeMap<String, String>,
    accepted: Arc<BTreeSet<Content>>,
    served: Arc<Vec<Served>>,
}

impl Stage {
    /// The evidence for a drill.
    pub(crate) fn evidence(&self, drill: &str) -> Proof {
        let drills = self.drills.read();
        let staged = drills.get(drill);
        let hosts = staged.into_iter().flat_map(|staged| &staged.hosts);
        Proof {
            registry: self.registry.clone(),
            firewall: self.firewall.clone(),
            endpoints: hosts.map(|host| (host.name.clone(), host.endpoint.clone())).collect(),
            accepted: staged.map(|staged| staged.accepted.clone()).unwrap_or_default(),
            served: staged.map(|staged| staged.served.clone()).unwrap_or_default(),
        }
    }
}

impl Evidence for Proof {
    fn content(&self, digest: &str) -> Option<Content> {
        let content = self.registry.content_of(digest)?;
        Some(Content {
            config_digest: content.config_digest.to_string(),
            diff_ids: content.diff_ids.iter().map(ToString::to_string).collect(),
        })
    }

    fn accepted(&self) -> &BTreeSet<Content> {
        &self.accepted
    }

    fn served(&self) -> &[Served] {
        &self.served
    }

    fn credentials(&self, host: &str, username: &str, password: &str) -> Credentials {
        let Some(endpoint) = self.endpoints.get(host) else { return Credentials::Refused };
        match self.registry.credentials(endpoint, username, password) {
            None => Credentials::Refused,
            Some(end) => Credentials::Accepted(end),
        }
    }

    fn egress(&self) -> BTreeMap<String, Vec<Rule>> {
        let rules = self.firewall.egress().into_iter();
        rules.map(|(node, rules)| (node, rules.iter().map(rule).collect())).collect()
    }
}

fn rule(rule: &pulldrill_cluster::network::EgressRule) -> Rule {
    Rule {
        id: rule.id.clone(),
        allows: rule.action == Action::Allow,
        network: rule.destination.base(),
        prefix: rule.destination.bits(),
        port: rule.port,
    }
}
