//! What the drills happen on besides the cluster: registries with their content, names and addresses on
//! the nodes' network, and the evidence that the registries gather.
//!
//! - [`nat`]: which node is behind a connection. [`staged`]: one drill's part.
//! - [`pulls`]: reading the pull log. [`proof`]: what checks are told of it.

mod acts;
mod nat;
mod proof;
mod pulls;
mod staged;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use parking_lot::RwLock;
use pulldrill_clock::{Clock, mailbox};
use pulldrill_cluster::network::Network;
use pulldrill_registry::{Registry, RegistryOptions};
use pulldrill_scenarios::{Personality, Variant};
use pulldrill_tls::Authority;
use tokio_util::sync::CancellationToken;

pub(crate) use nat::Nat;
pub(crate) use staged::Host;
use staged::Staged;

use crate::{LabError, backend::NodeNetwork};

/// The port at which registries are reached on the nodes' network.
const HTTPS: u16 = 443;

/// Everything outside the cluster.
pub(crate) struct Stage {
    clock: Clock,
    network: Network,
    registry: Registry,
    nat: Arc<Nat>,
    firewall: Arc<dyn NodeNetwork>,
    drills: RwLock<BTreeMap<String, Staged>>,
    /// The last entry of the pull log that was looked at.
    read: parking_lot::Mutex<u64>,
}

/// What a stage is made of.
pub(crate) struct StageOptions {
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
    pub(crate) network: Network,
    pub(crate) authority: Arc<Authority>,
    pub(crate) nat: Arc<Nat>,
    pub(crate) firewall: Arc<dyn NodeNetwork>,
    pub(crate) stop: CancellationToken,
}

impl Stage {
    pub(crate) fn new(options: StageOptions) -> Self {
        let StageOptions { clock, seed, network, authority, nat, firewall, stop } = options;
        let clients: Arc<dyn pulldrill_registry::Clients> = nat.clone();
        let registry =
            Registry::new(RegistryOptions { clock: clock.clone(), seed, authority, clients, stop });
        Self {
            clock,
            network,
            registry,
            nat,
            firewall,
            drills: RwLock::default(),
            read: parking_lot::Mutex::new(0),
        }
    }

    /// Sets up everything that the drill finds when its history begins.
    pub(crate) async fn set_up(&self, variant: &Variant) -> Result<(), LabError> {
        if let Some(nat) = variant.nat.as_deref().and_then(|nat| nat.parse().ok()) {
            self.nat.set_address(nat);
        }
        let mut staged = Staged::default();
        for registry in &variant.registries {
            let info =
                self.registry.add_host(staged::spec(registry)).await.map_err(failed(&registry.host))?;
            self.connect(registry.endpoint(), &registry.address, info.address)?;
            if let (Some(token), Some((_, address))) = (&registry.token_host, &info.token_host) {
                self.connect(&token.name, &token.address, *address)?;
            }
            staged.hosts.push(Host::new(registry, &info));
        }
        self.drills.write().insert(variant.drill.clone(), staged);
        for registry in &variant.registries {
            for repository in &registry.repositories {
                for image in &repository.images {
                    let tag = image.tag.as_deref();
                    self.push(variant, &registry.handle, &repository.name, tag, &image.build)?;
                }
            }
        }
        Ok(())
    }

    /// Takes a drill's registries away, with everything in them, and its rules on the nodes.
    pub(crate) async fn tear_down(&self, variant: &Variant) -> Result<(), LabError> {
        let mut addresses = Vec::new();
        for registry in &variant.registries {
            self.registry.remove_host(registry.endpoint()).await;
            self.network.remove_host(registry.endpoint());
            addresses.extend(registry.address.parse::<IpAddr>().ok());
            if let Some(token) = &registry.token_host {
                self.network.remove_host(&token.name);
                addresses.extend(token.address.parse::<IpAddr>().ok());
            }
        }
        for address in &addresses {
            self.network.remove_route(*address, HTTPS);
        }
        for (node, rules) in self.firewall.egress() {
            let concerns = |rule: &pulldrill_cluster::network::EgressRule| {
                addresses.iter().any(|address| rule.destination.contains(*address))
            };
            let kept: Vec<_> = rules.iter().filter(|rule| !concerns(rule)).cloned().collect();
            if kept.len() < rules.len() {
                self.firewall.set_egress(&node, kept)?;
            }
        }
        self.drills.write().remove(&variant.drill);
        Ok(())
    }

    /// Puts a build into a registry.
    pub(crate) fn push(
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

    /// Waits until the registries have let go of every connection, once the lab was stopped.
    pub(crate) async fn ended(&self) {
        self.registry.stopped().await;
    }

    fn connect(&self, name: &str, address: &str, to: SocketAddr) -> Result<(), LabError> {
        let parsed: IpAddr = address.parse().map_err(|error| failed(name)(format!("{address}: {error}")))?;
        self.network.add_host(name, parsed);
        self.network.add_route(parsed, HTTPS, to);
        Ok(())
    }

    /// The names that nodes know.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// The address that registries see nodes come from.
    pub(crate) fn nat_address(&self) -> IpAddr {
        self.nat.address()
    }
}

fn failed<E: std::fmt::Display>(host: &str) -> impl Fn(E) -> LabError + use<E> {
    let host = host.to_owned();
    move |error| LabError::part("registry", format!("{host}: {error}"))
}
