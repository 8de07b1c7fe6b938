//! `cluster serve`: the embedded cluster alone, for trying clients and for judging the cluster itself. There are no
//! drills, and its nodes reach the registries that they are told.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use pulldrill_clock::{Clock, real};
use pulldrill_cluster::{Cluster, ClusterOptions, Parts, Principal, dialect::Dialect, store::Disk};
use pulldrill_lab::Folder;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Ground, reachable, up::stop_on_signals};
use crate::{
    args::ClusterServe,
    exit::{Exit, Failure, Outcome},
};

/// Where the API is served unless told otherwise.
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How long connections may take to end.
const LAST_ANSWERS: std::time::Duration = std::time::Duration::from_secs(3);

/// `lab.json` of a cluster alone.
#[derive(Serialize)]
struct Served {
    server: String,
}

pub(super) async fn serve(ground: &Ground<'_>, args: &ClusterServe) -> Outcome {
    let dialect = Dialect::named(&args.dialect).ok_or_else(|| {
        let known = Dialect::names().join(", ");
        Failure::usage(format!("there is no dialect {:?}; the dialects are: {known}", args.dialect))
    })?;
    let (network, registry_authorities) = reachable::network(&args.reach)?;
    let kind = reachable::nodes(&args.reach)?;
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let address = args.listen.unwrap_or(ANY_PORT);
    let listener = TcpListener::bind(address).map_err(|error| {
        Failure::infrastructure(format!("cannot listen on {address}: {error}"))
            .help("choose another address with --listen, or leave it out")
    })?;
    let folder = Folder::take(&ground.common.dir)?;
    let data = match &args.data {
        Some(path) => Some(Disk::open(path).map_err(|error| Failure::infrastructure(error.to_string()))?),
        None => None,
    };
    let nodes = if args.bare { 0 } else { args.nodes };
    let options = ClusterOptions {
        seed: args.seed,
        nodes: (1..=nodes).map(|number| format!("node-{number}")).collect(),
        quota: args.quota,
        data,
        network,
        registry_authorities,
        webhooks: true,
        authorization: args.authorization_mode,
        ..ClusterOptions::new(listener, Clock::live(), dialect, stop.clone())
    };
    let parts = if args.bare { Parts::Bare } else { Parts::All };
    let failed = |error: pulldrill_cluster::ClusterError| Failure::infrastructure(error.to_string());
    let cluster = Cluster::start_as(options, parts, kind).await.map_err(failed)?;
    if let Some(token) = &args.admin_token {
        cluster.accept_admin_token(token);
    }
    folder.write_private("kubeconfig", &cluster.kubeconfig(Principal::Admin))?;
    let served = Served { server: cluster.url().to_owned() };
    folder.write_info(&served)?;
    let kubeconfig = folder.path().join("kubeconfig");
    ground.out.data(&served, |served| {
        format!("cluster: API at {}, kubeconfig {}", served.server, kubeconfig.display())
    });
    stop.cancelled().await;
    let _late_answers_are_cut_off = real::timeout(LAST_ANSWERS, cluster.ended()).await;
    folder.release()?;
    ground.folder.clear()?;
    Ok(Exit::Yes)
}
