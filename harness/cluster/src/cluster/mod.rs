//! One whole cluster: API server, controllers, scheduler, and a kubelet per node, from one call.

mod first;
mod kubeconfig;
mod machines;
mod plane;
mod virtual_clusters;

use std::{net::TcpListener, sync::Arc};

use pulldrill_clock::Clock;
use pulldrill_tls::{Authority, Clients, Identity, Signer, TlsError};
use serde_json::Value;
use thiserror::Error;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::{Access, Api, AuthorizationMode, SigningAuthority, User, http},
    dialect::Dialect,
    kubelet::{NodeError, NodeOptions, Pullers},
    network::Network,
    puller::{Reference, ReferenceError},
    store::{self, Disk, DiskError, Space, Store},
};
use first::server_identity;
use machines::Machines;
use plane::{ControlPlane, Plan, Site};
use virtual_clusters::VirtualClusters;

/// How many events the store keeps for watches.
const WINDOW: usize = 20_000;

/// How many bytes of memory the objects may take together unless somebody says another number.
pub const DEFAULT_QUOTA: u64 = 1 << 30;

/// What a cluster is made of.
pub struct ClusterOptions {
    /// Where the API server listens; bound by the caller.
    pub listener: TcpListener,
    /// The lab clock.
    pub clock: Clock,
    /// All randomness comes from this.
    pub seed: u64,
    /// How the cluster speaks.
    pub dialect: Arc<Dialect>,
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// What the nodes can reach.
    pub network: Network,
    /// Authorities (PEM) that the nodes trust.
    pub registry_authorities: Vec<String>,
    /// How many pods there may be: a lab whose visitors are strangers has a limit.
    pub most_pods: Option<usize>,
    /// How many bytes of memory the objects of all its clusters may take; see [`DEFAULT_QUOTA`].
    pub quota: u64,
    /// Where the objects, and the keys that make credentials, outlive the process; else they don't.
    pub data: Option<Disk>,
    /// Whether admission webhooks are called, on this machine; else their configurations are only kept.
    pub webhooks: bool,
    /// Who decides about what users may.
    pub authorization: AuthorizationMode,
    /// Stops everything.
    pub stop: CancellationToken,
}

/// Which of its parts a cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Everything.
    All,
    /// The API server and the controllers, as Kubernetes' own `test/cmd` suite wants them: no scheduler, no
    /// kubelets and so no nodes, and pods name no service account unless they say one. Pods stay Pending.
    Bare,
}

/// Why a cluster could not be started.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The listener can't be used.
    #[error("cannot listen for API requests: {0}")]
    Listen(#[from] std::io::Error),
    /// A node can't be made.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A certificate can't be made.
    #[error(transparent)]
    Certificate(#[from] TlsError),
    /// The data folder can't be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The first objects can't be made.
    #[error("cannot create {object}: {reason}")]
    FirstObjects {
        /// What was to be made.
        object: String,
        /// What the API said.
        reason: String,
    },
}

/// Who a kubeconfig is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// May do everything.
    Admin,
    /// May do everything that can't forge a score.
    Trainee,
}

impl Principal {
    /// The name and the group in the certificate.
    fn user(self) -> (&'static str, &'static str) {
        match self {
            Self::Admin => ("kubernetes-admin", "system:masters"),
            Self::Trainee => ("trainee", "pulldrill:trainees"),
        }
    }
}

/// A running cluster.
pub struct Cluster {
    url: String,
    site: Arc<Site>,
    admin: Identity,
    trainee: Identity,
    api: Arc<Api>,
    access: Arc<Access>,
    network: Network,
    pullers: Pullers,
    machines: Machines,
    virtual_clusters: Arc<VirtualClusters>,
    tasks: TaskTracker,
}

/// What the process's own cluster has from a former life.
struct Past {
    authority: Authority,
    signer: Signer,
    objects: store::Past,
}

impl Past {
    async fn of(disk: &Disk) -> Result<Self, ClusterError> {
        Ok(Self {
            authority: kept_authority_as(disk, "authority").await?,
            signer: kept_signer(disk, "").await?,
            objects: disk.past("").await?,
        })
    }
}

/// An authority, kept from the first time on.
async fn kept_authority_as(disk: &Disk, name: &str) -> Result<Authority, ClusterError> {
    let new = Authority::new("kubernetes")?.to_pem();
    let kept = disk.keep(name, new.into_bytes()).await?;
    Ok(Authority::from_pem("kubernetes", &String::from_utf8_lossy(&kept))?)
}

/// Who signs the certificates of a virtual cluster's users, kept from the first time on.
async fn kept_authority(disk: &Disk, cluster: &str) -> Result<SigningAuthority, ClusterError> {
    let authority = kept_authority_as(disk, &format!("authority/{cluster}")).await?;
    let clients = Clients::of(&authority)?;
    Ok(SigningAuthority::of(Arc::new(authority), clients))
}

/// The key of a cluster's tokens, kept from the first time on.
async fn kept_signer(disk: &Disk, cluster: &str) -> Result<Signer, ClusterError> {
    let new = Signer::new()?.pkcs8().to_vec();
    Ok(Signer::from_pkcs8(&disk.keep(&format!("signer/{cluster}"), new).await?)?)
}

impl ClusterOptions {
    /// A cluster without nodes, in memory, whose nodes would reach nothing; seed 1, no limit of pods.
    #[must_use]
    pub fn new(listener: TcpListener, clock: Clock, dialect: Arc<Dialect>, stop: CancellationToken) -> Self {
        Self {
            listener,
            clock,
            seed: 1,
            dialect,
            nodes: Vec::new(),
            network: Network::default(),
            registry_authorities: Vec::new(),
            most_pods: None,
            quota: DEFAULT_QUOTA,
            data: None,
            webhooks: false,
            authorization: AuthorizationMode::default(),
            stop,
        }
    }
}

impl Cluster {
    /// Starts everything. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn start(options: ClusterOptions) -> Result<Self, ClusterError> {
        Self::start_with(options, Parts::All).await
    }

    /// Starts the chosen parts. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn start_with(options: ClusterOptions, chosen: Parts) -> Result<Self, ClusterError> {
        Self::start_as(options, chosen, NodeOptions::default()).await
    }

    /// Starts the chosen parts, with nodes of a kind. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn start_as(
        options: ClusterOptions,
        chosen: Parts,
        node_options: NodeOptions,
    ) -> Result<Self, ClusterError> {
        let ClusterOptions {
            listener,
            clock,
            seed,
            dialect,
            nodes,
            network,
            registry_authorities,
            most_pods,
            quota,
            data,
            webhooks,
            authorization,
            stop,
        } = options;
        pulldrill_tls::install_provider();
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let past = match &data {
            Some(disk) => Some(Past::of(disk).await?),
            None => None,
        };
        let space = Space::of(quota);
        let account = space.account();
        let (authority, signer, store) = match past {
            Some(past) => {
                let store = Store::of_past_within(past.objects, WINDOW, account);
                (past.authority, Some(past.signer), store)
            }
            None => (Authority::new("kubernetes")?, None, Store::within(WINDOW, account)),
        };
        let clients = Clients::of(&authority)?;
        let tls = server_identity(&authority, address.ip())?.server_config(Some(&clients))?;
        let authority = Arc::new(authority);
        let signing = SigningAuthority::of(authority.clone(), clients.clone());
        let client = |principal: Principal| {
            let (name, group) = principal.user();
            authority.client(name, &[group])
        };
        let (admin, trainee) = (client(Principal::Admin)?, client(Principal::Trainee)?);
        let version = Arc::new(dialect.server.clone());
        let address: Arc<str> = address.to_string().into();
        let site = Arc::new(Site {
            clock,
            seed,
            dialect,
            parts: chosen,
            nodes,
            node_options,
            registry_authorities,
            network: network.clone(),
            most_pods,
            webhooks,
            authorization,
            space,
            authority,
            clients,
            address,
            version,
            disk: data,
            known: Arc::default(),
        });
        let virtual_clusters = Arc::new(VirtualClusters::new(site.clone(), stop.clone()));
        let plan = Plan { name: "", store, begins: true, signer, signing, stop };
        let plane = ControlPlane::start(&site, plan)?;
        virtual_clusters.resume().await?;
        let ControlPlane { api, access, pullers, machines, tasks, mut server } = plane;
        server.virtual_clusters = Some(virtual_clusters.clone());
        tasks.spawn(http::serve(listener, tls, server));
        let url = format!("https://{}", site.address);
        Ok(Self {
            url,
            site,
            admin,
            trainee,
            api,
            access,
            network,
            pullers,
            machines,
            virtual_clusters,
            tasks,
        })
    }

    /// Waits for the end of everything that [`Cluster::start`] has started, after it was stopped.
    pub async fn ended(&self) {
        self.tasks.wait().await;
        self.virtual_clusters.ended().await;
        if let Some(disk) = &self.site.disk
            && let Err(error) = disk.flush().await
        {
            tracing::error!(%error, "the latest changes are lost");
        }
    }

    /// Where the API server listens: `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The authority that the API server's certificate comes from, PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.site.authority.pem()
    }

    /// A kubeconfig with everything in it.
    #[must_use]
    pub fn kubeconfig(&self, principal: Principal) -> String {
        let (user, _) = principal.user();
        let identity = match principal {
            Principal::Admin => &self.admin,
            Principal::Trainee => &self.trainee,
        };
        kubeconfig::write(
            &self.url,
            self.site.authority.pem(),
            "pulldrill",
            user,
            &kubeconfig::Credential::Certificate(identity),
        )
    }

    /// The objects.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        self.api.store()
    }

    /// The room that the objects of all its clusters share, and how much of it is used.
    #[must_use]
    pub fn space(&self) -> &Space {
        &self.site.space
    }

    /// The rules of reading and writing them.
    #[must_use]
    pub fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// Who is who.
    #[must_use]
    pub fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Takes a bearer token with which anybody is the user `admin`, who may do everything, also in virtual clusters.
    pub fn accept_admin_token(&self, token: &str) {
        let admin = User::named("admin", &["system:masters"]);
        self.access.accept(token, admin.clone());
        self.virtual_clusters.accept(token, &admin);
    }

    /// Makes every node forget the images of a registry, as it goes by in references.
    pub fn forget_images(&self, host: &str) {
        self.pullers.lock().iter().for_each(|puller| puller.forget(host));
    }

    /// Puts an image on every node, as if it had been loaded there: it needs no registry.
    ///
    /// # Errors
    /// [`ReferenceError`] for a reference that is none.
    pub fn load_image(&self, reference: &str, config: &Value) -> Result<(), ReferenceError> {
        let reference = Reference::parse(reference)?;
        self.pullers.lock().iter().for_each(|puller| puller.load(&reference, config));
        Ok(())
    }

    /// Makes the container runtime of every node answer an error when it is asked whether it has an image, as one does
    /// whose store is damaged; with `None` it is well again. Pods that want the image wait with `ImageInspectError`.
    ///
    /// # Errors
    /// [`ReferenceError`] for a reference that is none.
    pub fn damage_image(&self, reference: &str, error: Option<&str>) -> Result<(), ReferenceError> {
        self.machines.damage(reference, error)
    }

    /// Adds a node, empty of images.
    ///
    /// # Errors
    /// [`NodeError`] for a name that is taken, or that no node can have.
    pub fn add_node(&self, name: &str) -> Result<(), NodeError> {
        self.machines.add(name)
    }

    /// Takes a node away, with its machine: pods on it are removed a while later.
    ///
    /// # Errors
    /// [`NodeError`] when there is none.
    pub fn remove_node(&self, name: &str) -> Result<(), NodeError> {
        self.machines.remove(name)
    }

    /// Switches a node's machine off. The cluster notices after a while.
    ///
    /// # Errors
    /// [`NodeError`] when there is none, or it is off.
    pub fn stop_node(&self, name: &str) -> Result<(), NodeError> {
        self.machines.stop(name)
    }

    /// Switches a node's machine on again.
    ///
    /// # Errors
    /// [`NodeError`] when there is none, or it is on.
    pub fn start_node(&self, name: &str) -> Result<(), NodeError> {
        self.machines.start(name)
    }

    /// What the nodes can reach.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }
}
