//! Words of the commands about the embedded cluster alone.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, Subcommand};

use crate::parse;

/// Commands about the embedded cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum Cluster {
    /// Serve the embedded cluster alone, without drills, until Ctrl-C
    Serve(ClusterServe),
    /// Make a virtual cluster in a cluster that is served: complete, with objects, roles and credentials of its own
    Create {
        /// Its name: up to 63 of a-z, 0-9 and -
        name: String,
        /// Where its kubeconfig is written [default: clusters/NAME.kubeconfig in the folder]
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
    },
    /// Remove a virtual cluster with everything in it
    Delete {
        /// Its name
        name: String,
    },
    /// List the virtual clusters
    List,
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
    /// Keep everything in this folder, and go on from what is in it: objects, virtual clusters, and what makes
    /// kubeconfigs and tokens good
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// How much memory the objects may take, those of virtual clusters included: 512Mi, 2Gi. What is beyond it is refused
    /// with 500 and what etcd says when its quota is used up; the process takes about twice as much
    #[arg(long, value_name = "SIZE", default_value = "1Gi", value_parser = parse::quota)]
    pub(crate) quota: u64,
    /// Wording and timing of which kubelet and runtime
    #[arg(long, value_name = "NAME", default_value_t = pulldrill_lab::LabOptions::default().dialect, value_parser = parse::dialect())]
    pub(crate) dialect: String,
    /// What names are drawn from
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
}
