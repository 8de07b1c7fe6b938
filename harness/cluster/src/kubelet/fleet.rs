//! The machines that kubelets run on: they join, are switched off and on again, and leave.
//!
//! What is stored on a machine (its images) outlives its kubelet; what a kubelet remembers does not.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use parking_lot::Mutex;
use pulldrill_clock::SignedDuration;
use pulldrill_tls::TlsError;
use rustls::ClientConfig;
use thiserror::Error;

use super::{Kubelet, KubeletOptions, node::Node};
use crate::{
    engine::Controller,
    puller::Puller,
    recorder::{Kind, Recorder},
};

/// How long before it was switched off a machine last showed that it lived; leases are renewed every ten seconds.
const LAST_SIGN: SignedDuration = SignedDuration::from_secs(4);

/// Why a node could not be added, stopped or started.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NodeError {
    /// There is one of that name.
    #[error("node {0:?} exists already; choose another name")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no node {0:?}")]
    Unknown(String),
    /// It is on already.
    #[error("node {0:?} runs already")]
    Runs(String),
    /// It is off already.
    #[error("node {0:?} is stopped already")]
    Stopped(String),
    /// The cluster was made without nodes.
    #[error("this cluster has no kubelets, so it can't get node {0:?}")]
    Bare(String),
    /// The name is none that a node can have.
    #[error("{0:?} is no name for a node: use lower-case letters, digits, '-' and '.'")]
    BadName(String),
}

/// Whether a kubelet's machine is on. Shared with that kubelet.
#[derive(Clone, Debug)]
pub(super) struct Power(Arc<AtomicBool>);

impl Power {
    pub(super) fn on() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn off(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What outlives a kubelet.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) node: Node,
    pub(super) puller: Arc<Puller>,
    pub(super) power: Power,
    /// How many pods' addresses have been given out.
    pub(super) addresses: Arc<AtomicU32>,
    /// How often it has been switched on.
    pub(super) boots: u32,
    /// Whether its kubelet tells that it starts. What started with the cluster told so long ago.
    pub(super) told: bool,
}

/// What a kubelet says of its node when it starts: reason, message.
const STARTING: [(&str, &str); 6] = [
    ("Starting", "Starting kubelet."),
    ("NodeAllocatableEnforced", "Updated Node Allocatable limit across pods"),
    ("NodeHasSufficientMemory", "Node {node} status is now: NodeHasSufficientMemory"),
    ("NodeHasNoDiskPressure", "Node {node} status is now: NodeHasNoDiskPressure"),
    ("NodeHasSufficientPID", "Node {node} status is now: NodeHasSufficientPID"),
    ("NodeReady", "Node {node} status is now: NodeReady"),
];

/// Tells that a kubelet has started, on a machine that was off before or is new.
pub(super) fn announce(recorder: &Recorder, node: &Node, again: bool) {
    let about = node.reference();
    for (reason, message) in STARTING {
        recorder.event(&about, None, Kind::Normal, reason, &message.replace("{node}", &node.name));
    }
    if again {
        let message = format!("Node {} has been rebooted, boot id: {}", node.name, node.boot_id());
        recorder.event(&about, None, Kind::Warning, "Rebooted", &message);
    }
}

/// The machines of a cluster.
pub struct Fleet {
    options: KubeletOptions,
    tls: Arc<ClientConfig>,
    machines: Mutex<Machines>,
}

#[derive(Default)]
struct Machines {
    by_name: BTreeMap<String, Machine>,
    made: usize,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.machines.lock().by_name.keys()).finish()
    }
}

impl Fleet {
    /// No machines yet.
    ///
    /// # Errors
    /// [`TlsError`] for an authority that is none.
    pub fn new(options: KubeletOptions) -> Result<Self, TlsError> {
        let authorities: Vec<&str> = options.authorities.iter().map(String::as_str).collect();
        let tls = pulldrill_tls::client_config(&authorities)?;
        Ok(Self { options, tls, machines: Mutex::default() })
    }

    /// A new machine, and its kubelet, which has registered the node. `told` when that is news.
    ///
    /// # Errors
    /// [`NodeError`] for a name that is taken or none.
    pub fn add(&self, name: &str, told: bool) -> Result<Box<dyn Controller>, NodeError> {
        if !is_name(name) {
            return Err(NodeError::BadName(name.to_owned()));
        }
        let mut machines = self.machines.lock();
        if machines.by_name.contains_key(name) {
            return Err(NodeError::Exists(name.to_owned()));
        }
        let options = &self.options;
        let puller = Arc::new(Puller::new(
            name,
            options.network.clone(),
            options.clock.clone(),
            options.dialect.clone(),
            self.tls.clone(),
            options.seed,
        ));
        options.nodes.images.iter().for_each(|(image, config)| puller.load(image, config));
        options.pullers.lock().push(puller.clone());
        let node = Node::new(name, machines.made);
        machines.made += 1;
        let machine = Machine { node, puller, power: Power::on(), addresses: Arc::default(), boots: 0, told };
        machines.by_name.insert(name.to_owned(), machine.clone());
        drop(machines);
        Ok(Box::new(Kubelet::new(options, machine)))
    }

    /// Switches a machine off, as if its power had failed: its containers are gone, and it no longer shows that it lives.
    ///
    /// # Errors
    /// [`NodeError`] when there is none, or it is off.
    pub fn stop(&self, name: &str) -> Result<(), NodeError> {
        let machine = self.machine(name)?;
        if !machine.power.is_on() {
            return Err(NodeError::Stopped(name.to_owned()));
        }
        self.halt(&machine);
        machine.node.renew(&self.options.api, self.options.clock.shown_now() - LAST_SIGN);
        Ok(())
    }

    /// Switches a machine on again. Its new kubelet finds the pods that are still meant for it.
    ///
    /// # Errors
    /// [`NodeError`] when there is none, or it is on.
    pub fn start(&self, name: &str) -> Result<Box<dyn Controller>, NodeError> {
        let mut machines = self.machines.lock();
        let unknown = || NodeError::Unknown(name.to_owned());
        let machine = machines.by_name.get_mut(name).ok_or_else(unknown)?;
        if machine.power.is_on() {
            return Err(NodeError::Runs(name.to_owned()));
        }
        machine.power = Power::on();
        machine.boots += 1;
        machine.told = true;
        machine.node.boots = machine.boots;
        let machine = machine.clone();
        drop(machines);
        Ok(Box::new(Kubelet::new(&self.options, machine)))
    }

    /// Takes a machine away, and what it has stored.
    ///
    /// # Errors
    /// [`NodeError`] when there is none.
    pub fn remove(&self, name: &str) -> Result<(), NodeError> {
        let machine = self.machine(name)?;
        self.machines.lock().by_name.remove(name);
        self.options.pullers.lock().retain(|puller| !Arc::ptr_eq(puller, &machine.puller));
        self.halt(&machine);
        machine.node.unregister(&self.options.api);
        Ok(())
    }

    /// The machines in the order of their names, and whether they are on.
    #[must_use]
    pub fn machines(&self) -> Vec<(String, bool)> {
        let machines = self.machines.lock();
        machines.by_name.iter().map(|(name, machine)| (name.clone(), machine.power.is_on())).collect()
    }

    /// Whether a machine is on. Of nodes that are none of these nothing is known.
    #[must_use]
    pub fn runs(&self, name: &str) -> Option<bool> {
        self.machines.lock().by_name.get(name).map(|machine| machine.power.is_on())
    }

    fn machine(&self, name: &str) -> Result<Machine, NodeError> {
        let found = self.machines.lock().by_name.get(name).cloned();
        found.ok_or_else(|| NodeError::Unknown(name.to_owned()))
    }

    fn halt(&self, machine: &Machine) {
        machine.power.off();
        for pod in self.options.api.list("pods", None) {
            if pod.value()["spec"]["nodeName"] == machine.node.name.as_str() {
                self.options.runtime.remove_pod(pod.meta("uid"));
            }
        }
    }
}

/// Whether a node can have this name: that of a host.
fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |label: &str| {
        label.starts_with(letter) && label.ends_with(letter) && label.chars().all(|c| letter(c) || c == '-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nodes_are_those_of_hosts() {
        for good in ["node-1", "a", "ip-10-0-0-1.ec2.internal"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "Node", "-a", "a-", "a..b", "a b", "a/b", "ä", &"a".repeat(254)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
