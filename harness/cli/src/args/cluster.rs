//! Words of the commands about the embedded cluster alone.

use std::net::SocketAddr;

use clap::{Args as ClapArgs, Subcommand};

use crate::parse;

/// Commands about the embedded cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum Cluster {
    /// Serve the embedded cluster alone, without drills, until Ctrl-C
    Serve(ClusterServe),
}

/// Options of `cluster serve`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ClusterServe {
    /// Where the API is served: ADDRESS:PORT, ADDRESS or PORT [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDR", value_parser = parse::api_listen)]
    pub(crate) listen: Option<SocketAddr>,
    /// Only the API server and the controllers, as Kubernetes' own test/cmd suite wants them: no scheduler, no
    /// nodes, no admission of service accounts. Pods stay Pending
    #[arg(long, conflicts_with = "nodes")]
    pub(crate) bare: bool,
    /// How many nodes; 0 leaves nodes to be created through the API
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=20))]
    pub(crate) nodes: u8,
    /// A bearer token with which anybody is the user `admin` of the group system:masters
    #[arg(long, value_name = "TOKEN", value_parser = parse::token)]
    pub(crate) admin_token: Option<String>,
    /// Wording and timing of which kubelet and runtime
    #[arg(long, value_name = "NAME", default_value_t = pulldrill_lab::LabOptions::default().dialect, value_parser = parse::dialect())]
    pub(crate) dialect: String,
    /// What names are drawn from
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
}
