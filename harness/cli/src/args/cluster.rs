//! Words of the commands about the embedded cluster alone.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, Subcommand};
use pulldrill_cluster::api::AuthorizationMode;

use crate::parse;

/// Commands about the embedded cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum Cluster {
    /// Serve the embedded cluster alone, without drills, until Ctrl-C
    Serve(Box<ClusterServe>),
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
    /// Add, remove, stop and start the machines of a cluster that is served
    #[command(subcommand)]
    Node(Machine),
}

/// Commands about the machines of a cluster alone.
#[derive(Debug, Subcommand)]
pub(crate) enum Machine {
    /// List the machines, and which of them are on
    List(OfCluster),
    /// Add a machine; it registers itself as a node
    Add(OneMachine),
    /// Take a machine away with its node and all that it has stored
    Remove(OneMachine),
    /// Switch a machine off, as if its power had failed: its node becomes NotReady after a while
    Stop(OneMachine),
    /// Switch a machine on again
    Start(OneMachine),
    /// Make images go bad on the machines, and good again
    #[command(subcommand)]
    Image(MachineImage),
}

/// Commands about images on the machines of a cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum MachineImage {
    /// Damage an image in every machine's store: pods that want it wait with ImageInspectError
    Damage {
        /// Its name, as pods have it
        image: String,
        /// What the container runtime says of it [default: that its content is not found]
        #[arg(long, value_name = "TEXT")]
        error: Option<String>,
        #[command(flatten)]
        of: OfCluster,
    },
    /// Make a damaged image good again
    Repair {
        /// Its name, as pods have it
        image: String,
        #[command(flatten)]
        of: OfCluster,
    },
    /// Take only signed images from a registry, where the container runtime looks at signatures (CRI-O dialects): the
    /// registries here sign nothing, so pods wait with SignatureValidationFailed. In all clusters that are served
    DemandSignatures {
        /// The registry's name
        host: String,
    },
    /// Take images from a registry without signatures again
    TakeUnsigned {
        /// The registry's name
        host: String,
    },
}

/// A machine of a cluster.
#[derive(Debug, ClapArgs)]
pub(crate) struct OneMachine {
    /// Its name, which is its node's
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) of: OfCluster,
}

/// Which of the clusters that are served.
#[derive(Debug, ClapArgs)]
pub(crate) struct OfCluster {
    /// A virtual cluster [default: the one that serves them]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// Options of `cluster serve` that are about its nodes, and about those of its virtual clusters.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Nodes")]
pub(crate) struct ClusterNodes {
    /// Let the nodes pull from the registries that `pulldrill registry serve --dir DIR` serves, by their names [repeat it for more]
    #[arg(long, value_name = "DIR")]
    pub(crate) registries: Vec<PathBuf>,
    /// Let the nodes pull from the registry at this place, over HTTPS, by this name [repeat it for more]
    #[arg(long, value_name = "HOST=ADDRESS:PORT", value_parser = parse::place)]
    pub(crate) registry: Vec<(String, SocketAddr)>,
    /// An authority of registries' certificates, PEM, that the nodes trust [repeat it for more]
    #[arg(long, value_name = "FILE")]
    pub(crate) registry_ca: Vec<PathBuf>,
    /// An image that every node has from the beginning, as after `kind load docker-image` [repeat it for more]
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Vec<String>,
    /// How much room a node has for images; when it is used up, unused ones are removed as a kubelet does it
    #[arg(long, value_name = "SIZE", value_parser = parse::bytes)]
    pub(crate) image_disk: Option<u64>,
    /// Pull one image at a time, as kubelets do unless they are told otherwise
    #[arg(long)]
    pub(crate) serialize_image_pulls: bool,
    /// How many pulls a second a node begins; kubelets' own limit is 5 [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) registry_qps: Option<u16>,
    /// How many pulls a node may begin at once after a rest [default: 10]
    #[arg(long, value_name = "N", requires = "registry_qps", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) registry_burst: Option<u16>,
    /// The kubelets' configuration of credential providers (CredentialProviderConfig), whose programs are run here
    #[arg(long, value_name = "FILE", requires = "image_credential_provider_bin_dir")]
    pub(crate) image_credential_provider_config: Option<PathBuf>,
    /// The folder of these programs
    #[arg(long, value_name = "DIR", requires = "image_credential_provider_config")]
    pub(crate) image_credential_provider_bin_dir: Option<PathBuf>,
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
    /// Who decides about what users may: RBAC, or RBAC,AlwaysAllow, which allows what roles do not grant as well
    #[arg(long, value_name = "MODES", default_value = "RBAC", value_parser = parse::authorization_mode)]
    pub(crate) authorization_mode: AuthorizationMode,
    /// Keep everything in this folder, and go on from what is in it: objects, virtual clusters, and what makes
    /// kubeconfigs and tokens good
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// How much memory the objects may take, those of virtual clusters included: 512Mi, 2Gi. What is beyond it is refused
    /// with 500 and what etcd says when its quota is used up; the process takes about twice as much
    #[arg(long, value_name = "SIZE", default_value = "1Gi", value_parser = parse::quota)]
    pub(crate) quota: u64,
    /// What its nodes reach and have
    #[command(flatten)]
    pub(crate) reach: ClusterNodes,
    /// Wording and timing of which kubelet and runtime
    #[arg(long, value_name = "NAME", default_value_t = pulldrill_lab::LabOptions::default().dialect, value_parser = parse::dialect())]
    pub(crate) dialect: String,
    /// What names are drawn from
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
}
