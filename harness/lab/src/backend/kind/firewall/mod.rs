//! A node's egress rules, as real packet filter rules in chains of our own.
//!
//! They hang before all other rules on what the node sends (`OUTPUT`) and on what it passes on for its pods
//! (`FORWARD`), and match every packet: a drop ends open connections as well. Whichever of `iptables` and `nft` the
//! node has is used. What a person has added to the chain by hand is read too; what an [`EgressRule`] cannot express
//! stays where nobody's hands are: before the others, as it was written.
//!
//! Tried with iptables 1.8.9 and nft 1.0.6.

mod iptables;
mod nft;
mod note;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use pulldrill_cluster::network::EgressRule;

use super::{KindError, shell::Shell};

/// What a node filters packets with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// `iptables`, whatever is behind it.
    Iptables,
    /// `nft`.
    Nft,
}

/// One rule of our chain.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// One of ours, or one that could be.
    Rule(Found),
    /// Anything else, in the tool's own words.
    Other(String),
}

/// A rule as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    /// Its id and comment, if it carries any of ours.
    note: Option<note::Note>,
    /// What a person wrote beside it.
    comment: String,
    action: pulldrill_cluster::network::Action,
    destination: pulldrill_cluster::network::Cidr,
    port: Option<u16>,
}

/// Which tool a node has.
pub(crate) async fn tool(node: &dyn Shell) -> Result<Tool, KindError> {
    let script = "if iptables -w -S OUTPUT >/dev/null 2>&1; then echo iptables; \
                  elif nft list tables >/dev/null 2>&1; then echo nft; fi";
    match node.ok(&["sh", "-c", script]).await?.trim() {
        "iptables" => Ok(Tool::Iptables),
        "nft" => Ok(Tool::Nft),
        _ => Err(KindError::Invalid(format!(
            "{} has neither a working iptables nor nft; use a node image that has one of them",
            node.place()
        ))),
    }
}

impl Tool {
    /// The rules that are really there, in the order in which they are tried.
    pub(crate) async fn read(self, node: &dyn Shell) -> Result<Vec<EgressRule>, KindError> {
        let entries = match self {
            Self::Iptables => iptables::read(node).await?,
            Self::Nft => nft::read(node).await?.into_iter().map(|(_, entry)| entry).collect(),
        };
        Ok(rules(entries))
    }

    /// Puts these rules in the place of those that [`Tool::read`] gives, all at once.
    pub(crate) async fn replace(self, node: &dyn Shell, rules: &[EgressRule]) -> Result<(), KindError> {
        match self {
            Self::Iptables => iptables::replace(node, rules).await,
            Self::Nft => nft::replace(node, rules).await,
        }
    }
}

/// Entries as rules; those without an id get one that says where they come from.
fn rules(entries: Vec<Entry>) -> Vec<EgressRule> {
    let mut rules: Vec<EgressRule> = Vec::new();
    let mut unnamed = 0;
    for entry in entries {
        let found = match entry {
            Entry::Rule(found) => found,
            Entry::Other(text) => {
                tracing::debug!(rule = text, "a rule that is more than an egress rule");
                continue;
            }
        };
        let Found { note, comment, action, destination, port } = found;
        let (id, comment) = match note {
            // A copy made by hand has the id of its original.
            Some(note) if rules.iter().all(|rule| rule.id != note.id) => (note.id, note.comment),
            other => {
                unnamed += 1;
                (format!("by-hand-{unnamed}"), other.map_or(comment, |note| note.comment))
            }
        };
        rules.push(EgressRule { id, action, destination, port, comment });
    }
    rules
}
