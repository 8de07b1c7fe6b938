//! Egress rules by way of `nft`: a table of our own, read as JSON, changed in one transaction.

use std::fmt::Write as _;

use pulldrill_cluster::network::{Action, EgressRule};
use serde_json::Value;

use super::{Entry, Found, note};
use crate::backend::kind::{KindError, shell::Shell};

/// Our table, with a chain for the rules and one for each place from where it is entered, all before the usual ones.
const TABLE: &str = "add table inet pulldrill
add chain inet pulldrill egress
add chain inet pulldrill output { type filter hook output priority -10; policy accept; }
add chain inet pulldrill forward { type filter hook forward priority -10; policy accept; }
flush chain inet pulldrill output
flush chain inet pulldrill forward
add rule inet pulldrill output jump egress
add rule inet pulldrill forward jump egress
";

/// The longest comment.
const LONGEST: usize = 127;

/// What our chain holds, each with the number by which it can be deleted.
pub(super) async fn read(node: &dyn Shell) -> Result<Vec<(u64, Entry)>, KindError> {
    let command = ["nft", "-j", "list", "chain", "inet", "pulldrill", "egress"];
    let output = node.run(&command).await?;
    if output.code != 0 && output.stderr.contains("No such file or directory") {
        return Ok(Vec::new());
    }
    entries(&node.succeeded(&command, output)?).map_err(|why| {
        KindError::Invalid(format!(
            "{} lists its packet filter in a way that can't be read: {why}",
            node.place()
        ))
    })
}

/// Everything in the chain becomes these rules, after those that are none of ours.
pub(super) async fn replace(node: &dyn Shell, rules: &[EgressRule]) -> Result<(), KindError> {
    let program = program(&read(node).await?, rules)?;
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
fn program(listed: &[(u64, Entry)], rules: &[EgressRule]) -> Result<String, KindError> {
    let mut program = String::from(TABLE);
    for (handle, entry) in listed {
        if matches!(entry, Entry::Rule(_)) {
            let _always_fits = writeln!(program, "delete rule inet pulldrill egress handle {handle}");
        }
    }
    for rule in rules {
        let _always_fits = writeln!(program, "add rule inet pulldrill egress {}", written(rule)?);
    }
    Ok(program)
}

fn written(rule: &EgressRule) -> Result<String, KindError> {
    let (to, bits) = (rule.destination, rule.destination.bits());
    let destination = match (to.base().is_ipv4(), bits) {
        (true, 0) => "meta nfproto ipv4".to_owned(),
        (false, 0) => "meta nfproto ipv6".to_owned(),
        (true, _) => format!("ip daddr {to}"),
        (false, _) => format!("ip6 daddr {to}"),
    };
    let protocol = match rule.port {
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
        let program = program(&listed, &rules[..1]).unwrap();
        let expected = "delete rule inet pulldrill egress handle 7\ndelete rule inet pulldrill egress handle 8\n\
            add rule inet pulldrill egress ip daddr 10.0.0.5/32 tcp dport 443 drop comment \"pulldrill:a:x%22%0A\"\n";
        assert_eq!(program.strip_prefix(TABLE).unwrap(), expected);
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        assert!(entries("").is_err() && entries("{}").is_err());
        assert!(entries(r#"{"nftables":[{"rule":{"expr":[]}}]}"#).is_err());
    }
}
