//! A node's egress rules, as real packet filter rules in chains of our own.
//!
//! They hang before all other rules on what the node sends (`OUTPUT`) and on what it passes on for its pods
//! (`FORWARD`), and match every packet: a drop ends open connections as well. Whichever of `iptables` and `nft` the
//! node has is used. What a person has added to the chain by hand is read too; what an [`EgressRule`] cannot express
//! stays where nobody's hands are: before the others, as it was written.
//!
//! On a node that is not the lab's, chains carry the lab's mark in their names, and addresses are led elsewhere
//! ([`Firewall::lead`]). A packet's destination is another one by the time it is filtered; rules there look at the
//! one that it had before.
//!
//! Tried with iptables 1.8.9 and nft 1.0.6.

mod iptables;
mod nft;
mod note;
mod part;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::net::{Ipv4Addr, SocketAddrV4};

use pulldrill_cluster::network::EgressRule;

pub(crate) use part::Part;

use super::{NodeError, shell::Shell};

/// Our part of a node's packet filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Firewall {
    tool: Tool,
    part: Part,
}

/// An address that leads elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lead {
    /// What is connected to.
    pub(crate) address: Ipv4Addr,
    pub(crate) port: u16,
    /// Where the connection gets to.
    pub(crate) to: SocketAddrV4,
}

/// What a node filters packets with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
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
async fn tool(node: &dyn Shell) -> Result<Tool, NodeError> {
    let script = "if iptables -w -S OUTPUT >/dev/null 2>&1; then echo iptables; \
                  elif nft list tables >/dev/null 2>&1; then echo nft; fi";
    match node.ok(&["sh", "-c", script]).await?.trim() {
        "iptables" => Ok(Tool::Iptables),
        "nft" => Ok(Tool::Nft),
        _ => Err(NodeError::Invalid(format!(
            "{} has neither a working iptables nor nft; drills about its network want one of them",
            node.place()
        ))),
    }
}

impl Firewall {
    /// This part of a node's packet filter, made with what the node has. Nothing is changed yet.
    pub(crate) async fn of(node: &dyn Shell, part: Part) -> Result<Self, NodeError> {
        Ok(Self { tool: tool(node).await?, part })
    }

    /// The rules that are really there, in the order in which they are tried.
    pub(crate) async fn read(&self, node: &dyn Shell) -> Result<Vec<EgressRule>, NodeError> {
        let entries = match self.tool {
            Tool::Iptables => iptables::read(node, &self.part).await?,
            Tool::Nft => nft::read(node, &self.part).await?.into_iter().map(|(_, entry)| entry).collect(),
        };
        Ok(rules(entries))
    }

    /// Puts these rules in the place of those that [`Firewall::read`] gives, all at once.
    pub(crate) async fn replace(&self, node: &dyn Shell, rules: &[EgressRule]) -> Result<(), NodeError> {
        match self.tool {
            Tool::Iptables => iptables::replace(node, &self.part, rules).await,
            Tool::Nft => nft::replace(node, &self.part, rules).await,
        }
    }

    /// Leads these addresses elsewhere, for the node and its pods, and none of those that were led before.
    pub(crate) async fn lead(&self, node: &dyn Shell, leads: &[Lead]) -> Result<(), NodeError> {
        match self.tool {
            Tool::Iptables => iptables::lead(node, &self.part, leads).await,
            Tool::Nft => nft::lead(node, &self.part, leads).await,
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
