//! What a node may connect to: its egress rules, first match wins, default allow.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Cidr;

/// What happens to a connection that a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It goes through.
    Allow,
    /// Its packets vanish: the dial times out.
    Drop,
    /// It is answered with a reset: the dial is refused.
    Reject,
}

/// One rule of a node's firewall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressRule {
    /// Names the rule on its node.
    pub id: String,
    /// What it does.
    pub action: Action,
    /// To which addresses.
    pub destination: Cidr,
    /// To which port; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What an administrator wrote beside it.
    #[serde(default)]
    pub comment: String,
}

impl EgressRule {
    fn matches(&self, address: IpAddr, port: u16) -> bool {
        self.destination.contains(address) && self.port.is_none_or(|p| p == port)
    }
}

/// What the rules say about a destination.
pub(super) fn decide(rules: &[EgressRule], address: IpAddr, port: u16) -> Action {
    rules.iter().find(|rule| rule.matches(address, port)).map_or(Action::Allow, |rule| rule.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, action: Action, destination: &str, port: Option<u16>) -> EgressRule {
        let destination = destination.parse().unwrap();
        EgressRule { id: id.into(), action, destination, port, comment: String::new() }
    }

    #[test]
    fn the_first_match_wins_and_nothing_matching_allows() {
        let rules = [
            rule("a", Action::Allow, "10.0.0.5", Some(443)),
            rule("b", Action::Drop, "10.0.0.0/8", None),
            rule("c", Action::Reject, "0.0.0.0/0", Some(25)),
        ];
        let cases = [
            ("10.0.0.5", 443, Action::Allow),
            ("10.0.0.5", 80, Action::Drop),
            ("192.0.2.1", 25, Action::Reject),
            ("192.0.2.1", 443, Action::Allow),
        ];
        for (address, port, expected) in cases {
            assert_eq!(decide(&rules, address.parse().unwrap(), port), expected, "{address}:{port}");
        }
    }
}
