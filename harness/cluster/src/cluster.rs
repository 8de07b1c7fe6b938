//! One whole cluster: API server, controllers, scheduler, and a kubelet per node, from one call.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pulldrill_clock::Clock;
use pulldrill_tls::{Authority, Clients, Identity, TlsError};
use serde_json::{Value, json};
use thiserror::Error;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::{self, Access, Api, ApiOptions, LogLine, LogSource, User, WriteOptions, http},
    controllers,
    dialect::Dialect,
    engine::Engine,
    kubelet::{self, KubeletOptions, Logs, Pullers},
    network::Network,
    puller::{Reference, ReferenceError},
    release::Release,
    runtime::Runtime,
    store::Store,
};

/// How many events the store keeps for watches.
const WINDOW: usize = 20_000;

/// How many pulls a node makes at a time. A kubelet's default is one, but here what happens to one
/// namespace must never change what another one sees.
const PARALLEL_PULLS: usize = 16;

/// The address of the `kubernetes` Service.
const SERVICE_ADDRESS: &str = "10.96.0.1";

/// The namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

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
    /// A certificate can't be made.
    #[error(transparent)]
    Certificate(#[from] TlsError),
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
    authority: Authority,
    admin: Identity,
    trainee: Identity,
    api: Arc<Api>,
    access: Arc<Access>,
    network: Network,
    pullers: Pullers,
    tasks: TaskTracker,
}

/// What the kubelets' containers wrote, at the times that clients are shown.
struct ShownLogs {
    written: Arc<Logs>,
    clock: Clock,
}

impl LogSource for ShownLogs {
    fn lines(
        &self,
        pod_uid: &str,
        container: &str,
        previous: bool,
        from: usize,
    ) -> Option<(usize, Vec<LogLine>)> {
        let (next, lines) = self.written.since(pod_uid, container, previous, from)?;
        let shown = lines.into_iter().map(|l| LogLine { at: self.clock.shown(l.at), text: l.text });
        Some((next, shown.collect()))
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
        let ClusterOptions { listener, clock, seed, dialect, nodes, network, registry_authorities, stop } =
            options;
        pulldrill_tls::install_provider();
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let authority = Authority::new("kubernetes")?;
        let clients = Clients::of(&authority)?;
        let tls = server_identity(&authority, address.ip())?.server_config(Some(&clients))?;
        let client = |principal: Principal| {
            let (name, group) = principal.user();
            authority.client(name, &[group])
        };
        let (admin, trainee) = (client(Principal::Admin)?, client(Principal::Trainee)?);

        let store = Arc::new(Store::new(WINDOW));
        let minor = dialect.server["minor"].as_str().and_then(|m| m.parse::<u32>().ok()).unwrap_or(0);
        let api_options = ApiOptions {
            admission: true,
            service_accounts: chosen == Parts::All,
            seed,
            release: Release::of(&dialect.server),
            guarded: chosen == Parts::All,
        };
        let api = Arc::new(Api::with_options(store.clone(), clock.clone(), api_options));
        first_objects(&api, authority.pem(), minor)?;
        // Weakly: the store's subscribers own the clock.
        let shifted = Arc::downgrade(&store);
        clock.on_advance(move |by| {
            if let Some(store) = shifted.upgrade() {
                store.shift_times(by);
            }
        });

        let written = Arc::new(Logs::default());
        let runtime = Arc::new(Runtime::new(clock.clone()));
        let pullers = Pullers::default();
        let kubelets = KubeletOptions {
            api: api.clone(),
            clock: clock.clone(),
            seed,
            dialect: dialect.clone(),
            network: network.clone(),
            authorities: registry_authorities,
            // One stuck pull must not delay those of others: see [`PARALLEL_PULLS`].
            parallel_pulls: PARALLEL_PULLS,
            logs: written.clone(),
            runtime: runtime.clone(),
            pullers: pullers.clone(),
        };
        let mut parts = controllers::all(&api, &dialect);
        if chosen == Parts::All {
            parts.push(controllers::scheduler(&api, &dialect, seed));
            parts.extend(kubelet::kubelets(&kubelets, &nodes)?);
        }
        let engine = Engine::new(store, &clock, parts, stop.clone());
        let tasks = TaskTracker::new();
        tasks.spawn(engine.run());

        let access = Arc::new(Access::new(api.clone()));
        let server = http::Server {
            api: api.clone(),
            access: access.clone(),
            clients,
            version: Arc::new(dialect.server.clone()),
            address: address.to_string().into(),
            logs: Arc::new(ShownLogs { written, clock }),
            containers: runtime,
            sessions: TaskTracker::new(),
            stop,
        };
        tasks.spawn(http::serve(listener, tls, server));
        tasks.close();
        let url = format!("https://{address}");
        Ok(Self { url, authority, admin, trainee, api, access, network, pullers, tasks })
    }

    /// Waits for the end of everything that [`Cluster::start`] has started, after it was stopped.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }

    /// Where the API server listens: `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The authority that the API server's certificate comes from, PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.authority.pem()
    }

    /// A kubeconfig with everything in it.
    #[must_use]
    pub fn kubeconfig(&self, principal: Principal) -> String {
        let (user, identity) = match principal {
            Principal::Admin => (Principal::Admin.user().0, &self.admin),
            Principal::Trainee => (Principal::Trainee.user().0, &self.trainee),
        };
        let encode = |text: &str| STANDARD.encode(text);
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: pulldrill\nclusters:\n- name: pulldrill\n  cluster:\n    \
             server: {}\n    certificate-authority-data: {}\nusers:\n- name: {user}\n  user:\n    \
             client-certificate-data: {}\n    client-key-data: {}\ncontexts:\n- name: pulldrill\n  context:\n    \
             cluster: pulldrill\n    user: {user}\n",
            self.url,
            encode(self.authority.pem()),
            encode(&identity.certificate),
            encode(&identity.key),
        )
    }

    /// The objects.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        self.api.store()
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

    /// Takes a bearer token with which anybody is the user `admin`, who may do everything.
    pub fn accept_admin_token(&self, token: &str) {
        self.access.accept(token, User::named("admin", &["system:masters"]));
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

    /// What the nodes can reach.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }
}

fn server_identity(authority: &Authority, address: IpAddr) -> Result<Identity, TlsError> {
    // The first is the common name: were it the authority's own, OpenSSL would take the certificate for a
    // self-signed one.
    let names = ["kube-apiserver", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
    let names: Vec<String> = names.map(str::to_owned).to_vec();
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    addresses.extend(SERVICE_ADDRESS.parse::<IpAddr>());
    if !addresses.contains(&address) && !address.is_unspecified() {
        addresses.push(address);
    }
    authority.server(&names, &addresses)
}

/// What is there before anybody comes.
fn first_objects(api: &Api, authority: &str, minor: u32) -> Result<(), ClusterError> {
    let who = User::controller("apiserver");
    let create = |resource: &str, namespace: &str, object: Value| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        api.create(&who, resource, namespace, object, &WriteOptions::default())
            .map(drop)
            .map_err(|status| ClusterError::FirstObjects { object: name, reason: status.message })
    };
    for name in NAMESPACES {
        create("namespaces", "", json!({"metadata": {"name": name}}))?;
    }
    for (resource, object) in api::first_objects(minor) {
        create(resource, "", object)?;
    }
    // The controller that publishes it in every namespace takes it from here.
    create(
        "configmaps",
        "kube-system",
        json!({"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": authority}}),
    )?;
    create(
        "services",
        "default",
        json!({"metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {"clusterIP": SERVICE_ADDRESS, "clusterIPs": [SERVICE_ADDRESS],
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]}}),
    )
}
