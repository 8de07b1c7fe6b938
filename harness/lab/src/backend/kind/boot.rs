//! Making a kind cluster with its registry, step by step. Each step can fail or be stopped; whatever was made by
//! then is for the sweep, which goes by labels and not by what this has come to.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use futures::{FutureExt, future::try_join};
use k8s_openapi::api::core::v1::{Node as NodeObject, Pod};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams},
    config::Kubeconfig,
};
use pulldrill_clock::{Clock, real, secret};
use tokio_util::sync::CancellationToken;

use super::{
    backend::KindCluster,
    cluster::{self, ClusterSpec},
    container,
    engine::Engine,
    folder::{KindFolder, Record},
    image, membership,
    network::KindNodes,
    owner::Owner,
};
use crate::{
    KindOptions, LabError, LabOptions,
    backend::{
        Booted,
        mirror::{CLUSTER_WIDE, Mirror, NAMESPACED, Scope},
        trainee::{self, Server},
    },
};

/// How long the control plane may take to be ready.
const READY: Duration = Duration::from_secs(300);

/// How often it is asked whether all nodes are.
const LOOK: Duration = Duration::from_millis(500);

/// The label of the cluster's own name servers, which have to learn the nodes' new resolver.
const NAME_SERVERS: &str = "k8s-app=kube-dns";

/// Makes the cluster and its registry.
pub(in crate::backend) async fn boot(
    options: &LabOptions,
    kind: &KindOptions,
    dir: &Path,
    stop: &CancellationToken,
) -> Result<Booted, LabError> {
    let steps = &options.steps;
    let program = cluster::find_program(kind.kind_program.as_deref())?;
    let engine = Engine::connect().await?;
    let id: String = secret::token().chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let owner = Owner { id: id.to_lowercase(), name: kind.name.clone() };
    cluster::check_name(&engine, &owner).await?;
    let folder = KindFolder::make(dir)?;
    let mut record = Record { owner: owner.clone(), network: None };
    folder.write_record(&record)?;

    steps.begin("Making the lab's network");
    let network = engine.create_network(&owner).await?;
    record.network = Some(network.id.clone());
    folder.write_record(&record)?;

    steps.begin("Creating the cluster, and the registry beside it");
    let spec = ClusterSpec { nodes: kind.nodes.into(), image: kind.node_image.clone() };
    let made = async {
        cluster::create(&program, &engine, &owner, &spec, &folder, READY, stop).await?;
        steps.begin("The control plane runs");
        Ok::<_, LabError>(())
    };
    let registry = async {
        let image = match &kind.registry_image {
            Some(image) => image.clone(),
            None => image::build(&engine, &owner, kind.registry_program.as_deref()).await?,
        };
        let registry = container::start(&engine, &owner, &image, stop).await?;
        steps.begin("The registry answers");
        Ok(registry)
    };
    let ((), registry) = try_join(made, registry).await?;

    steps.begin("Connecting the nodes to the lab");
    let (client, server) = connect(&folder).await?;
    let objects = ready_nodes(&client, kind.nodes.into()).await?;
    let nodes = membership::nodes(&engine, &owner).await?;
    let control = registry.control.clone();
    let nodes = KindNodes::settle(&engine, nodes, &pod_networks(&objects), control, registry.address).await?;
    restart_name_servers(&client).await?;

    steps.begin("Letting the trainee in");
    let labels = BTreeMap::from([("pulldrill.dev/lab".to_owned(), owner.id.clone())]);
    let trainee = trainee::admit(&client, &server, &labels).await?;
    let mirror = Mirror::new(client.clone(), stop.clone());
    mirror.follow(&CLUSTER_WIDE, &Scope::default()).await?;
    mirror.follow(&NAMESPACED, &Scope::default()).await?;

    let clock = Clock::live();
    let backend = KindCluster {
        client,
        trainee,
        versions: versions(&objects),
        labels,
        mirror,
        nodes: nodes.clone(),
        clock: clock.clone(),
        dir: dir.to_owned(),
        stop: stop.clone(),
    };
    Ok(Booted {
        backend: Arc::new(backend),
        nodes: Arc::new(nodes),
        registry: Arc::new(registry.control),
        registry_ended: futures::future::ready(()).boxed(),
        clock,
    })
}

/// A client for the administrator, and what others need to know of the server.
async fn connect(folder: &KindFolder) -> Result<(Client, Server), LabError> {
    let path = folder.kubeconfig();
    let text = std::fs::read_to_string(&path).map_err(|source| LabError::File {
        action: "read",
        path: path.clone(),
        source,
    })?;
    let wrong = |error: &dyn std::fmt::Display| LabError::part("cluster", format!("its kubeconfig: {error}"));
    let config = Kubeconfig::from_yaml(&text).map_err(|error| wrong(&error))?;
    let named = config.clusters.first().and_then(|named| Some((named.name.clone(), named.cluster.clone()?)));
    let (name, cluster) = named.ok_or_else(|| wrong(&"there is no cluster in it"))?;
    let url = cluster.server.ok_or_else(|| wrong(&"there is no server in it"))?;
    let server = Server { url, authority: cluster.certificate_authority_data, name };
    Ok((crate::backend::client(&text).await?, server))
}

/// Waits until all nodes are ready.
async fn ready_nodes(client: &Client, wanted: usize) -> Result<Vec<NodeObject>, LabError> {
    let api: Api<NodeObject> = Api::all(client.clone());
    let waited = real::timeout(READY, async {
        loop {
            let nodes = api.list(&ListParams::default()).await.map_err(failed)?.items;
            if nodes.iter().filter(|node| is_ready(node)).count() >= wanted {
                return Ok(nodes);
            }
            real::sleep(LOOK).await;
        }
    });
    waited.await.unwrap_or_else(|| Err(failed(format!("{wanted} nodes were not ready within {READY:?}"))))
}

fn is_ready(node: &NodeObject) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The networks of each node's pods.
fn pod_networks(nodes: &[NodeObject]) -> BTreeMap<String, Vec<String>> {
    let networks = |node: &NodeObject| {
        let spec = node.spec.as_ref();
        let all = spec.and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
        all.into_iter().filter(|network| !network.contains(':')).collect()
    };
    nodes.iter().map(|node| (node.metadata.name.clone().unwrap_or_default(), networks(node))).collect()
}

/// What the nodes run, as `Kubernetes 1.20.2, containerd 1.7.24`.
fn versions(nodes: &[NodeObject]) -> String {
    let info = nodes.iter().find_map(|node| node.status.as_ref()?.node_info.as_ref());
    info.map_or_else(String::new, |info| {
        let runtime = info.container_runtime_version.replace("://", " ");
        format!("Kubernetes {}, {runtime}", info.kubelet_version.trim_start_matches('v'))
    })
}

/// Pods have the resolver that their node had when they were made.
async fn restart_name_servers(client: &Client) -> Result<(), LabError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), "kube-system");
    let all = ListParams::default().labels(NAME_SERVERS);
    api.delete_collection(&DeleteParams::default(), &all).await.map(drop).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> LabError {
    LabError::part("cluster", error)
}
