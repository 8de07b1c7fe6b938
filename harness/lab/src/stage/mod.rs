//! What the drills happen on besides the cluster: registries with their content, names and addresses on
//! the nodes' network, and the evidence that the registries gather.
//!
//! - [`staged`]: one drill's part. [`acts`]: what can be done with the registries.
//! - [`firewall`]: changing the nodes' egress rules.
//! - [`faults`]: letting registries misbehave.
//! - [`pulls`]: reading the pull log. [`proof`]: what checks are told of it.

mod acts;
mod faults;
mod firewall;
mod proof;
mod pulls;
mod staged;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use parking_lot::RwLock;
use pulldrill_clock::{Clock, Timestamp, mailbox};
use pulldrill_registry::Control;
use pulldrill_scenarios::{Personality, Variant};

pub(crate) use firewall::Firewall;
pub(crate) use staged::Host;
use staged::Staged;

use crate::{LabError, backend::NodeNetwork};

/// Everything outside the cluster.
pub(crate) struct Stage {
    clock: Clock,
    registry: Arc<dyn Control>,
    nodes: Arc<dyn NodeNetwork>,
    /// Held by whoever changes the nodes' rules.
    firewall_turns: tokio::sync::Mutex<()>,
    drills: RwLock<BTreeMap<String, Staged>>,
    /// The last entry of the pull log that was looked at.
    read: parking_lot::Mutex<u64>,
}

impl Stage {
    pub(crate) fn new(clock: Clock, registry: Arc<dyn Control>, nodes: Arc<dyn NodeNetwork>) -> Self {
        Self {
            clock,
            registry,
            nodes,
            firewall_turns: tokio::sync::Mutex::default(),
            drills: RwLock::default(),
            read: parking_lot::Mutex::new(0),
        }
    }

    /// Sets up everything that the drill finds when its history begins, which is over at `end`.
    pub(crate) async fn set_up(&self, variant: &Variant, end: Timestamp) -> Result<(), LabError> {
        if let Some(nat) = variant.nat.as_deref().and_then(|nat| nat.parse().ok()) {
            self.nodes.set_outside(nat).await?;
        }
        let mut staged = Staged::default();
        for registry in &variant.registries {
            let mut spec = staged::spec(registry, end);
            spec.plain_port = self.nodes.plain_port(&registry.host);
            spec.tls_port = self.nodes.tls_port(&registry.host);
            let info = self.registry.add_host(spec).await.map_err(failed(&registry.host))?;
            staged.node_hosts.extend(staged::node_hosts(registry, &info).map_err(failed(&registry.host))?);
            staged.hosts.push(Host::new(registry, &info));
        }
        let node_hosts = staged.node_hosts.clone();
        self.drills.write().insert(variant.drill.clone(), staged);
        self.nodes.add_hosts(&node_hosts).await?;
        for registry in &variant.registries {
            for repository in &registry.repositories {
                for image in &repository.images {
                    let tag = image.tag.as_deref();
                    self.push(variant, &registry.handle, &repository.name, tag, &image.build).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes a drill's registries away, with everything in them, and its rules on the nodes.
    pub(crate) async fn tear_down(&self, variant: &Variant) -> Result<(), LabError> {
        for registry in &variant.registries {
            let removed = self.registry.remove_host(registry.endpoint()).await;
            removed.map_err(failed(&registry.host))?;
        }
        let staged = self.drills.write().remove(&variant.drill).unwrap_or_default();
        self.nodes.remove_hosts(&staged.node_hosts).await?;
        let addresses: Vec<IpAddr> = staged.node_hosts.iter().map(|host| host.address).collect();
        let firewall = self.firewall().await;
        for (node, rules) in firewall.rules().await? {
            let concerns = |rule: &pulldrill_cluster::network::EgressRule| {
                addresses.iter().any(|address| rule.destination.contains(*address))
            };
            let kept: Vec<_> = rules.iter().filter(|rule| !concerns(rule)).cloned().collect();
            if kept.len() < rules.len() {
                firewall.replace(&node, kept).await?;
            }
        }
        Ok(())
    }

    /// Puts a build into a registry.
    pub(crate) async fn push(
        &self,
        variant: &Variant,
        handle: &str,
        repository: &str,
        tag: Option<&str>,
        build: &str,
    ) -> Result<(), LabError> {
        let host = self.host(&variant.drill, handle)?;
        let spec = variant.build(build).ok_or_else(|| failed(&host.name)(format!("no build {build:?}")))?;
        let image = self
            .registry
            .push_image(&host.endpoint, repository, tag, &staged::image(spec))
            .await
            .map_err(failed(&host.name))?;
        let content = crate::checks::evidence::Content {
            config_digest: image.config_digest.to_string(),
            diff_ids: image.diff_ids.iter().map(ToString::to_string).collect(),
        };
        if let Some(staged) = self.drills.write().get_mut(&variant.drill)
            && variant.accepted.iter().any(|accepted| accepted == build)
        {
            Arc::make_mut(&mut staged.accepted).insert(content);
        }
        Ok(())
    }

    /// A drill's registry.
    pub(crate) fn host(&self, drill: &str, handle: &str) -> Result<Host, LabError> {
        let drills = self.drills.read();
        let hosts = drills.get(drill).into_iter().flat_map(|staged| &staged.hosts);
        let host = hosts.into_iter().find(|host| host.handle == handle).cloned();
        host.ok_or_else(|| LabError::part("registry", format!("drill {drill} has no registry {handle:?}")))
    }

    /// All registries, by the name that image references use, with the drill that each belongs to.
    pub(crate) fn hosts(&self) -> Vec<(String, Host)> {
        let drills = self.drills.read();
        let of = |(drill, staged): (&String, &Staged)| -> Vec<(String, Host)> {
            staged.hosts.iter().map(|host| (drill.clone(), host.clone())).collect()
        };
        drills.iter().flat_map(of).collect()
    }

    /// The registry that image references call `name`.
    pub(crate) fn find_host(&self, name: &str) -> Option<(String, Host)> {
        self.hosts().into_iter().find(|(_, host)| host.name == name || host.endpoint == name)
    }

    /// A message for everything that registries see.
    pub(crate) fn pulls(&self, clock: &Clock) -> mailbox::Receiver<()> {
        let (sender, receiver) = mailbox::mailbox(clock);
        self.registry.pull_log().subscribe(sender);
        receiver
    }

    /// The ECR-like registries.
    pub(crate) fn ecr_hosts(&self) -> Vec<Host> {
        let all = self.hosts().into_iter().map(|(_, host)| host);
        all.filter(|host| host.personality == Personality::Ecr).collect()
    }

    /// The AWS account that nodes are in: that of the first ECR-like registry, or that of Amazon's examples.
    pub(crate) fn aws_account(&self) -> String {
        let number = |host: &Host| host.name.split('.').next().map(str::to_owned);
        let number = self.ecr_hosts().first().and_then(number);
        number
            .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            .unwrap_or("123456789012".into())
    }

    /// The nodes' way to the registries.
    pub(crate) fn nodes(&self) -> &dyn NodeNetwork {
        &*self.nodes
    }

    /// The certificate authority of the registries, PEM.
    pub(crate) async fn authority(&self) -> Result<String, LabError> {
        self.registry.authority().await.map_err(failed("certificates"))
    }
}

fn failed<E: std::fmt::Display>(host: &str) -> impl Fn(E) -> LabError + use<E> {
    let host = host.to_owned();
    move |error| LabError::part("registry", format!("{host}: {error}"))
}
