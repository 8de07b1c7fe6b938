//! Where the cluster lives, in small traits, so that another kind of cluster can take its place.
//!
//! - [`boot`]: makes a cluster and its registry of the kind that the options name.
//! - [`embedded`]: in this process. [`kind`]: real Kubernetes in containers. [`existing`]: somebody's cluster.
//! - [`node`]: what is done on a node, of whichever of the real ones.
//! - [`capability`]: what each kind of cluster can give; what it cannot is declared, not tried.

pub(crate) mod capability;
mod embedded;
mod existing;
mod kind;
pub(crate) mod mirror;
pub(crate) mod node;
pub(crate) mod trainee;

use std::{collections::BTreeMap, net::IpAddr, path::Path, sync::Arc};

use async_trait::async_trait;
use futures::future::BoxFuture;
use kube::config::{KubeConfigOptions, Kubeconfig};
use pulldrill_clock::{Clock, Timestamp};
use pulldrill_cluster::{
    network::EgressRule,
    store::{Store, StoreChanged},
};
use pulldrill_registry::Control;
use pulldrill_scenarios::{Catalogue, Need, Placement};
use tokio_util::sync::CancellationToken;

use crate::{BackendKind, LabError, LabOptions, folder::Folder};

/// The port at which registries are reached on the nodes' network.
pub(crate) const HTTPS: u16 = 443;

/// Reaching the Kubernetes API.
pub(crate) trait Access: Send + Sync {
    /// A client that may do everything.
    fn client(&self) -> kube::Client;
    /// What the trainee gets.
    fn trainee_kubeconfig(&self) -> String;
    /// What the kubelets and their runtime are, in the words of a dialect's name, and whether recordings
    /// prove that they talk so.
    fn dialect(&self) -> (String, bool);
    /// What its kind of cluster usually gives and this one does not.
    fn missing(&self) -> &[Missing] {
        &[]
    }
}

/// Something that a kind of cluster usually gives and one does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// What that is.
    pub(crate) need: Need,
    /// Why, as a sentence of its own.
    pub(crate) why: String,
}

/// Seeing every state of the cluster, in lab time.
pub(crate) trait Observe: Send + Sync {
    /// The cluster's objects, or a mirror of them.
    fn objects(&self) -> &Arc<Store>;
    /// A message for every change of them.
    fn changes(&self) -> pulldrill_clock::mailbox::Receiver<StoreChanged>;
}

/// Preparing namespaces for a drill.
#[async_trait]
pub(crate) trait Namespaces: Send + Sync {
    /// Fails for a namespace that is somebody else's.
    async fn may_be_made(&self, _namespace: &str) -> Result<(), LabError> {
        Ok(())
    }
    /// Whatever a drill's namespace needs beside itself, before anything is made in it.
    async fn prepare(&self, namespace: &str) -> Result<(), LabError>;
    /// The labels that the backend puts on a drill's namespace.
    fn labels(&self) -> BTreeMap<String, String>;
}

/// The nodes' way to the registries.
#[async_trait]
pub(crate) trait NodeNetwork: Send + Sync {
    /// The egress rules of every node, in the order in which they are tried.
    async fn egress(&self) -> Result<BTreeMap<String, Vec<EgressRule>>, LabError>;
    /// Replaces the rules of a node.
    async fn set_egress(&self, node: &str, rules: Vec<EgressRule>) -> Result<(), LabError>;
    /// The port at which the nodes reach a registry of this name by plain HTTP, where they do.
    fn plain_port(&self, _image_host: &str) -> Option<u16> {
        None
    }
    /// The port of the registry's machine at which connections for it arrive, where they are led there from the
    /// address that nodes know.
    fn tls_port(&self, _image_host: &str) -> Option<u16> {
        None
    }
    /// Lets the nodes find registries.
    async fn add_hosts(&self, hosts: &[NodeHost]) -> Result<(), LabError>;
    /// Lets the nodes forget them.
    async fn remove_hosts(&self, hosts: &[NodeHost]) -> Result<(), LabError>;
    /// The address of a registry's name on the nodes' network.
    fn resolve(&self, name: &str) -> Option<IpAddr>;
    /// The address that registries see all nodes come from.
    fn outside(&self) -> IpAddr;
    /// Changes it.
    async fn set_outside(&self, address: IpAddr) -> Result<(), LabError>;
}

/// A registry as nodes know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeHost {
    /// What image references call it.
    pub(crate) image_host: String,
    /// What the runtime connects to.
    pub(crate) name: String,
    /// Where that is on the nodes' network, port 443.
    pub(crate) address: IpAddr,
    /// Where that is on this machine.
    pub(crate) local: std::net::SocketAddr,
    /// Whether the name resolves.
    pub(crate) resolves: bool,
    /// Whether nodes trust the authority of its certificate.
    pub(crate) trusted: bool,
}

/// The nodes' image caches.
#[async_trait]
pub(crate) trait NodeImages: Send + Sync {
    /// Makes every node forget the images of a registry.
    async fn forget_images(&self, host: &str) -> Result<(), LabError>;
    /// Where a drill that is started anew has to be, where nodes can't be made to forget.
    async fn elsewhere(&self, _scenario: &str) -> Result<Option<Placement>, LabError> {
        Ok(None)
    }
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
    /// Ends what the backend has started, and takes away what it has made; returns when that is done.
    fn down(&self) -> BoxFuture<'_, Result<(), LabError>>;
}

/// All of it.
pub(crate) trait Backend: Access + Observe + Namespaces + NodeImages + Time + Lifecycle {}

impl<T: Access + Observe + Namespaces + NodeImages + Time + Lifecycle> Backend for T {}

/// A cluster with its registry, ready for drills.
pub(crate) struct Booted {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) nodes: Arc<dyn NodeNetwork>,
    pub(crate) registry: Arc<dyn Control>,
    /// Returns when the registry has let go of every connection, once the lab was stopped.
    pub(crate) registry_ended: BoxFuture<'static, ()>,
    pub(crate) clock: Clock,
}

/// The options with everything decided that can only be decided by looking at the cluster.
pub(crate) async fn settle(options: LabOptions, catalogue: &Catalogue) -> Result<LabOptions, LabError> {
    match &options.backend {
        BackendKind::Embedded | BackendKind::Kind(_) => Ok(options),
        BackendKind::Existing(existing) => {
            let backend = BackendKind::Existing(existing::settle(existing, catalogue).await?);
            Ok(LabOptions { backend, ..options })
        }
    }
}

/// What a lab would make on somebody's cluster, as YAML; nothing is made.
///
/// # Errors
/// A use error for a lab that makes nothing outside this machine, and what the cluster said.
pub async fn plan(options: LabOptions) -> Result<String, LabError> {
    pulldrill_tls::install_provider();
    let catalogue = crate::lab::catalogue(&options)?;
    let options = settle(options, &catalogue).await?;
    match &options.backend {
        BackendKind::Existing(existing) => existing::planned(&options, existing).await,
        other => Err(LabError::Invalid(format!("there is no plan to show: {other} is all the lab's own"))),
    }
}

/// Boots what the options name; `beginning` is when the history begins, where the clock can stand there.
pub(crate) async fn boot(
    options: &LabOptions,
    folder: Option<&Folder>,
    beginning: Timestamp,
    stop: &CancellationToken,
) -> Result<Booted, LabError> {
    if let Some(folder) = folder {
        // What a crashed lab of this folder has left.
        sweep(folder.path()).await?;
    }
    match &options.backend {
        BackendKind::Embedded => embedded::boot(options, beginning, stop).await,
        BackendKind::Kind(kind) => {
            let dir = folder.map(Folder::path).ok_or_else(|| {
                LabError::Invalid("a kind cluster needs a folder, to be found again after a crash".into())
            })?;
            kind::boot(options, kind, dir, stop).await
        }
        BackendKind::Existing(existing) => existing::boot(options, existing, folder, stop).await,
    }
}

/// Makes an image whose entry point is the `pulldrill` command, in the Docker engine of this machine, from a Linux
/// program: this very one without another. Nobody but the caller removes it.
///
/// # Errors
/// There is no engine, or the program is none that it could run.
pub async fn registry_image(name: &str, program: Option<&Path>) -> Result<(), LabError> {
    let engine = kind::engine::Engine::connect().await?;
    let name = if name.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        name.to_owned()
    } else {
        format!("{name}:latest")
    };
    kind::image::build_named(&engine, &name, std::collections::HashMap::new(), program).await?;
    Ok(())
}

/// A client for a kubeconfig, and for nothing that the environment says.
async fn client(kubeconfig: &str) -> Result<kube::Client, LabError> {
    let failed =
        |error: &dyn std::fmt::Display| LabError::part("cluster", format!("its kubeconfig: {error}"));
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).map_err(|error| failed(&error))?;
    let options = KubeConfigOptions::default();
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(&error))?;
    config.proxy_url = None;
    kube::Client::try_from(config).map_err(|error| failed(&error))
}

/// Whether the lab of a folder has made, or may have made, anything outside this machine's process: a cluster,
/// containers, objects.
#[must_use]
pub fn reaches_beyond(dir: &Path) -> bool {
    dir.join("kind").exists() || existing::left_in(dir)
}

/// Removes whatever the lab of a folder, which must not run any more, has made outside its process; what was
/// removed, in words.
///
/// # Errors
/// What could not be reached or removed; asking again goes on where it ended.
pub async fn sweep(dir: &Path) -> Result<Vec<String>, LabError> {
    let mut removed = kind::sweep_folder(dir).await?;
    removed.extend(existing::sweep(dir).await?);
    Ok(removed)
}
