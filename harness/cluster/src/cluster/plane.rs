//! A control plane with its nodes: API, controllers, scheduler and kubelets over one store. The process has one of its
//! own, and one for each virtual cluster; what they share is a [`Site`].

use std::sync::Arc;

use pulldrill_clock::Clock;
use pulldrill_tls::{Authority, Clients, Signer};
use serde_json::Value;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{ClusterError, Parts, first::first_objects, machines::Machines};
use crate::{
    api::{Access, Api, ApiOptions, AuthorizationMode, LogLine, LogPart, LogSource, SigningAuthority, http},
    controllers,
    dialect::Dialect,
    engine::Engine,
    kubelet::{Fleet, KubeletOptions, Logs, NodeOptions, Pullers},
    managed::Known,
    network::Network,
    release::Release,
    runtime::Runtime,
    store::{Disk, Space, Store},
};

/// What all control planes of a process have in common.
pub(super) struct Site {
    pub(super) clock: Clock,
    pub(super) seed: u64,
    pub(super) dialect: Arc<Dialect>,
    pub(super) parts: Parts,
    pub(super) nodes: Vec<String>,
    /// What kind of nodes they are.
    pub(super) node_options: NodeOptions,
    pub(super) registry_authorities: Vec<String>,
    /// What they reach.
    pub(super) network: Network,
    pub(super) most_pods: Option<usize>,
    pub(super) webhooks: bool,
    pub(super) authorization: AuthorizationMode,
    /// The room for objects.
    pub(super) space: Space,
    pub(super) authority: Arc<Authority>,
    pub(super) clients: Clients,
    /// `host:port` of the API server.
    pub(super) address: Arc<str>,
    pub(super) version: Arc<Value>,
    pub(super) disk: Option<Disk>,
    /// Most of what a cluster begins with is like that of others.
    pub(super) known: Arc<Known>,
}

impl Site {
    /// The release that the clusters say they are.
    pub(super) fn release(&self) -> Release {
        Release::of(&self.dialect.server)
    }
}

/// What is one control plane's own.
pub(super) struct Plan<'a> {
    /// The name of a virtual cluster; the process's own has none.
    pub(super) name: &'a str,
    pub(super) store: Store,
    /// Whether the store may lack first objects.
    pub(super) begins: bool,
    /// The key of its tokens; a new one when there is none.
    pub(super) signer: Option<Signer>,
    /// Who signs its users' certificates.
    pub(super) signing: SigningAuthority,
    pub(super) stop: CancellationToken,
}

/// One control plane that runs.
pub(super) struct ControlPlane {
    pub(super) api: Arc<Api>,
    pub(super) access: Arc<Access>,
    pub(super) pullers: Pullers,
    pub(super) machines: Machines,
    pub(super) tasks: TaskTracker,
    /// Its side of the API server.
    pub(super) server: http::Server,
}

/// What the kubelets' containers wrote, at the times that clients are shown.
struct ShownLogs {
    written: Arc<Logs>,
    clock: Clock,
}

impl LogSource for ShownLogs {
    fn lines(&self, pod_uid: &str, container: &str, previous: bool, from: usize) -> Option<LogPart> {
        let part = self.written.since(pod_uid, container, previous, from)?;
        let shown = part.lines.into_iter().map(|l| LogLine { at: self.clock.shown(l.at), text: l.text });
        Some(LogPart { run: part.run, next: part.next, lines: shown.collect() })
    }
}

impl ControlPlane {
    /// Starts everything but the server's listener.
    pub(super) fn start(site: &Site, plan: Plan<'_>) -> Result<Self, ClusterError> {
        let Plan { name, store, begins, signer, signing, stop } = plan;
        let store = Arc::new(store);
        let Site { clock, dialect, parts: chosen, .. } = site;
        // Names that were drawn in a former life are not drawn again.
        let seed =
            site.seed ^ store.revision().saturating_sub(1).rotate_left(32) ^ u64::from(name_number(name));
        let release = site.release();
        let api_options = ApiOptions {
            admission: true,
            most_pods: site.most_pods,
            service_accounts: *chosen == Parts::All,
            seed,
            release,
            guarded: *chosen == Parts::All,
            webhooks: site.webhooks,
            authorization: site.authorization,
        };
        let api = Api::with_options(store.clone(), clock.clone(), api_options);
        let api = Arc::new(api.sharing(site.known.clone()));
        if let Some(signer) = signer {
            api.issuer().sign_with(signer);
        }
        if begins {
            first_objects(&api, site.authority.pem(), release)?;
        }
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
            network: site.network.clone(),
            authorities: site.registry_authorities.clone(),
            nodes: site.node_options.clone(),
            logs: written.clone(),
            runtime: runtime.clone(),
            pullers: pullers.clone(),
        };
        let mut parts = controllers::all(&api, dialect);
        parts.extend(controllers::certificates(&api, dialect, &signing));
        let fleet = match chosen {
            Parts::Bare => None,
            Parts::All => Some(Arc::new(Fleet::new(kubelets)?)),
        };
        if let Some(fleet) = &fleet {
            parts.push(controllers::scheduler(&api, dialect, seed));
            let machines = fleet.clone();
            let alive = Arc::new(move |name: &str| machines.runs(name));
            parts.push(controllers::node_lifecycle(&api, dialect, alive));
            for name in &site.nodes {
                parts.push(fleet.add(name, false)?);
            }
        }
        let engine = Engine::new(store, clock, parts, stop.clone());
        let machines =
            Machines { fleet, door: engine.door(), pullers: pullers.clone(), network: site.network.clone() };
        let tasks = TaskTracker::new();
        tasks.spawn(engine.run());
        tasks.close();

        let access = Arc::new(Access::new(api.clone()));
        let server = http::Server {
            api: api.clone(),
            access: access.clone(),
            clients: site.clients.clone(),
            signing,
            version: site.version.clone(),
            address: site.address.clone(),
            logs: Arc::new(ShownLogs { written, clock: clock.clone() }),
            containers: runtime,
            requests: Arc::default(),
            sessions: TaskTracker::new(),
            machines: Arc::new(machines.clone()),
            virtual_clusters: None,
            stop,
        };
        Ok(Self { api, access, pullers, machines, tasks, server })
    }
}

/// A number that differs between clusters, so that their nodes do not draw the same.
fn name_number(name: &str) -> u32 {
    name.bytes().fold(0, |number, byte| number.rotate_left(5) ^ u32::from(byte))
}
