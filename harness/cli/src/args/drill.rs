//! Words of the commands about one drill that need more than its name: `record` and `wait`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use jiff::SignedDuration;

use crate::parse;

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
