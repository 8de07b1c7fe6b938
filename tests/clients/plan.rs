//! The reviewed data: which commands are run, what their outputs may differ in, and where they are known to differ.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use regex::Regex;
use serde::Deserialize;

use crate::recording::Said;

/// The kubectls of the matrix, in the order in which they took turns on the recorded servers.
pub(crate) const KUBECTLS: [&str; 3] = ["1.20", "1.32", "1.36"];

/// One command.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    pub(crate) label: String,
    /// A line for a shell.
    pub(crate) run: String,
    /// After how many seconds it is ended.
    pub(crate) seconds: Option<u32>,
    /// What it begins never comes to an end.
    #[serde(default)]
    pub(crate) unsettled: bool,
    ignore: Option<String>,
    #[serde(default)]
    unordered: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Commands {
    commands: Vec<Command>,
}

/// The commands, in order.
pub(crate) fn commands() -> Result<Vec<Command>> {
    let file: Commands = serde_saphyr::from_str(include_str!("commands.yaml"))?;
    Ok(file.commands)
}

/// Commands that are known to deviate, and why.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deviation {
    pub(crate) why: String,
    commands: Vec<String>,
    /// With which kubectls; all when none is named.
    #[serde(default)]
    kubectls: Vec<String>,
    /// Whether it is of chance: then it may be absent.
    #[serde(default)]
    pub(crate) sometimes: bool,
}

/// The known deviations of a server: what stands for each command and kubectl, by the index of its entry.
#[derive(Debug)]
pub(crate) struct Deviations {
    pub(crate) entries: Vec<Deviation>,
    known: BTreeMap<(String, String), usize>,
}

impl Deviations {
    /// Reads the list; an entry about what is not run, or a second one about the same, is an error.
    pub(crate) fn load() -> Result<Self> {
        let entries: Vec<Deviation> = serde_saphyr::from_str(include_str!("deviations.yaml"))?;
        let labels: BTreeSet<String> = commands()?.into_iter().map(|command| command.label).collect();
        let mut known = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let named: Vec<&str> = entry.kubectls.iter().map(String::as_str).collect();
            let kubectls = if named.is_empty() { KUBECTLS.to_vec() } else { named };
            for (label, kubectl) in entry.commands.iter().flat_map(|l| kubectls.iter().map(move |k| (l, k))) {
                ensure!(
                    labels.contains(label) && KUBECTLS.contains(kubectl),
                    "nobody runs {label} {kubectl}"
                );
                let twice = known.insert((label.clone(), (*kubectl).to_owned()), index).is_some();
                ensure!(!twice, "{label} with kubectl {kubectl} is listed twice");
            }
        }
        Ok(Self { entries, known })
    }

    /// The entry about a command and a kubectl.
    pub(crate) fn about(&self, label: &str, kubectl: &str) -> Option<usize> {
        self.known.get(&(label.to_owned(), kubectl.to_owned())).copied()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[expect(dead_code, reason = "read by people")]
    why: String,
    find: String,
    with: String,
}

/// What outputs may differ in.
pub(crate) struct Normaliser(Vec<(Regex, String)>);

impl Normaliser {
    pub(crate) fn new() -> Result<Self> {
        let rules: Vec<Rule> = serde_saphyr::from_str(include_str!("normalisation.yaml"))?;
        let compiled = rules
            .into_iter()
            .map(|rule| Ok((Regex::new(&rule.find).with_context(|| rule.find.clone())?, rule.with)));
        Ok(Self(compiled.collect::<Result<_>>()?))
    }

    /// The output of a command without what may differ.
    pub(crate) fn apply(&self, command: &Command, said: &Said) -> Result<String> {
        let mut text = said.text.clone();
        for (find, with) in &self.0 {
            text = find.replace_all(&text, with.as_str()).into_owned();
        }
        let ignore = command.ignore.as_deref().map(Regex::new).transpose()?;
        let mut lines: Vec<&str> = text.lines().collect();
        lines.retain(|line| ignore.as_ref().is_none_or(|ignore| !ignore.is_match(line)));
        if command.unordered {
            lines.sort_unstable();
        }
        Ok(format!("exit code {}\n{}\n", said.code, lines.join("\n")))
    }
}
