//! What a lab changes on the nodes of somebody's cluster, where that is allowed: an address and a name for each of its
//! registries that has one of its own, and egress rules about them. Nothing else that the nodes do is touched, which is
//! checked here: rules close nothing but the lab's own ranges, and none that the cluster uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use futures::future::try_join_all;
use parking_lot::Mutex;
use pulldrill_clock::real;
use pulldrill_cluster::network::{Action, Cidr, EgressRule};

use super::{agents::Agent, names::Names};
use crate::{
    LabError,
    backend::{
        HTTPS, NodeHost,
        node::{
            NodeError, containerd,
            firewall::{Firewall, Lead, Part},
            guest, images,
            rules::{Firewalls, Rules},
        },
    },
};

/// The first of the registry's ports at which addresses of nodes lead to it.
const FIRST_PORT: u16 = 8443;
/// For so long programs written in Go, containerd too, take `/etc/hosts` for what it was when they read it.
const NAMES_REMEMBERED: Duration = Duration::from_millis(5_500);
/// A rule that closes more than this many addresses is no drill's.
const WIDEST: u8 = 24;

/// The nodes, open to the lab.
pub(crate) struct Access {
    prefix: String,
    firewalls: Firewalls<Agent>,
    /// Where the registries are.
    registry: Ipv4Addr,
    authority: String,
    /// Addresses and networks that the cluster uses.
    in_use: Vec<Cidr>,
    hosts: Mutex<Hosts>,
    /// One change at a time.
    turn: tokio::sync::Mutex<()>,
}

/// The registries that nodes know.
#[derive(Debug, Default)]
struct Hosts {
    ports: BTreeMap<String, u16>,
    taught: BTreeMap<String, NodeHost>,
}

impl Access {
    /// Looks whether the nodes have what is needed; nothing is changed yet.
    pub(crate) async fn new(
        names: &Names,
        agents: BTreeMap<String, Agent>,
        registry: Ipv4Addr,
        authority: String,
        in_use: Vec<Cidr>,
    ) -> Result<Self, NodeError> {
        let part = Part::of_guest(names.lab());
        let nodes = agents.into_iter().map(|(name, agent)| {
            let part = part.clone();
            async move {
                containerd::check(&agent).await?;
                let firewall = Firewall::of(&agent, part).await?;
                Ok::<_, NodeError>((name, (agent, firewall)))
            }
        });
        let firewalls = Firewalls::new(try_join_all(nodes).await?.into_iter().collect());
        Ok(Self {
            prefix: names.lab().to_owned(),
            firewalls,
            registry,
            authority,
            in_use,
            hosts: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// The registry's port for a host, the same until the host is forgotten.
    pub(crate) fn port(&self, image_host: &str) -> u16 {
        let mut hosts = self.hosts.lock();
        let taken: BTreeSet<u16> = hosts.ports.values().copied().collect();
        let free = (FIRST_PORT..).find(|port| !taken.contains(port)).unwrap_or(FIRST_PORT);
        *hosts.ports.entry(image_host.to_owned()).or_insert(free)
    }

    /// The address of a name that nodes were taught.
    pub(crate) fn resolve(&self, name: &str) -> Option<IpAddr> {
        let hosts = self.hosts.lock();
        hosts.taught.values().find(|host| host.resolves && host.name == name).map(|host| host.address)
    }

    /// Teaches every node these registries.
    pub(crate) async fn teach(&self, hosts: &[NodeHost]) -> Result<(), LabError> {
        let _one = self.turn.lock().await;
        for host in hosts {
            self.check_free(Cidr::host(host.address))?;
        }
        let each = self.firewalls.nodes().map(|(_, (agent, _))| async move {
            for host in hosts {
                guest::teach(agent, &self.prefix, host, &self.authority).await?;
                // Those of a lab that was here before would not be pulled again.
                images::forget(agent, &host.image_host).await?;
            }
            Ok::<_, NodeError>(())
        });
        try_join_all(each).await?;
        self.hosts.lock().taught.extend(hosts.iter().map(|host| (host.image_host.clone(), host.clone())));
        self.lead().await?;
        real::sleep(NAMES_REMEMBERED).await;
        Ok(())
    }

    /// Lets every node forget them.
    pub(crate) async fn forget(&self, hosts: &[NodeHost]) -> Result<(), LabError> {
        let _one = self.turn.lock().await;
        {
            let mut known = self.hosts.lock();
            for host in hosts {
                known.taught.remove(&host.image_host);
                known.ports.remove(&host.image_host);
            }
        }
        self.lead().await?;
        let each = self.firewalls.nodes().map(|(_, (agent, _))| async move {
            for host in hosts {
                guest::forget(agent, &self.prefix, host).await?;
            }
            Ok::<_, NodeError>(())
        });
        try_join_all(each).await?;
        Ok(())
    }

    /// Makes every node forget the images of a registry.
    pub(crate) async fn forget_images(&self, host: &str) -> Result<(), LabError> {
        let each = self.firewalls.nodes().map(|(_, (agent, _))| images::forget(agent, host));
        try_join_all(each).await?;
        Ok(())
    }

    /// The rules of every node.
    pub(crate) async fn egress(&self) -> Result<Rules, LabError> {
        Ok(self.firewalls.read().await?)
    }

    /// Replaces the rules of a node.
    pub(crate) async fn set_egress(&self, node: &str, rules: &[EgressRule]) -> Result<(), LabError> {
        let now = self.firewalls.read().await?.remove(node).unwrap_or_default();
        for rule in rules.iter().filter(|rule| rule.action != Action::Allow && !now.contains(rule)) {
            self.check_narrow(rule)?;
            self.check_free(rule.destination)?;
        }
        Ok(self.firewalls.replace(node, rules).await?)
    }

    /// Leads the addresses of all hosts to their ports.
    async fn lead(&self) -> Result<(), LabError> {
        let leads: Vec<Lead> = {
            let hosts = self.hosts.lock();
            let lead = |(name, host): (&String, &NodeHost)| {
                let IpAddr::V4(address) = host.address else { return None };
                let to = SocketAddrV4::new(self.registry, *hosts.ports.get(name)?);
                Some(Lead { address, port: HTTPS, to })
            };
            hosts.taught.iter().filter_map(lead).collect()
        };
        let leads = &leads;
        let each = self.firewalls.nodes().map(|(_, (agent, firewall))| firewall.lead(agent, leads));
        try_join_all(each).await?;
        Ok(())
    }

    /// Fails for a rule that closes more than the neighbourhood of the lab's own registries.
    fn check_narrow(&self, rule: &EgressRule) -> Result<(), LabError> {
        let range = rule.destination;
        let is_ours = self.hosts.lock().taught.values().any(|host| range.contains(host.address));
        if is_ours && range.bits() >= WIDEST {
            return Ok(());
        }
        Err(LabError::Invalid(format!(
            "the rule {:?} closes {range}; on an existing cluster a rule closes the network of a lab's registry, /{WIDEST} at most, and nothing else",
            rule.id
        )))
    }

    /// Fails for a range in which the cluster has something.
    fn check_free(&self, range: Cidr) -> Result<(), LabError> {
        let meets = |other: &&Cidr| range.contains(other.base()) || other.contains(range.base());
        match self.in_use.iter().find(meets) {
            None => Ok(()),
            Some(other) => Err(LabError::Invalid(format!(
                "{range} would be led to the lab, and the cluster uses {other}; another --seed gives other addresses"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let host = NodeHost {
            image_host: "registry.a.example".into(),
            name: "registry.a.example".into(),
            address: Ipv4Addr::new(10, 25, 3, 4).into(),
            local: ([127, 0, 0, 1], 1).into(),
            resolves: true,
            trusted: true,
        };
        let taught = BTreeMap::from([(host.image_host.clone(), host)]);
        Access {
            prefix: "ws".into(),
            firewalls: Firewalls::new(BTreeMap::new()),
            registry: Ipv4Addr::new(10, 244, 1, 2),
            authority: String::new(),
            in_use: ["10.244.0.0/16", "10.25.7.9"].map(|text| text.parse().unwrap()).into(),
            hosts: Mutex::new(Hosts { ports: BTreeMap::new(), taught }),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn rule(action: Action, destination: &str) -> EgressRule {
        let destination = destination.parse().unwrap();
        EgressRule { id: "r".into(), action, destination, port: None, comment: String::new() }
    }

    #[tokio::test]
    async fn rules_close_what_is_the_labs_and_nothing_else() {
        let access = access();
        for (action, range, good) in [
            (Action::Drop, "10.25.3.0/24", true),
            (Action::Reject, "10.25.3.4", true),
            (Action::Drop, "10.25.0.0/16", false),
            (Action::Drop, "10.25.4.0/24", false),
            (Action::Reject, "0.0.0.0/0", false),
            (Action::Allow, "0.0.0.0/0", true),
        ] {
            let set = access.set_egress("node", &[rule(action, range)]).await;
            assert_eq!(set.is_ok(), good, "{action:?} {range}: {set:?}");
        }
        assert!(access.check_free("10.25.7.0/24".parse().unwrap()).is_err(), "a node is there");
        assert!(access.check_free("10.244.3.4".parse().unwrap()).is_err(), "pods are there");
        assert!(access.check_free("10.25.8.0/24".parse().unwrap()).is_ok());
    }

    #[test]
    fn every_host_has_a_port_of_its_own_as_long_as_it_is_known() {
        let access = access();
        let (a, b) = (access.port("a.example"), access.port("b.example"));
        assert!(a != b && access.port("a.example") == a);
        access.hosts.lock().ports.remove("a.example");
        assert_eq!(access.port("c.example"), a);
    }
}
