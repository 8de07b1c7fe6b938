//! The reviewed data: which commands are run, what their outputs may differ in, and where they are known to differ.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use regex::Regex;
use serde::Deserialize;

use crate::recording::Said;

/// A kubectl of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kubectl {
    pub(crate) version: &'static str,
    /// The kubectl whose recordings it is held against: itself, or its nearest neighbour.
    pub(crate) recorded: &'static str,
}

impl Kubectl {
    const fn recorded(version: &'static str) -> Self {
        Self { version, recorded: version }
    }
}

/// The kubectls of the matrix; those that were recorded took turns on the servers in this order.
pub(crate) const KUBECTLS: [Kubectl; 5] = [
    Kubectl::recorded("1.20"),
    Kubectl { version: "1.30", recorded: "1.32" },
    Kubectl::recorded("1.32"),
    Kubectl::recorded("1.36"),
    Kubectl { version: "1.37", recorded: "1.36" },
];

/// A recorded server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    /// Its version, as people and the list of deviations have it.
    pub(crate) version: &'static str,
    /// The folder of its recordings.
    pub(crate) recordings: &'static str,
    /// The dialect that is to be like it.
    pub(crate) dialect: &'static str,
    /// What was written differently for it, by the words that stand for it in commands and files.
    words: [(&'static str, &'static str); 2],
}

impl Server {
    /// A command or a file as it was written for this server.
    pub(crate) fn words(&self, text: &str) -> String {
        self.words.iter().fold(text.to_owned(), |text, (word, meant)| text.replace(word, meant))
    }

    /// The file with what it had before the first command.
    pub(crate) fn before(&self) -> String {
        format!("before-{}.yaml", self.version)
    }
}

/// The recorded servers, the younger first.
pub(crate) const SERVERS: [Server; 2] = [
    Server {
        version: "1.36",
        recordings: "k8s-1.36",
        dialect: "k8s-1.36-containerd-2.1",
        words: [("CRONJOBS", "v1"), ("FORWARDED", "18081")],
    },
    Server {
        version: "1.20",
        recordings: "k8s-1.20",
        dialect: "k8s-1.20-containerd-1.7",
        words: [("CRONJOBS", "v1beta1"), ("FORWARDED", "18080")],
    },
];

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
    /// On which servers; all when none is named.
    #[serde(default)]
    servers: Vec<String>,
    /// With which kubectls; all when none is named.
    #[serde(default)]
    kubectls: Vec<String>,
    /// Whether it is of chance: then it may be absent.
    #[serde(default)]
    pub(crate) sometimes: bool,
}

/// One cell of the matrix: the server's version, the kubectl's, the command's label.
type Cell = (String, String, String);

/// The known deviations: what stands for each cell of the matrix, by the index of its entry.
#[derive(Debug)]
pub(crate) struct Deviations {
    pub(crate) entries: Vec<Deviation>,
    known: BTreeMap<Cell, usize>,
}

impl Deviations {
    /// Reads the list; an entry about what is not run, or a second one about the same, is an error.
    pub(crate) fn load() -> Result<Self> {
        let entries: Vec<Deviation> = serde_saphyr::from_str(include_str!("deviations.yaml"))?;
        let labels: BTreeSet<String> = commands()?.into_iter().map(|command| command.label).collect();
        let mut known = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let servers = named(&entry.servers, SERVERS.map(|server| server.version))?;
            for (server, kubectl) in named(&entry.kubectls, KUBECTLS.map(|kubectl| kubectl.version))?
                .into_iter()
                .flat_map(|kubectl| servers.iter().map(move |server| (*server, kubectl)))
            {
                for label in &entry.commands {
                    ensure!(labels.contains(label), "nobody runs {label}");
                    let cell = (server.to_owned(), kubectl.to_owned(), label.clone());
                    let twice = known.insert(cell, index).is_some();
                    ensure!(!twice, "{label} with kubectl {kubectl} on {server} is listed twice");
                }
            }
        }
        Ok(Self { entries, known })
    }

    /// The entry about a command, a kubectl and a server.
    pub(crate) fn about(&self, server: &Server, kubectl: &Kubectl, label: &str) -> Option<usize> {
        self.known.get(&(server.version.to_owned(), kubectl.version.to_owned(), label.to_owned())).copied()
    }
}

/// Those of all that are named, or all when none is; one that there is not is an error.
fn named<const N: usize>(names: &[String], all: [&'static str; N]) -> Result<Vec<&'static str>> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let find = |name: &String| all.into_iter().find(|one| one == name).with_context(|| format!("no {name}"));
    names.iter().map(find).collect()
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
