//! What checks are told of the stage.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use pulldrill_clock::Timestamp;
use pulldrill_cluster::network::Action;
use pulldrill_registry::{Inspection, Login};
use serde_json::Value;

use super::{Stage, failed};
use crate::{
    LabError,
    checks::{
        evidence::{Content, Credentials, Evidence, Rule, Served},
        secrets,
    },
    observe::Snapshot,
    reference::Reference,
};

/// The evidence for one drill, as of the moment when it was gathered.
pub(crate) struct Proof {
    /// Endpoints by the names that image references use.
    endpoints: BTreeMap<String, String>,
    contents: BTreeMap<String, Content>,
    logins: BTreeMap<Login, Option<Timestamp>>,
    egress: BTreeMap<String, Vec<Rule>>,
    accepted: Arc<BTreeSet<Content>>,
    served: Arc<Vec<Served>>,
}

impl Stage {
    /// The evidence for a drill: what the registries know of everything that its namespace mentions, and
    /// the nodes' rules.
    pub(crate) async fn evidence(&self, drill: &str, snapshot: &Snapshot) -> Result<Proof, LabError> {
        let (endpoints, accepted, served) = {
            let drills = self.drills.read();
            let staged = drills.get(drill);
            let hosts = staged.into_iter().flat_map(|staged| &staged.hosts);
            (
                hosts
                    .map(|host| (host.name.clone(), host.endpoint.clone()))
                    .collect::<BTreeMap<String, String>>(),
                staged.map(|staged| staged.accepted.clone()).unwrap_or_default(),
                staged.map(|staged| staged.served.clone()).unwrap_or_default(),
            )
        };
        let mut wanted = Inspection { manifests: digests(snapshot), logins: BTreeSet::new() };
        wanted.manifests.extend(served.iter().map(|served| served.digest.clone()));
        for (name, endpoint) in &endpoints {
            for (username, password) in secrets::all_logins(snapshot, name) {
                wanted.logins.insert(Login { host: endpoint.clone(), username, password });
            }
        }
        let found = self.registry.inspect(&wanted).await.map_err(failed(drill))?;
        let rules = self.nodes.egress().await?.into_iter();
        Ok(Proof {
            endpoints,
            contents: found.contents.into_iter().map(|(digest, c)| (digest, content(c))).collect(),
            logins: found.accepted.into_iter().map(|accepted| (accepted.login, accepted.until)).collect(),
            egress: rules.map(|(node, rules)| (node, rules.iter().map(rule).collect())).collect(),
            accepted,
            served,
        })
    }
}

/// Every digest that a namespace speaks of: what its pods run, and what its pods and templates ask for.
fn digests(snapshot: &Snapshot) -> BTreeSet<String> {
    let mut digests = BTreeSet::new();
    for pod in snapshot.list("pods") {
        let statuses = pod.value()["status"]["containerStatuses"].as_array().into_iter().flatten();
        let ids = statuses.filter_map(|status| status["imageID"].as_str()?.rsplit_once('@'));
        digests.extend(ids.map(|(_, digest)| digest.to_owned()));
        digests.extend(pinned(&pod.value()["spec"]));
    }
    for resource in ["deployments.apps", "statefulsets.apps", "daemonsets.apps"] {
        for workload in snapshot.list(resource) {
            digests.extend(pinned(&workload.value()["spec"]["template"]["spec"]));
        }
    }
    digests
}

/// The digests that the images of a pod spec name.
fn pinned(spec: &Value) -> Vec<String> {
    let containers = spec["containers"].as_array().into_iter().flatten();
    let images = containers.filter_map(|container| container["image"].as_str());
    images.filter_map(|image| Reference::parse(image)?.digest).collect()
}

fn content(content: pulldrill_registry::Content) -> Content {
    Content { config_digest: content.config_digest, diff_ids: content.diff_ids }
}

impl Evidence for Proof {
    fn content(&self, digest: &str) -> Option<Content> {
        self.contents.get(digest).cloned()
    }

    fn accepted(&self) -> &BTreeSet<Content> {
        &self.accepted
    }

    fn served(&self) -> &[Served] {
        &self.served
    }

    fn credentials(&self, host: &str, username: &str, password: &str) -> Credentials {
        let Some(endpoint) = self.endpoints.get(host) else { return Credentials::Refused };
        let login =
            Login { host: endpoint.clone(), username: username.to_owned(), password: password.to_owned() };
        self.logins.get(&login).map_or(Credentials::Refused, |until| Credentials::Accepted(*until))
    }

    fn egress(&self) -> BTreeMap<String, Vec<Rule>> {
        self.egress.clone()
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
