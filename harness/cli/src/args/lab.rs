//! Words of the commands that make a whole lab: `up` and `selftest`. Not what they do.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, ValueEnum};
use pulldrill_lab::RegistryAccess;

use crate::parse;

/// Options of `up`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Up {
    /// Where the page is served: ADDRESS:PORT, ADDRESS or PORT [default: 127.0.0.1:7878, or a free port]
    #[arg(long, value_name = "ADDR", value_parser = parse::listen)]
    pub(crate) listen: Option<SocketAddr>,
    /// What names, versions and numbers are drawn from; the same seed makes the same lab
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Start only this scenario; may be given several times
    #[arg(long = "scenario", value_name = "ID")]
    pub(crate) scenarios: Vec<String>,
    /// A folder of scenarios in place of the built-in ones
    #[arg(long, value_name = "FOLDER")]
    pub(crate) scenario_dir: Option<PathBuf>,
    /// Where the cluster lives, and how it is made
    #[command(flatten)]
    pub(crate) place: Place,
    /// Wording and timing of which kubelet and runtime
    #[arg(long, value_name = "NAME", default_value_t = pulldrill_lab::LabOptions::default().dialect, value_parser = parse::dialect())]
    pub(crate) dialect: String,
    /// Start at zero instead of playing what happened before you came
    #[arg(long)]
    pub(crate) no_history: bool,
    /// Return when the lab is ready and leave it running
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print what would be made on an existing cluster, as YAML, and make nothing
    #[arg(long, conflicts_with = "detach")]
    pub(crate) dry_run: bool,
}

/// Where the cluster lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// In this process
    Embedded,
    /// Real Kubernetes in containers of a Docker engine, made with the `kind` program
    Kind,
    /// A cluster that is there already, of a context of the kubeconfig
    Existing,
}

/// Where the cluster lives, and how it is made.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Place {
    /// Where the cluster lives
    #[arg(long, default_value = "embedded")]
    pub(crate) backend: Backend,
    /// How many nodes [default: 2 embedded, 1 with kind]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) nodes: Option<u8>,
    /// The name of the kind cluster
    #[arg(long, value_name = "NAME", default_value = "pulldrill", value_parser = parse::cluster_name, help_heading = "With --backend kind")]
    pub(crate) name: String,
    /// The image of the nodes [default: the one that kind chooses]
    #[arg(long, value_name = "IMAGE", help_heading = "With --backend kind")]
    pub(crate) node_image: Option<String>,
    /// The `kind` program [default: the one on PATH]
    #[arg(long, value_name = "PATH", help_heading = "With --backend kind")]
    pub(crate) kind_binary: Option<PathBuf>,
    /// An image whose entry point is the `pulldrill` command [default with kind: made on the spot from the Linux binary]
    #[arg(long, value_name = "IMAGE", help_heading = "With --backend kind or existing")]
    pub(crate) registry_image: Option<String>,
    /// The Linux binary that the registry's image is made from [default: this program]
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with = "registry_image",
        help_heading = "With --backend kind"
    )]
    pub(crate) registry_binary: Option<PathBuf>,
    /// The context of the kubeconfig that leads to the cluster; it has to be named
    #[arg(long, value_name = "CONTEXT", help_heading = "With --backend existing")]
    pub(crate) context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE", help_heading = "With --backend existing")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// What the names of all namespaces and cluster-wide objects begin with
    #[arg(long, value_name = "PREFIX", default_value = "pulldrill", value_parser = parse::cluster_name, help_heading = "With --backend existing")]
    pub(crate) namespace_prefix: String,
    /// How nodes reach the registries: nodeport[:PORT], hostport[:PORT] or http://HOST:PORT
    #[arg(long, value_name = "WAY", default_value = "nodeport", help_heading = "With --backend existing")]
    pub(crate) registry_access: RegistryAccess,
    /// Let privileged pods lead the nodes to the lab's registries and close ways to them
    #[arg(long, help_heading = "With --backend existing")]
    pub(crate) allow_node_access: bool,
}

/// Options of `selftest`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Selftest {
    /// Only this scenario; may be given several times
    #[arg(long = "scenario", value_name = "ID")]
    pub(crate) scenarios: Vec<String>,
    /// The kubectl to use [default: the one on PATH]
    #[arg(long, value_name = "PATH")]
    pub(crate) kubectl: Option<PathBuf>,
    /// Which seeds: 7 or 1..3, both ends included
    #[arg(long, value_name = "SEEDS", default_value = "1..3", value_parser = parse::seeds)]
    pub(crate) seeds: std::ops::RangeInclusive<u64>,
    /// Wording and timing of which kubelet and runtime
    #[arg(long, value_name = "NAME", value_parser = parse::dialect())]
    pub(crate) dialect: Option<String>,
    /// A folder of scenarios in place of the built-in ones
    #[arg(long, value_name = "FOLDER")]
    pub(crate) scenario_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only so many remedies and cheats of each scenario
    #[arg(long, value_name = "N")]
    pub(crate) sample: Option<usize>,
}
