//! What kubelets are given, and what can be set about their nodes.

use std::sync::Arc;

use pulldrill_clock::Clock;
use serde_json::Value;

use super::{Logs, Provider, PullRate};
use crate::{
    api::Api,
    dialect::Dialect,
    network::Network,
    puller::{Puller, Reference},
    runtime::Runtime,
};

/// What the kubelets of one cluster need.
#[derive(Clone)]
pub struct KubeletOptions {
    /// Where pods are, and statuses go.
    pub api: Arc<Api>,
    /// The lab clock.
    pub clock: Clock,
    /// For everything that varies.
    pub seed: u64,
    /// How they speak.
    pub dialect: Arc<Dialect>,
    /// How they reach registries.
    pub network: Network,
    /// Whom they trust, PEM.
    pub authorities: Vec<String>,
    /// What nodes can do.
    pub nodes: NodeOptions,
    /// Where the containers' lines go.
    pub logs: Arc<Logs>,
    /// What runs in containers.
    pub runtime: Arc<Runtime>,
    /// Gets the nodes' pullers, for whoever manages what nodes have stored.
    pub pullers: Pullers,
}

/// How many pulls a node makes at a time. A kubelet's default is one, but here what happens to one
/// namespace must never change what another one sees.
const PARALLEL_PULLS: usize = 16;

/// What can be set about the nodes of a cluster.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// How many pulls a node makes at a time. With one they are made in the order in which they were asked for, as
    /// kubelets do that have `serializeImagePulls`.
    pub parallel_pulls: usize,
    /// How many pulls a node begins in a while; those beyond fail. Without a number there is no limit.
    pub pull_rate: Option<PullRate>,
    /// How many bytes of images a node has room for; without a number it is never full.
    pub image_disk: Option<u64>,
    /// Who knows the credentials of registries on a node.
    pub credential_providers: Vec<Provider>,
    /// What every node has from the beginning, as if it had been loaded there: names, and OCI image configurations.
    pub images: Vec<(Reference, Value)>,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            parallel_pulls: PARALLEL_PULLS,
            pull_rate: None,
            image_disk: None,
            credential_providers: Vec::new(),
            images: Vec::new(),
        }
    }
}

/// The pullers of all nodes; shared by all clones.
pub type Pullers = Arc<parking_lot::Mutex<Vec<Arc<Puller>>>>;
