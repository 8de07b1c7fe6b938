//! Whether the nodes of somebody's cluster reach the registries in the way that was chosen, and whether the registry
//! can tell them apart by where their requests come from: one pod on each node pulls an image of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams},
};
use pulldrill_clock::real;
use pulldrill_registry::{Access, Control, HostSpec, ImageSpec, PullLog, RepositorySpec};

use super::{
    forward::waiting,
    names::{Names, PROBE},
    plan::Plan,
};
use crate::{LabError, inject::Objects};

/// The ways in which nodes reach registries: by a port of theirs, as a name that they were taught.
pub(crate) const BY_PORT: &str = "port";
/// The other one.
pub(crate) const BY_NAME: &str = "name";
/// The repository of the images.
pub(crate) const REPOSITORY: &str = "probe";
/// How long the pulls may take; a kubelet tries several times meanwhile.
const PATIENCE: Duration = Duration::from_secs(75);
/// How often the pods are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The tag of a node's image.
pub(crate) fn tag(nth: usize) -> String {
    format!("node-{nth}")
}

/// The name that nodes are taught for a look.
pub(crate) fn name(names: &Names) -> String {
    format!("probe.{}.example", names.lab())
}

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The nodes by the addresses that their requests come from; empty when they can't be told apart.
    pub(crate) nodes: BTreeMap<IpAddr, String>,
    /// Why they can't.
    pub(crate) alike: Option<String>,
}

/// A look at the nodes through a registry of their own.
#[derive(Clone)]
pub(crate) struct Probe<'a> {
    pub(crate) client: &'a Client,
    pub(crate) names: &'a Names,
    pub(crate) registry: &'a dyn Control,
    pub(crate) plan: &'a Plan,
    /// Which of the ways is looked at.
    pub(crate) way: &'static str,
    /// The registry as image references call it.
    pub(crate) host: String,
    /// Its port of plain HTTP, and that of TLS.
    pub(crate) ports: (Option<u16>, Option<u16>),
    /// The nodes, in the order of the plan's pods.
    pub(crate) nodes: Vec<String>,
}

impl Probe<'_> {
    /// Looks; the nodes that do not reach the registry, with the reasons.
    pub(crate) async fn look(&self) -> Result<Vec<String>, LabError> {
        self.furnish().await?;
        self.plan.apply_probes(&Objects::new(self.client.clone()), self.way).await?;
        let failures = self.wait().await?;
        self.clear().await?;
        Ok(failures.iter().map(|(node, why)| format!("  {node}: {why}")).collect())
    }

    async fn furnish(&self) -> Result<(), LabError> {
        let host = &self.host;
        let failed = |error| LabError::part("registry", format!("{host}: {error}"));
        let open = RepositorySpec {
            name: REPOSITORY.into(),
            pull: Access::Anonymous,
            push: Access::Users(Vec::new()),
        };
        let spec = HostSpec {
            name: host.clone(),
            personality: "distribution".into(),
            repositories: vec![open],
            plain_port: self.ports.0,
            tls_port: self.ports.1,
            ..HostSpec::default()
        };
        self.registry.add_host(spec).await.map_err(failed)?;
        for nth in 0..self.nodes.len() {
            let image = ImageSpec { build: format!("probe {nth}"), ..ImageSpec::default() };
            self.registry.push_image(host, REPOSITORY, Some(&tag(nth)), &image).await.map_err(failed)?;
        }
        Ok(())
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.names.own_namespace())
    }

    fn wanted(&self) -> ListParams {
        ListParams::default().labels(&format!("{},{PROBE}={}", self.names.selector(), self.way))
    }

    /// Waits until every node has pulled; those that have not, with the reason.
    async fn wait(&self) -> Result<BTreeMap<String, String>, LabError> {
        let mut failures: BTreeMap<String, String> =
            self.nodes.iter().map(|node| (node.clone(), "nothing was heard of its pod".to_owned())).collect();
        let all = real::timeout(PATIENCE, async {
            while !failures.is_empty() {
                let list = self
                    .pods()
                    .list(&self.wanted())
                    .await
                    .map_err(|error| LabError::part("cluster", error))?;
                for pod in &list.items {
                    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
                    if has_pulled(pod) {
                        failures.remove(&node);
                    } else if let (Some(failure), Some((reason, message))) = (failures.get_mut(&node), waiting(pod))
                        // While a kubelet waits before it tries again, it says less.
                        && reason == "ErrImagePull"
                    {
                        *failure = message;
                    }
                }
                real::sleep(LOOK).await;
            }
            Ok::<(), LabError>(())
        });
        all.await.unwrap_or(Ok(()))?;
        Ok(failures)
    }

    /// Removes what was there for the look.
    async fn clear(&self) -> Result<(), LabError> {
        let failed = |error: kube::Error| LabError::part("cluster", error);
        for pod in self.pods().list(&self.wanted()).await.map_err(failed)?.items {
            match self.pods().delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                other => drop(other.map_err(failed)?),
            }
        }
        self.registry.remove_host(&self.host).await.map_err(|error| LabError::part("registry", error))
    }
}

/// Whether a pod's image is there: the container has got as far as running, or beyond.
fn has_pulled(pod: &Pod) -> bool {
    let mut statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    statuses.any(|status| !status.image_id.is_empty())
}

/// Who the nodes are, by what the registries of looks have seen.
pub(crate) fn found(nodes: &[String], log: &PullLog, hosts: &[&str]) -> Found {
    told_apart(nodes, &came_from(log, hosts))
}

/// Where the requests for each image came from.
fn came_from(log: &PullLog, hosts: &[&str]) -> BTreeMap<String, BTreeSet<IpAddr>> {
    let mut addresses: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for entry in log.since(0).into_iter().filter(|entry| hosts.contains(&entry.host.as_str())) {
        if let Some(tag) = entry.reference {
            addresses.entry(tag).or_default().insert(entry.client.address);
        }
    }
    addresses
}

/// The nodes by their addresses, if each has some of its own.
fn told_apart(nodes: &[String], addresses: &BTreeMap<String, BTreeSet<IpAddr>>) -> Found {
    let mut found = Found::default();
    for (nth, node) in nodes.iter().enumerate() {
        for address in addresses.get(&tag(nth)).into_iter().flatten() {
            if let Some(other) = found.nodes.insert(*address, node.clone())
                && other != *node
            {
                let alike = format!("requests of {other} and of {node} both come from {address}");
                return Found { nodes: BTreeMap::new(), alike: Some(alike) };
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_told_apart_by_addresses_that_no_other_node_has() {
        let nodes = ["a".to_owned(), "b".to_owned()];
        let at = |address: &str| BTreeSet::from([address.parse().unwrap()]);
        let distinct = BTreeMap::from([(tag(0), at("10.0.0.1")), (tag(1), at("10.0.0.2"))]);
        let found = told_apart(&nodes, &distinct);
        assert_eq!((found.nodes[&"10.0.0.2".parse::<IpAddr>().unwrap()].as_str(), found.alike), ("b", None));
        let alike = BTreeMap::from([(tag(0), at("10.0.0.1")), (tag(1), at("10.0.0.1"))]);
        let found = told_apart(&nodes, &alike);
        assert!(found.nodes.is_empty() && found.alike.unwrap().contains("10.0.0.1"));
    }
}
