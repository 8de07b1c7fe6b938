//! Egress rules by way of `nft`: a table of our own, read as JSON, changed in one transaction.

use std::fmt::Write as _;

use pulldrill_cluster::network::{Action, EgressRule};
use serde_json::Value;

use super::{Entry, Found, Lead, Part, note};
use crate::backend::node::{NodeError, shell::Shell};

/// Our table, with a chain for the rules and one for each place from where it is entered, all before the usual ones.
const TABLE: &str = "add table inet TABLE
add chain inet TABLE egress
add chain inet TABLE output { type filter hook output priority -10; policy accept; }
add chain inet TABLE forward { type filter hook forward priority -10; policy accept; }
flush chain inet TABLE output
flush chain inet TABLE forward
add rule inet TABLE output jump egress
add rule inet TABLE forward jump egress
";

/// The same for addresses that lead elsewhere.
const WAYS: &str = "add table inet TABLE
add chain inet TABLE way
add chain inet TABLE way_output { type nat hook output priority -110; policy accept; }
add chain inet TABLE way_prerouting { type nat hook prerouting priority -110; policy accept; }
flush chain inet TABLE way
flush chain inet TABLE way_output
flush chain inet TABLE way_prerouting
add rule inet TABLE way_output jump way
add rule inet TABLE way_prerouting jump way
";

/// The longest comment.
const LONGEST: usize = 127;

/// What our chain holds, each with the number by which it can be deleted.
pub(super) async fn read(node: &dyn Shell, part: &Part) -> Result<Vec<(u64, Entry)>, NodeError> {
    let table = part.table();
    let command = ["nft", "-j", "list", "chain", "inet", &table, "egress"];
    let output = node.run(&command).await?;
    if output.code != 0 && output.stderr.contains("No such file or directory") {
        return Ok(Vec::new());
    }
    entries(&node.succeeded(&command, output)?).map_err(|why| {
        NodeError::Invalid(format!(
            "{} lists its packet filter in a way that can't be read: {why}",
            node.place()
        ))
    })
}

/// Everything in the chain becomes these rules, after those that are none of ours.
pub(super) async fn replace(node: &dyn Shell, part: &Part, rules: &[EgressRule]) -> Result<(), NodeError> {
    let program = program(&read(node, part).await?, part, rules)?;
    node.feed(&program, &["nft", "-f", "-"]).await.map(drop)
}

/// Leads addresses elsewhere.
pub(super) async fn lead(node: &dyn Shell, part: &Part, leads: &[Lead]) -> Result<(), NodeError> {
    let table = part.table();
    let mut program = WAYS.replace("TABLE", &table);
    for Lead { address, port, to } in leads {
        let _always_fits = writeln!(
            program,
            "add rule inet {table} way ip daddr {address} tcp dport {port} dnat ip to {to}"
        );
    }
    node.feed(&program, &["nft", "-f", "-"]).await.map(drop)
}

fn entries(text: &str) -> Result<Vec<(u64, Entry)>, String> {
    let listed: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let all = listed["nftables"].as_array().ok_or("no list of objects")?;
    let rules = all.iter().filter_map(|object| object.get("rule"));
    rules
        .map(|rule| {
            let handle = rule["handle"].as_u64().ok_or("a rule without handle")?;
            Ok((handle, found(rule).map_or_else(|| Entry::Other(rule.to_string()), Entry::Rule)))
        })
        .collect()
}

/// A rule, if it is no more than an egress rule can be.
fn found(rule: &Value) -> Option<Found> {
    let comment = rule["comment"].as_str().unwrap_or_default().to_owned();
    let (mut action, mut destination, mut port) = (None, None, None);
    for statement in rule["expr"].as_array()? {
        let (kind, what) = statement.as_object()?.iter().next()?;
        match kind.as_str() {
            "match" if what["op"] == "==" => match Side::of(&what["left"])? {
                Side::Destination => destination = Some(range(&what["right"])?),
                Side::Port => port = Some(u16::try_from(what["right"].as_u64()?).ok()?),
                Side::Protocol => (what["right"] == "tcp" || what["right"] == 6).then_some(())?,
                Side::Family => {
                    let all = if what["right"] == "ipv4" { "0.0.0.0/0" } else { "::/0" };
                    destination = destination.or(all.parse().ok());
                }
            },
            "accept" | "return" => action = Some(Action::Allow),
            "drop" => action = Some(Action::Drop),
            "reject" => action = Some(Action::Reject),
            "counter" => {}
            _ => return None,
        }
    }
    let destination = destination.or_else(|| "0.0.0.0/0".parse().ok())?;
    Some(Found { note: note::read(&comment), comment, action: action?, destination, port })
}

/// What a match looks at.
enum Side {
    Destination,
    Port,
    Protocol,
    Family,
}

impl Side {
    fn of(left: &Value) -> Option<Self> {
        if left["ct"]["dir"] == "original" {
            return match left["ct"]["key"].as_str() {
                Some("ip daddr" | "ip6 daddr" | "daddr") => Some(Self::Destination),
                Some("proto-dst") => Some(Self::Port),
                _ => None,
            };
        }
        let payload = &left["payload"];
        match (payload["protocol"].as_str(), payload["field"].as_str(), left["meta"]["key"].as_str()) {
            (Some("ip" | "ip6"), Some("daddr"), _) => Some(Self::Destination),
            (Some("tcp"), Some("dport"), _) => Some(Self::Port),
            (Some("ip"), Some("protocol"), _) | (_, _, Some("l4proto")) => Some(Self::Protocol),
            (_, _, Some("nfproto")) => Some(Self::Family),
            _ => None,
        }
    }
}

fn range(right: &Value) -> Option<pulldrill_cluster::network::Cidr> {
    match right.as_str() {
        Some(address) => address.parse().ok(),
        None => {
            format!("{}/{}", right["prefix"]["addr"].as_str()?, right["prefix"]["len"].as_u64()?).parse().ok()
        }
    }
}

/// What `nft` is told.
fn program(listed: &[(u64, Entry)], part: &Part, rules: &[EgressRule]) -> Result<String, NodeError> {
    let table = part.table();
    let mut program = TABLE.replace("TABLE", &table);
    for (handle, entry) in listed {
        if matches!(entry, Entry::Rule(_)) {
            let _always_fits = writeln!(program, "delete rule inet {table} egress handle {handle}");
        }
    }
    for rule in rules {
        let _always_fits = writeln!(program, "add rule inet {table} egress {}", written(rule, part)?);
    }
    Ok(program)
}

fn written(rule: &EgressRule, part: &Part) -> Result<String, NodeError> {
    let (to, bits) = (rule.destination, rule.destination.bits());
    let before = if part.is_led() { "ct original " } else { "" };
    let destination = match (to.base().is_ipv4(), bits) {
        (true, 0) => "meta nfproto ipv4".to_owned(),
        (false, 0) => "meta nfproto ipv6".to_owned(),
        (true, _) => format!("{before}ip daddr {to}"),
        (false, _) => format!("{before}ip6 daddr {to}"),
    };
    let protocol = match rule.port {
        Some(port) if part.is_led() => format!(" meta l4proto tcp ct original proto-dst {port}"),
        Some(port) => format!(" tcp dport {port}"),
        None if rule.action == Action::Reject => " meta l4proto tcp".to_owned(),
        None => String::new(),
    };
    let verdict = match rule.action {
        Action::Allow => "return",
        Action::Drop => "drop",
        // Only a connection can be answered with a reset.
        Action::Reject => "reject with tcp reset",
    };
    Ok(format!("{destination}{protocol} {verdict} comment \"{}\"", note::write(rule, LONGEST)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As nft 1.0.6 lists it.
    const LISTED: &str = r#"{"nftables": [
      {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
      {"chain": {"family": "inet", "table": "pulldrill", "name": "egress", "handle": 1}},
      {"rule": {"family": "inet", "table": "pulldrill", "chain": "egress", "handle": 7,
        "comment": "pulldrill:a:x%22%0A", "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "10.0.0.5"}},
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 443}},
        {"counter": {"packets": 0, "bytes": 0}}, {"drop": null}]}},
      {"rule": {"family": "inet", "table": "pulldrill", "chain": "egress", "handle": 8, "comment": "said \"so\"", "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}},
                   "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "pulldrill", "chain": "egress", "handle": 9, "expr": [
        {"match": {"op": "!=", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "10.0.0.5"}},
        {"drop": null}]}},
      {"rule": {"family": "inet", "table": "pulldrill", "chain": "egress", "handle": 10, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 53}},
        {"drop": null}]}}]}"#;

    #[test]
    fn what_is_listed_is_read_and_the_rest_stays() {
        let listed = entries(LISTED).unwrap();
        let rules = super::super::rules(listed.iter().map(|(_, entry)| entry.clone()).collect());
        let shown: Vec<_> = rules
            .iter()
            .map(|r| (r.id.as_str(), r.comment.as_str(), r.action, r.destination.to_string(), r.port))
            .collect();
        assert_eq!(
            shown,
            [
                ("a", "x\"\n", Action::Drop, "10.0.0.5/32".to_owned(), Some(443)),
                ("by-hand-1", "said \"so\"", Action::Allow, "10.0.0.0/8".to_owned(), None),
            ]
        );
        let program = program(&listed, &Part::Own, &rules[..1]).unwrap();
        let expected = "delete rule inet pulldrill egress handle 7\ndelete rule inet pulldrill egress handle 8\n\
            add rule inet pulldrill egress ip daddr 10.0.0.5/32 tcp dport 443 drop comment \"pulldrill:a:x%22%0A\"\n";
        assert_eq!(program.strip_prefix(&TABLE.replace("TABLE", "pulldrill")).unwrap(), expected);
    }

    #[test]
    fn on_somebodys_node_rules_look_at_where_a_packet_was_sent() {
        // As nft 1.0.6 lists what is written here.
        let listed = r#"{"nftables": [{"rule": {"handle": 6, "comment": "pulldrill:a:", "expr": [
          {"match": {"op": "==", "left": {"ct": {"key": "ip daddr", "dir": "original"}}, "right": "10.25.3.4"}},
          {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}},
          {"match": {"op": "==", "left": {"ct": {"key": "proto-dst", "dir": "original"}}, "right": 443}},
          {"return": null}]}},
         {"rule": {"handle": 8, "comment": "pulldrill:c:x", "expr": [
          {"match": {"op": "==", "left": {"ct": {"key": "ip daddr", "dir": "original"}},
                     "right": {"prefix": {"addr": "10.25.3.0", "len": 24}}}}, {"drop": null}]}}]}"#;
        let listed = entries(listed).unwrap();
        let rules = super::super::rules(listed.iter().map(|(_, entry)| entry.clone()).collect());
        let shown: Vec<_> =
            rules.iter().map(|r| (r.id.as_str(), r.action, r.destination.to_string(), r.port)).collect();
        assert_eq!(
            shown,
            [
                ("a", Action::Allow, "10.25.3.4/32".to_owned(), Some(443)),
                ("c", Action::Drop, "10.25.3.0/24".to_owned(), None),
            ]
        );
        let part = Part::Guest { mark: "ab".into() };
        let program = program(&listed, &part, &rules).unwrap();
        for line in [
            "add table inet pulldrill_ab\n",
            "egress ct original ip daddr 10.25.3.4/32 meta l4proto tcp ct original proto-dst 443 return comment",
            "egress ct original ip daddr 10.25.3.0/24 drop comment",
        ] {
            assert!(program.contains(line), "{line:?} is not in {program}");
        }
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        assert!(entries("").is_err() && entries("{}").is_err());
        assert!(entries(r#"{"nftables":[{"rule":{"expr":[]}}]}"#).is_err());
    }
}
