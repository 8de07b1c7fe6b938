//! Words of the commands about the lab's parts: nodes, registries, images, the clock.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, Subcommand};
use jiff::SignedDuration;

use super::Fault;
use crate::parse;

/// Commands about nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    /// The rules for what leaves a node
    #[command(subcommand)]
    Egress(Egress),
    /// What runs in the lab's pod on a node of an existing cluster, until it is told to end: then it cleans the node
    #[command(hide = true)]
    Agent {
        /// The lab's prefix
        #[arg(long, value_name = "PREFIX")]
        lab: String,
    },
    /// In such a pod: take away what a lab has changed on the node
    #[command(hide = true)]
    Clean {
        /// The lab's prefix
        #[arg(long, value_name = "PREFIX")]
        lab: String,
    },
    /// In such a pod: run a command on the node
    #[command(hide = true)]
    Enter {
        /// The command with its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
}

/// Commands about egress rules.
#[derive(Debug, Subcommand)]
pub(crate) enum Egress {
    /// List the rules, in the order in which they are tried
    List {
        /// Only of this node
        #[arg(long)]
        node: Option<String>,
    },
    /// Put an allowing rule before all others
    Allow {
        /// An address, a range or the name of a registry
        destination: String,
        /// Only on this node [default: all nodes]
        #[arg(long)]
        node: Option<String>,
        /// Only to this port
        #[arg(long)]
        port: Option<u16>,
        /// Why
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Remove a rule
    Delete {
        /// The rule's id
        rule: String,
        /// Only on this node [default: wherever it is]
        #[arg(long)]
        node: Option<String>,
    },
}

/// Commands about registries.
#[derive(Debug, Subcommand)]
pub(crate) enum Registry {
    /// Make the image that serves registries on an existing cluster, for `up --registry-image`
    Image {
        /// The name in the Docker engine of this machine, from where you push it to wherever the cluster pulls
        name: String,
        /// The Linux binary that it is made from [default: this program]
        #[arg(long, value_name = "PATH")]
        binary: Option<PathBuf>,
    },
    /// What the registries saw
    Log(Box<RegistryLog>),
    /// Let registries misbehave on purpose
    #[command(subcommand)]
    Fault(Fault),
    /// Serve registries alone: those that are asked for, and more through the admin API
    Serve(Box<RegistryServe>),
}

/// Options of `registry log`.
#[derive(Debug, ClapArgs)]
pub(crate) struct RegistryLog {
    /// Only requests after this number
    #[arg(long, default_value_t = 0, value_name = "SEQ")]
    pub(crate) since: u64,
    /// Only the registries of this drill
    #[arg(long)]
    pub(crate) drill: Option<String>,
    /// Only this registry
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Only this repository
    #[arg(long)]
    pub(crate) repository: Option<String>,
    /// Only this node
    #[arg(long)]
    pub(crate) node: Option<String>,
    /// Only the latest so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Go on with what they see from now on, line by line
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// A JSON object for each request, on a line of its own
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `registry serve`.
#[derive(Debug, ClapArgs)]
pub(crate) struct RegistryServe {
    /// A registry that answers like this one; at a name that clients know it by [repeat it for more]
    ///
    /// What clients need is written to the lab's folder: lab.json, ca.pem, auth.json, env.sh.
    #[arg(long, value_name = "NAME[=HOST]", value_parser = parse::personality)]
    pub(crate) personality: Vec<(String, Option<String>)>,
    /// Where the first of them listens, the next ones at the ports that follow [default: free ports of 127.0.0.1]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = parse::api_listen, requires = "personality")]
    pub(crate) listen: Option<SocketAddr>,
    /// Serve all of them at this address as well, told apart by the name that clients ask for (SNI, or else Host)
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = parse::api_listen, requires = "personality")]
    pub(crate) all_at: Option<SocketAddr>,
    /// The folder that keeps what is pushed, as OCI image layouts [default: memory]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The limits of Docker Hub: today's, or those of another time or of another account [default: docker-hub]
    #[arg(long, value_name = "PROFILE", value_parser = parse::hub_limits(), requires = "personality")]
    pub(crate) limits: Option<String>,
    /// Stand in front of this registry: it has the content, what is asked for and pushed is passed on
    #[arg(long, value_name = "URL", requires = "personality")]
    pub(crate) upstream: Option<String>,
    /// A file with the USER:PASSWORD that the upstream registry knows [default: anonymous]
    #[arg(long, value_name = "FILE", requires = "upstream")]
    pub(crate) upstream_login: Option<PathBuf>,
    /// The authority of the upstream registry's certificate, PEM [default: those of this machine]
    #[arg(long, value_name = "FILE", requires = "upstream")]
    pub(crate) upstream_ca: Option<PathBuf>,
    /// Who can log in, with the password in PULLDRILL_REGISTRY_PASSWORD or else one that is made
    #[arg(long, value_name = "NAME", default_value = "pulldrill", requires = "personality")]
    pub(crate) username: String,
    /// Where the admin API listens; its token is in PULLDRILL_ADMIN_TOKEN [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDR:PORT", required_unless_present = "personality")]
    pub(crate) admin: Option<SocketAddr>,
    /// The interface on which registries get addresses of their own (Linux, needs NET_ADMIN)
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// Where the registries' names are resolved, and no others (UDP and TCP)
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) dns: Option<SocketAddr>,
    /// What chance in faults is drawn from
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
}

/// Commands about images.
#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Copy an image from registry to registry
    Copy {
        /// HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST
        source: String,
        /// HOST/REPOSITORY:TAG
        destination: String,
        /// As whom it is pushed
        #[arg(long)]
        username: Option<String>,
        /// With which password
        #[arg(long, requires = "username")]
        password: Option<String>,
    },
}

/// Commands about the ECR-like registry.
#[derive(Debug, Subcommand)]
pub(crate) enum Ecr {
    /// Print a fresh password for the user `AWS`
    GetLoginPassword {
        /// The registry, when there are several
        #[arg(long)]
        host: Option<String>,
        /// The registry of this region
        #[arg(long, conflicts_with = "host")]
        region: Option<String>,
    },
}

/// Commands about the clock.
#[derive(Debug, Subcommand)]
pub(crate) enum ClockAction {
    /// Make the world older
    Advance {
        /// By how much: 30s, 5m, 12h
        #[arg(value_parser = parse::span)]
        by: SignedDuration,
    },
}
