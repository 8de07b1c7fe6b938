//! A lab that has moved into somebody's cluster, as the rest of the lab sees it: a registry behind a port-forward,
//! objects by watches, nodes that are not the lab's to change.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use pulldrill_clock::{Clock, mailbox};
use pulldrill_cluster::store::{Store, StoreChanged};
use pulldrill_registry::{
    Control,
    admin::{AdminClient, AdminClientOptions, KnownClients},
};
use pulldrill_scenarios::{Need, Placement};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    access::Access as NodeAccess,
    connect::Connection,
    forward, manifests,
    names::Names,
    nodes::OthersNodes,
    open,
    places::Places,
    plan::Plan,
    ports::Ports,
    probe::{self, BY_PORT, Found, Probe},
    state::State,
    survey::{self, NodeSeen},
    sweep, trainee,
};
use crate::{
    LabError, LabOptions, RegistryAccess,
    backend::{
        Access, Booted, Lifecycle, Missing, Namespaces, NodeImages, Observe, Time,
        mirror::{CLUSTER_WIDE, Mirror, NAMESPACED, Scope},
    },
    folder::Folder,
    inject::Objects,
};

/// How long the registry may take to answer, once its pod runs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What has been made, and on what.
pub(super) struct Guest {
    pub(super) connection: Connection,
    pub(super) names: Names,
    pub(super) plan: Plan,
    pub(super) access: RegistryAccess,
    pub(super) ports: Ports,
    pub(super) nodes: Vec<NodeSeen>,
    pub(super) state: State,
}

/// Connects with what has been made.
pub(super) async fn boot(
    options: &LabOptions,
    guest: Guest,
    token: String,
    folder: Option<&Folder>,
    stop: &CancellationToken,
) -> Result<Booted, LabError> {
    let client = guest.connection.client.clone();
    let tasks = TaskTracker::new();
    options.steps.begin("Waiting for the registry");
    let pods: Api<Pod> = Api::namespaced(client.clone(), &guest.names.own_namespace());
    let selector = manifests::registry_selector(&guest.names);
    let pod = forward::running(&pods, &selector, |ready| ready.first().map(|pod| (*pod).clone())).await?;
    let address = forward::open(pods, pod.name_any(), manifests::ADMIN_PORT, stop.clone(), &tasks).await?;
    let admin = AdminClientOptions { address, token, patience: PATIENCE, stop: stop.clone() };
    let registry = AdminClient::connect(admin).await.map_err(|error| LabError::part("registry", error))?;

    options.steps.begin("Asking every node to pull from it");
    let nodes: Vec<String> = survey::used(&guest.nodes).map(|node| node.name.clone()).collect();
    let (host, port) = guest.ports.probe();
    let probe = Probe {
        client: &client,
        names: &guest.names,
        registry: &registry,
        plan: &guest.plan,
        way: BY_PORT,
        host: host.clone(),
        ports: (Some(port), None),
        nodes: nodes.clone(),
    };
    let failures = probe.look().await?;
    if !failures.is_empty() {
        return Err(LabError::Invalid(format!(
            "these nodes do not reach a registry at {host}:\n{}\nchoose another way with --registry-access nodeport, hostport or http://HOST:PORT",
            failures.join("\n")
        )));
    }
    let mut missing = Vec::new();
    let access = if guest.plan.has_agents() {
        options.steps.begin("Asking every node to pull by a name that it was taught");
        let opened = open::access(&probe, address_of(&pod)?).await;
        opened.map_err(|why| {
            options.steps.begin(&format!("The nodes' networks can't be used: {why}"));
            missing.extend(without_access(&why));
        })
    } else {
        Err(())
    };
    let access = access.ok().map(Arc::new);
    let by_name = probe::name(&guest.names);
    let Found { nodes: known, alike } = probe::found(&nodes, registry.pull_log(), &[&host, &by_name]);
    if let Some(alike) = alike {
        options.steps.begin(&format!("The nodes can't be told apart: {alike}"));
        missing
            .push(Missing { need: Need::NodeIdentity, why: format!("nodes can't be told apart: {alike}") });
    }
    let clients = KnownClients { nodes: known, ..KnownClients::default() };
    registry.set_clients(&clients).await.map_err(|error| LabError::part("registry", error))?;

    let mirror = Mirror::new(client.clone(), stop.clone());
    let labelled = Scope { labels: Some(guest.names.selector()), ..Scope::default() };
    mirror.follow(&CLUSTER_WIDE[..1], &labelled).await?;
    mirror.follow(&CLUSTER_WIDE[1..], &Scope::default()).await?;
    let trainee = trainee::kubeconfig(&client, &guest.names, &guest.connection.cluster).await?;
    let clock = Clock::live();
    let way = guest.access.clone();
    let places = Arc::new(Places::new(client, guest.names.clone(), way, guest.ports.clone()));
    let others = OthersNodes { names: nodes, places: places.clone(), access: access.clone() };
    let existing = Existing {
        mirror,
        places,
        access,
        trainee,
        clock: clock.clone(),
        dialect: survey::dialect(&guest.nodes),
        missing,
        followed: tokio::sync::Mutex::default(),
        folder: folder.map(|folder| folder.path().to_owned()),
        stop: stop.clone(),
        tasks: tasks.clone(),
        guest,
    };
    let ended = async move {
        tasks.close();
        tasks.wait().await;
    };
    Ok(Booted {
        backend: Arc::new(existing),
        nodes: Arc::new(others),
        registry: Arc::new(registry) as Arc<dyn Control>,
        registry_ended: ended.boxed(),
        clock,
    })
}

/// The address of the registry's pod.
fn address_of(pod: &Pod) -> Result<Ipv4Addr, LabError> {
    let status = pod.status.as_ref();
    let all = status.into_iter().flat_map(|status| status.pod_ips.iter().flatten());
    let mut addresses = all.filter_map(|address| address.ip.parse().ok());
    addresses.next().ok_or_else(|| LabError::part("registry", "its pod has no IPv4 address"))
}

/// What is missing on a cluster whose nodes can't be changed as was hoped.
fn without_access(why: &str) -> [Missing; 2] {
    [Need::HostMapping, Need::NodeNetwork].map(|need| Missing { need, why: why.to_owned() })
}

/// The lab's side of somebody's cluster.
struct Existing {
    guest: Guest,
    mirror: Mirror,
    places: Arc<Places>,
    access: Option<Arc<NodeAccess>>,
    trainee: String,
    clock: Clock,
    dialect: (String, bool),
    missing: Vec<Missing>,
    /// The namespaces that are mirrored.
    followed: tokio::sync::Mutex<BTreeSet<String>>,
    folder: Option<PathBuf>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Access for Existing {
    fn client(&self) -> kube::Client {
        self.guest.connection.client.clone()
    }

    fn trainee_kubeconfig(&self) -> String {
        self.trainee.clone()
    }

    fn dialect(&self) -> (String, bool) {
        self.dialect.clone()
    }

    fn missing(&self) -> &[Missing] {
        &self.missing
    }
}

impl Observe for Existing {
    fn objects(&self) -> &Arc<Store> {
        self.mirror.objects()
    }

    fn changes(&self) -> mailbox::Receiver<StoreChanged> {
        let (sender, receiver) = mailbox::mailbox(&self.clock);
        self.mirror.objects().subscribe(sender);
        receiver
    }
}

#[async_trait]
impl Namespaces for Existing {
    async fn may_be_made(&self, namespace: &str) -> Result<(), LabError> {
        if self.guest.plan.namespaces().iter().any(|own| own == namespace) {
            return Ok(());
        }
        sweep::check_free(&self.client(), &self.guest.names, &[namespace.to_owned()]).await
    }

    async fn prepare(&self, namespace: &str) -> Result<(), LabError> {
        let objects = Objects::new(self.client());
        for object in manifests::drill_furniture(&self.guest.names, namespace) {
            match objects.create(&object).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(LabError::part("cluster", format!("{namespace}: {error}"))),
                Ok(_) => {}
            }
        }
        let mut followed = self.followed.lock().await;
        if followed.insert(namespace.to_owned()) {
            let scope = Scope { namespace: Some(namespace.to_owned()), ..Scope::default() };
            self.mirror.follow(&NAMESPACED, &scope).await?;
        }
        Ok(())
    }

    fn labels(&self) -> BTreeMap<String, String> {
        self.guest.names.drill_labels()
    }
}

#[async_trait]
impl NodeImages for Existing {
    async fn forget_images(&self, host: &str) -> Result<(), LabError> {
        match &self.access {
            Some(access) if self.places.port_of(host).is_none() => access.forget_images(host).await,
            // Nodes keep what they have; a drill that is started anew is elsewhere.
            _ => Ok(()),
        }
    }

    async fn elsewhere(&self, scenario: &str) -> Result<Option<Placement>, LabError> {
        self.places.change(scenario).await
    }
}

impl Time for Existing {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn can_advance(&self) -> bool {
        false
    }
}

impl Lifecycle for Existing {
    fn down(&self) -> BoxFuture<'_, Result<(), LabError>> {
        self.stop.cancel();
        Box::pin(async {
            self.mirror.ended().await;
            self.tasks.close();
            self.tasks.wait().await;
            sweep::sweep(&self.guest.connection.client, &self.guest.state).await?;
            self.folder.as_deref().map_or(Ok(()), State::forget)
        })
    }
}
