//! Words of the commands about faults. What can be added, with what, for whom and when, is what the tables of faults say:
//! each fault is a command of its own, made from its row.

use std::fmt::Write;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand, error::ErrorKind};
use pulldrill_registry::{FaultKind, FaultRule, Parameter, Shape, fault_tables};

/// The option that names a registry.
const HOST: &str = "host";

/// Commands about faults.
#[derive(Debug, Subcommand)]
pub(crate) enum Fault {
    /// Let registries misbehave
    Add(Box<FaultAdd>),
    /// List what is wrong with registries, and how often it has struck
    List {
        /// Only of this registry
        #[arg(long)]
        host: Option<String>,
    },
    /// End what is wrong
    Clear {
        /// The fault's number, see `pulldrill registry fault list`
        #[arg(required_unless_present = "all")]
        id: Option<u64>,
        /// All faults
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// With --all: only those of this registry
        #[arg(long, requires = "all", conflicts_with = "id")]
        host: Option<String>,
    },
}

/// A fault to switch on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FaultAdd {
    /// At this registry; at all when nothing is said.
    pub(crate) host: Option<String>,
    pub(crate) rule: FaultRule,
}

impl Args for FaultAdd {
    fn augment_args(command: Command) -> Command {
        command
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand_value_name("FAULT")
            .subcommand_help_heading("Faults")
            .disable_help_subcommand(true)
            .subcommands(FaultKind::all().iter().map(of))
            .after_help(AFTER)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

const AFTER: &str = "`pulldrill registry fault add FAULT --help` says what can be chosen. With no options, a fault strikes everything \
at every registry, until it is cleared.";

impl FromArgMatches for FaultAdd {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let nothing = || clap::Error::raw(ErrorKind::MissingSubcommand, "name a fault\n");
        let (name, said) = matches.subcommand().ok_or_else(nothing)?;
        let kind = FaultKind::named(name).ok_or_else(nothing)?;
        let get = |name: &str| said.try_get_one::<String>(name).ok().flatten().cloned();
        let rule = FaultRule::from_said(kind, get);
        let rule = rule.map_err(|why| clap::Error::raw(ErrorKind::ValueValidation, format!("{why}\n")))?;
        Ok(Self { host: get(HOST), rule })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The command of a fault.
fn of(kind: &FaultKind) -> Command {
    let mut about = kind.summary.to_owned();
    if !kind.parameters.is_empty() {
        let names: Vec<_> = kind.parameters.iter().map(|one| format!("--{}", one.name)).collect();
        write!(about, " [{}]", names.join(", ")).unwrap_or_default();
    }
    let host = Arg::new(HOST).long(HOST).value_name("HOST");
    let host = host.help("At this registry [default: at all]").help_heading("Whom it strikes");
    let scope = fault_tables::SCOPE.iter().filter(|one| fault_tables::known_at(kind.stage, one.name));
    Command::new(kind.name)
        .about(about)
        .args(kind.parameters.iter().map(|one| option(one, "What it does")))
        .arg(host)
        .args(scope.map(|one| option(one, "Whom it strikes")))
        .args(fault_tables::SCHEDULE.iter().map(|one| option(one, "When it strikes")))
}

/// The option of a parameter. What it may be is checked with the whole rule, in the words that others are told.
fn option(parameter: &Parameter, heading: &'static str) -> Arg {
    let mut help = parameter.summary.to_owned();
    if matches!(parameter.shape, Shape::Word(_) | Shape::Number { .. } | Shape::Fraction) {
        let most = matches!(parameter.shape, Shape::Number { to, .. } if to > u64::from(u32::MAX));
        let wanted = if most { "a number".to_owned() } else { parameter.shape.wanted() };
        write!(help, ": {wanted}").unwrap_or_default();
    }
    if !parameter.default.is_empty() {
        write!(help, " [default: {}]", parameter.default).unwrap_or_default();
    }
    let arg = Arg::new(parameter.name).long(parameter.name).help(help).help_heading(heading);
    match parameter.shape {
        Shape::Flag => {
            arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
        }
        Shape::Number { .. } | Shape::Fraction => arg.value_name("N").allow_hyphen_values(true),
        Shape::Text | Shape::Word(_) | Shape::Address => arg.value_name("TEXT"),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(subcommand)]
        fault: Fault,
    }

    fn added(words: &[&str]) -> Result<FaultAdd, String> {
        let all = ["pulldrill", "add"].iter().chain(words);
        match Words::try_parse_from(all).map_err(|error| error.to_string())?.fault {
            Fault::Add(add) => Ok(*add),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn every_fault_of_the_table_is_a_command_with_its_options() {
        Words::command().debug_assert();
        for kind in FaultKind::all() {
            assert_eq!(added(&[kind.name]).unwrap().rule, FaultRule::new(kind.name), "{}", kind.name);
            let help = added(&[kind.name, "--help"]).unwrap_err();
            for parameter in kind.parameters {
                assert!(help.contains(&format!("--{}", parameter.name)), "{help}");
            }
        }
        let help = added(&["--help"]).unwrap_err();
        for kind in FaultKind::all() {
            assert!(help.contains(kind.name), "{help}");
        }
        assert!(help.contains("--status") && help.contains("--after-bytes"), "{help}");
    }

    #[test]
    fn what_is_said_is_in_the_rule_and_nonsense_is_told_in_the_words_of_the_table() {
        let add =
            added(&["status", "--status", "418", "--host", "r", "--user-agent", "curl", "--after", "2"]);
        let add = add.unwrap();
        assert_eq!((add.host.as_deref(), add.rule.with["status"].as_str()), (Some("r"), "418"));
        assert_eq!((add.rule.on.user_agent.as_deref(), add.rule.when.after), (Some("curl"), Some(2)));
        assert_eq!(added(&["corrupt", "--rescue"]).unwrap().rule.with["rescue"], "true");
        assert_eq!(added(&["corrupt", "--rescue=false"]).unwrap().rule.with["rescue"], "false");
        for (words, told) in [
            (
                &["status", "--status", "42"][..],
                "status: status is \"42\"; it has to be a number from 200 to 599",
            ),
            (&["status", "--after", "-1"], "status: after is \"-1\"; it has to be a number from 0"),
            (&["html", "--part", "cellar"], "html: part is \"cellar\"; it has to be one of base, token"),
            (&["html", "--probability", "2"], "it has to be a number from 0 to 1"),
            (&["reset", "--repository", "a"], "unexpected argument '--repository'"),
            (&["gremlins"], "unrecognized subcommand 'gremlins'"),
            (&[], "Usage"),
        ] {
            let error = added(words).unwrap_err();
            assert!(error.contains(told), "{words:?}: {error}");
        }
    }

    #[test]
    fn a_fault_is_cleared_by_its_number_or_all_are() {
        let parsed =
            |words: &[&str]| Words::try_parse_from([&["pulldrill", "clear"], words].concat()).is_ok();
        assert!(parsed(&["7"]) && parsed(&["--all"]) && parsed(&["--all", "--host", "r"]));
        assert!(
            !parsed(&[]) && !parsed(&["7", "--all"]) && !parsed(&["7", "--host", "r"]) && !parsed(&["x"])
        );
    }
}
