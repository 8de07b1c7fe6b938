//! The command line, as types: the whole here, the words of each group of commands in a module of its own.

mod cluster;
mod drill;
mod fault;
mod lab;
mod tools;

use std::path::{Path, PathBuf};

use clap::{
    Args as ClapArgs, CommandFactory, Parser, Subcommand,
    builder::styling::{AnsiColor, Styles},
    error::ErrorKind,
};

pub(crate) use cluster::{Cluster, ClusterNodes, ClusterServe, Machine, MachineImage, OfCluster, OneMachine};
pub(crate) use drill::{Record, Until, Wait};
pub(crate) use fault::Fault;
pub(crate) use lab::{Backend, Place, Selftest, Up};
pub(crate) use tools::{ClockAction, Ecr, Egress, Image, Node, Registry, RegistryLog, RegistryServe};

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
        /// With `up --allow-node-access`
        #[arg(long, requires = "backend")]
        allow_node_access: bool,
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
    /// Look at the registries, serve some alone, and let them misbehave
    #[command(subcommand)]
    Registry(Registry),
    /// The embedded cluster alone
    #[command(subcommand)]
    Cluster(Cluster),
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
            &["pulldrill", "cluster", "serve", "--bare", "--nodes", "2"],
            &["pulldrill", "cluster", "serve", "--admin-token", "with blanks"],
            &["pulldrill", "image", "copy", "a", "b", "--password", "x"],
        ] {
            assert_eq!(Args::try_parse_from(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }
}
