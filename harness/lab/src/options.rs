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
