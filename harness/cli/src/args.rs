//! The command line, as types.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{
    Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum,
    builder::styling::{AnsiColor, Styles},
    error::ErrorKind,
};
use jiff::SignedDuration;
use pulldrill_lab::RegistryAccess;

use crate::parse;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXITS: &str =
    "Exit codes: 0 yes or solved, 1 no or not solved, 2 wrong use, 3 the lab or the machine failed.";

/// A flight simulator for Kubernetes image-pull failures.
#[derive(Debug, Parser)]
#[command(name = "pulldrill", version, styles = STYLES, after_help = EXITS, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// The arguments of this process; ends it when they make no sense.
    pub(crate) fn of_this_process() -> Self {
        Self::checked(Self::parse()).unwrap_or_else(|error| error.exit())
    }

    /// What `-o` means depends on the command: `record` writes a folder, all others print.
    fn checked(self) -> Result<Self, clap::Error> {
        let output = self.common.output.as_deref();
        let refuse = |kind, message: String| Err(Self::command().error(kind, message));
        match (&self.command, output) {
            (Command::Record(_), None) => {
                refuse(ErrorKind::MissingRequiredArgument, "record needs -o DIR, the folder to write".into())
            }
            (Command::Record(_), Some(_)) => Ok(self),
            (_, Some(format)) if Format::named(format).is_none() => {
                let message = format!("{} is no format; the formats are text and json", format.display());
                refuse(ErrorKind::InvalidValue, message)
            }
            _ => Ok(self),
        }
    }
}

/// What every command takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct Common {
    /// The lab's folder
    #[arg(long, global = true, env = "PULLDRILL_DIR", default_value = ".pulldrill", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// How data is printed: text or json; for `record`, the folder to write
    #[arg(short, long, global = true, value_name = "FORMAT")]
    pub(crate) output: Option<PathBuf>,
    /// Show what the instructor knows; reads the token from the lab's folder
    #[arg(long, global = true)]
    pub(crate) as_instructor: bool,
}

impl Common {
    /// How data is printed.
    pub(crate) fn format(&self) -> Format {
        self.output.as_deref().and_then(Format::named).unwrap_or(Format::Text)
    }
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

impl Format {
    fn named(name: &Path) -> Option<Self> {
        match name.to_str()? {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Boot a lab: cluster, registries, drills and page
    Up(Box<Up>),
    /// Look whether this machine has what a lab needs
    Doctor,
    /// List the scenarios
    Scenarios {
        /// Say which of them can run there, and why others can't
        #[arg(long)]
        backend: Option<Backend>,
    },
    /// Start one more drill
    Start {
        /// A scenario, see `pulldrill scenarios`
        scenario: String,
    },
    /// Show the drills
    Status,
    /// Say whether a drill is solved and what is missing; all drills when none is named
    Check {
        /// A drill, see `pulldrill status`
        drill: Option<String>,
    },
    /// Wait until a drill fails as it should, or is solved; all drills when none is named
    Wait(Wait),
    /// Get the next hint; it costs points if the drill is solved
    Hint {
        /// A drill, see `pulldrill status`
        drill: String,
    },
    /// Name the cause
    Diagnose {
        /// A drill, see `pulldrill status`
        drill: String,
        /// One of the causes that `pulldrill status DRILL` lists
        cause: String,
    },
    /// Close a drill and see the answer
    GiveUp {
        /// A drill, see `pulldrill status`
        drill: String,
    },
    /// Read what there is to learn from a closed drill
    Debrief {
        /// A drill, see `pulldrill status`
        drill: String,
    },
    /// Start a drill anew
    Reset {
        /// A drill, see `pulldrill status`
        drill: String,
    },
    /// Show everything that happened to the drills, for the instructor
    Journal,
    /// Write what was seen of a drill to a new folder: pods, workloads and events over time
    Record(Record),
    /// Look at and change the nodes
    #[command(subcommand)]
    Node(Node),
    /// Look at the registries
    #[command(subcommand)]
    Registry(Registry),
    /// Move images between registries
    #[command(subcommand)]
    Image(Image),
    /// What the `aws ecr` commands do, for the lab's registry
    #[command(subcommand)]
    Ecr(Ecr),
    /// Show the lab clock, or make the world older
    Clock {
        #[command(subcommand)]
        action: Option<ClockAction>,
    },
    /// Stop the lab and remove what `up` made
    Down,
    /// Run every remedy and every cheat in a lab of its own
    Selftest(Box<Selftest>),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

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
    /// Let privileged pods change the nodes' firewalls
    #[arg(long, help_heading = "With --backend existing")]
    pub(crate) allow_node_access: bool,
}

/// Options of `record`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Record {
    /// A drill, see `pulldrill status`
    pub(crate) drill: String,
    /// The kubectl that describes the drill's objects [default: the one on PATH]
    #[arg(long, value_name = "PATH")]
    pub(crate) kubectl: Option<PathBuf>,
}

/// Options of `wait`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Wait {
    /// A drill, see `pulldrill status`
    pub(crate) drill: Option<String>,
    /// For what
    #[arg(long = "for", value_name = "WHAT", default_value = "solved")]
    pub(crate) until: Until,
    /// How long at most
    #[arg(long, value_name = "T", default_value = "10m", value_parser = parse::span)]
    pub(crate) timeout: SignedDuration,
}

/// What `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// The drill is open
    Symptom,
    /// The drill is solved
    Solved,
}

/// Commands about nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    /// The rules for what leaves a node
    #[command(subcommand)]
    Egress(Egress),
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
    /// Serve registries alone, controlled through an admin API whose token is in PULLDRILL_ADMIN_TOKEN
    Serve(RegistryServe),
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
}

/// Options of `registry serve`.
#[derive(Debug, ClapArgs)]
pub(crate) struct RegistryServe {
    /// Where the admin API listens
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) admin: SocketAddr,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn common_options_may_stand_before_and_after_the_command() {
        let before = Args::try_parse_from(["pulldrill", "--dir", "x", "-o", "json", "status"]).unwrap();
        let after = Args::try_parse_from(["pulldrill", "status", "--dir", "x", "-o", "json"]).unwrap();
        assert_eq!((before.common.dir, before.common.output), (after.common.dir, after.common.output));
    }

    #[test]
    fn only_record_takes_a_folder_to_write_to_and_it_needs_one() {
        let parsed = |words: &[&str]| Args::try_parse_from(words).and_then(Args::checked);
        let record = parsed(&["pulldrill", "record", "payments", "-o", "out/payments"]).unwrap();
        assert_eq!(record.common.output.as_deref(), Some(Path::new("out/payments")));
        assert_eq!(parsed(&["pulldrill", "status", "-o", "json"]).unwrap().common.format(), Format::Json);
        assert_eq!(parsed(&["pulldrill", "status"]).unwrap().common.format(), Format::Text);
        for words in [&["pulldrill", "record", "payments"][..], &["pulldrill", "status", "-o", "out"]] {
            assert_eq!(parsed(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_code_for_wrong_use() {
        for words in [
            &["pulldrill"][..],
            &["pulldrill", "up", "--seed", "x"],
            &["pulldrill", "up", "--backend", "moon"],
            &["pulldrill", "wait", "--for", "lunch"],
            &["pulldrill", "wait", "--timeout", "soon"],
            &["pulldrill", "clock", "advance", "-5m"],
            &["pulldrill", "diagnose", "payments"],
            &["pulldrill", "image", "copy", "a", "b", "--password", "x"],
        ] {
            assert_eq!(Args::try_parse_from(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }
}
