//! Where the cluster lives, in small traits, so that another kind of cluster can take its place.
//!
//! What a backend cannot do is declared, not tried: see [`Time::can_advance`].

mod embedded;
mod kind;

use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;
use pulldrill_clock::Clock;
use pulldrill_cluster::{
    network::EgressRule,
    store::{Store, StoreChanged},
};

pub(crate) use embedded::{Embedded, EmbeddedOptions, Firewalls};

use crate::LabError;

/// Reaching the Kubernetes API.
pub(crate) trait Access: Send + Sync {
    /// A client that may do everything.
    fn client(&self) -> kube::Client;
    /// What the trainee gets.
    fn trainee_kubeconfig(&self) -> String;
}

/// Seeing every state of the cluster, in lab time.
pub(crate) trait Observe: Send + Sync {
    /// The cluster's objects, or a mirror of them.
    fn objects(&self) -> &Arc<Store>;
    /// A message for every change of them.
    fn changes(&self) -> pulldrill_clock::mailbox::Receiver<StoreChanged>;
}

/// The nodes' firewalls.
pub(crate) trait NodeNetwork: Send + Sync {
    /// The rules of every node, in the order in which they are tried.
    fn egress(&self) -> BTreeMap<String, Vec<EgressRule>>;
    /// Replaces the rules of a node.
    fn set_egress(&self, node: &str, rules: Vec<EgressRule>) -> Result<(), LabError>;
}

/// The nodes' image caches.
pub(crate) trait NodeImages: Send + Sync {
    /// Makes every node forget the images of a registry.
    fn forget_images(&self, host: &str);
}

/// The lab clock of the cluster.
pub(crate) trait Time: Send + Sync {
    /// The clock.
    fn clock(&self) -> &Clock;
    /// Whether it can be advanced.
    fn can_advance(&self) -> bool;
}

/// Ending the cluster.
pub(crate) trait Lifecycle: Send + Sync {
    /// Ends what the backend has started; returns when it has ended.
    fn down(&self) -> BoxFuture<'_, ()>;
}

/// All of it.
pub(crate) trait Backend: Access + Observe + NodeNetwork + NodeImages + Time + Lifecycle {}

impl<T: Access + Observe + NodeNetwork + NodeImages + Time + Lifecycle> Backend for T {}
