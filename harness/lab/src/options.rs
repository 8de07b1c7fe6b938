//! How a lab is to be started.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use pulldrill_clock::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

/// Where the cluster lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BackendKind {
    /// In this process.
    #[default]
    Embedded,
    /// A cluster of the lab's own, made with `kind`.
    Kind(KindOptions),
    /// Somebody's cluster, in which the lab is a guest.
    Existing(ExistingOptions),
}

/// How a kind cluster is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindOptions {
    /// The name of the cluster, and of everything that the lab makes for it.
    pub name: String,
    /// How many nodes, at least one: a control plane, and workers.
    pub nodes: u8,
    /// The image of the nodes; kind's own choice without one.
    pub node_image: Option<String>,
    /// The `kind` program; the one on PATH without one.
    pub kind_program: Option<PathBuf>,
    /// An image with the `pulldrill` command; made from `registry_program` without one.
    pub registry_image: Option<String>,
    /// The Linux `pulldrill` binary that serves the registries; this very program without one.
    pub registry_program: Option<PathBuf>,
}

impl Default for KindOptions {
    fn default() -> Self {
        Self {
            name: "pulldrill".into(),
            nodes: 1,
            node_image: None,
            kind_program: None,
            registry_image: None,
            registry_program: None,
        }
    }
}

/// How a lab lives on somebody's cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingOptions {
    /// The context of the kubeconfig that leads to it. It has to be named: the one that happens to be current may
    /// lead anywhere.
    pub context: Option<String>,
    /// The kubeconfig files, merged as kubectl does; without one, those of `KUBECONFIG`, or else the usual one.
    pub kubeconfig: Vec<PathBuf>,
    /// What the names of all namespaces and cluster-wide objects begin with. No two labs of a cluster share one.
    pub namespace_prefix: String,
    /// An image whose entry point is the `pulldrill` command, and which the cluster can pull or has.
    pub registry_image: Option<String>,
    /// How nodes reach the registries.
    pub registry_access: RegistryAccess,
    /// Whether the lab may change the nodes' firewalls, by privileged pods.
    pub allow_node_access: bool,
}

impl Default for ExistingOptions {
    fn default() -> Self {
        Self {
            context: None,
            kubeconfig: Vec::new(),
            namespace_prefix: "pulldrill".into(),
            registry_image: None,
            registry_access: RegistryAccess::default(),
            allow_node_access: false,
        }
    }
}

/// How the nodes of somebody's cluster reach a registry. Each registry has a port of its own; they follow each
/// other from `first` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryAccess {
    /// As `localhost:PORT`, by ports of a Service that every node opens.
    NodePort {
        /// The first port; looked for without one.
        first: Option<u16>,
    },
    /// As `localhost:PORT`, by ports that the registry's pod opens on its node; for clusters of one node.
    HostPort {
        /// The first port; looked for without one.
        first: Option<u16>,
    },
    /// At a name of the owner's, which leads from each of the ports to the same port of the Service.
    At {
        /// The name, or the address.
        host: String,
        /// The first port.
        first: u16,
    },
}

impl Default for RegistryAccess {
    fn default() -> Self {
        Self::NodePort { first: None }
    }
}

impl std::str::FromStr for RegistryAccess {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| {
            text.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("{text:?} is not a port"))
        };
        let (kind, rest) = match text.split_once(':') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (text, None),
        };
        match (kind, rest) {
            ("nodeport", first) => Ok(Self::NodePort { first: first.map(port).transpose()? }),
            ("hostport", first) => Ok(Self::HostPort { first: first.map(port).transpose()? }),
            ("http" | "https", Some(rest)) => {
                let usual = if kind == "http" { 80 } else { 443 };
                let authority = rest.trim_start_matches('/').trim_end_matches('/');
                let (host, first) = match authority.rsplit_once(':') {
                    Some((host, first)) => (host, port(first)?),
                    None => (authority, usual),
                };
                let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
                if host.is_empty() || !host.chars().all(is_host) {
                    return Err(format!("{authority:?} is not a host with a port"));
                }
                Ok(Self::At { host: host.to_owned(), first })
            }
            _ => Err(format!("{text:?} is none of nodeport[:PORT], hostport[:PORT], http(s)://HOST:PORT")),
        }
    }
}

impl std::fmt::Display for RegistryAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = |kind: &str, first: &Option<u16>, f: &mut std::fmt::Formatter<'_>| match first {
            Some(first) => write!(f, "{kind}:{first}"),
            None => f.write_str(kind),
        };
        match self {
            Self::NodePort { first } => kind("nodeport", first, f),
            Self::HostPort { first } => kind("hostport", first, f),
            Self::At { host, first } => write!(f, "http://{host}:{first}"),
        }
    }
}

/// What is told of every step of a boot that takes long enough to be watched.
#[derive(Clone, Default)]
pub struct Steps(Option<Arc<Told>>);

/// Whoever is told.
type Told = dyn Fn(&str) + Send + Sync;

impl Steps {
    /// Tells `told` what is begun, in a few words.
    pub fn new(told: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    /// A step begins.
    pub(crate) fn begin(&self, what: &str) {
        if let Some(told) = &self.0 {
            told(what);
        }
    }
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Steps")
    }
}

/// How lab time goes once the drills are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockMode {
    /// With real time.
    #[default]
    Live,
    /// It stands until it is moved; the drills open at this time.
    Held(Timestamp),
}

/// How a lab is to be started.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// The lab's folder; without one nothing is written and the journal is kept in memory.
    pub dir: Option<PathBuf>,
    /// What the variants are drawn from.
    pub seed: u64,
    /// Ids of the scenarios to start; all when empty.
    pub scenarios: Vec<String>,
    /// A folder of scenarios in place of the built-in ones.
    pub scenario_dir: Option<PathBuf>,
    /// Where the cluster lives.
    pub backend: BackendKind,
    /// The kubelets' dialect.
    pub dialect: String,
    /// Whether to play what happened before the trainee came.
    pub history: bool,
    /// How lab time goes.
    pub clock: ClockMode,
    /// Names of the nodes.
    pub nodes: Vec<String>,
    /// The address that the API server and the registries listen on.
    pub listen: IpAddr,
    /// The URL of the page, which the caller serves; goes into `lab.json`.
    pub web: Option<String>,
    /// The `pulldrill` binary, put on the PATH by `env.sh`.
    pub program: Option<PathBuf>,
    /// The lab ends when this is cancelled.
    pub stop: CancellationToken,
    /// Told of every step of the boot.
    pub steps: Steps,
    /// How long, in lab time, a symptom may take to appear.
    pub symptom_budget: SignedDuration,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            dir: None,
            seed: 0,
            scenarios: Vec::new(),
            scenario_dir: None,
            backend: BackendKind::default(),
            dialect: "k8s-1.36-containerd-2.1".into(),
            history: true,
            clock: ClockMode::default(),
            nodes: vec!["node-1".into(), "node-2".into()],
            listen: IpAddr::from([127, 0, 0, 1]),
            web: None,
            program: None,
            stop: CancellationToken::new(),
            steps: Steps::default(),
            symptom_budget: SignedDuration::from_mins(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_to_the_registries_is_read_and_written() {
        for text in ["nodeport", "nodeport:30500", "hostport:5000", "http://lab.example:5000"] {
            assert_eq!(text.parse::<RegistryAccess>().unwrap().to_string(), text);
        }
        let at: RegistryAccess = "https://lab.example/".parse().unwrap();
        assert_eq!(at, RegistryAccess::At { host: "lab.example".into(), first: 443 });
        for text in ["", "ingress", "nodeport:", "nodeport:x", "hostport:0", "http://", "http://a b:80"] {
            assert!(text.parse::<RegistryAccess>().is_err(), "{text:?}");
        }
    }
}
