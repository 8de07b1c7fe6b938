//! Egress rules by way of `iptables`: read from what it lists, replaced in one `iptables-restore`.

use std::{fmt::Write as _, str::Chars};

use pulldrill_cluster::network::{Action, Cidr, EgressRule};

use super::{Entry, Found, Lead, Part, note};
use crate::backend::node::{NodeError, shell::Shell};

/// The chain of rules.
const EGRESS: &str = "EGRESS";

/// From where it is entered.
const HOOKS: [&str; 2] = ["OUTPUT", "FORWARD"];

/// The chain of addresses that lead elsewhere.
const WAY: &str = "WAY";

/// From where that is entered.
const WAY_HOOKS: [&str; 2] = ["OUTPUT", "PREROUTING"];

/// The longest comment.
const LONGEST: usize = 255;

/// What our chain holds.
pub(super) async fn read(node: &dyn Shell, part: &Part) -> Result<Vec<Entry>, NodeError> {
    Ok(entries(&list(node, "filter").await?, &part.chain(EGRESS)))
}

/// Everything in the chain becomes these rules, after those that are none of ours.
pub(super) async fn replace(node: &dyn Shell, part: &Part, rules: &[EgressRule]) -> Result<(), NodeError> {
    let program = program(&list(node, "filter").await?, part, rules)?;
    node.feed(&program, &["iptables-restore", "-w", "--noflush"]).await.map(drop)
}

/// Leads addresses elsewhere.
pub(super) async fn lead(node: &dyn Shell, part: &Part, leads: &[Lead]) -> Result<(), NodeError> {
    let chain = part.chain(WAY);
    let mut program = opening("nat", &chain, &WAY_HOOKS, &list(node, "nat").await?);
    for Lead { address, port, to } in leads {
        let _always_fits = writeln!(
            program,
            "-A {chain} -d {address}/32 -p tcp --dport {port} -j DNAT --to-destination {to}"
        );
    }
    program.push_str("COMMIT\n");
    node.feed(&program, &["iptables-restore", "-w", "--noflush"]).await.map(drop)
}

/// Every rule of a table, as words.
async fn list(node: &dyn Shell, table: &str) -> Result<Vec<Vec<String>>, NodeError> {
    Ok(words(&node.ok(&["iptables", "-w", "-t", table, "-S"]).await?))
}

fn entries(listed: &[Vec<String>], chain: &str) -> Vec<Entry> {
    let ours = listed.iter().filter(|rule| rule.len() > 2 && rule[0] == "-A" && rule[1] == chain);
    ours.map(|rule| found(&rule[2..]).map_or_else(|| Entry::Other(line(&rule[2..])), Entry::Rule)).collect()
}

/// A rule, if it is no more than an egress rule can be.
fn found(words: &[String]) -> Option<Found> {
    let mut found = Found {
        note: None,
        comment: String::new(),
        action: Action::Allow,
        destination: "0.0.0.0/0".parse().ok()?,
        port: None,
    };
    let (mut decided, mut words) = (false, words.iter().map(String::as_str));
    while let Some(word) = words.next() {
        match (word, words.next()?) {
            ("-d" | "--ctorigdst", range) => found.destination = range.parse().ok()?,
            ("--dport" | "--ctorigdstport", port) => found.port = Some(port.parse().ok()?),
            ("-p" | "-m", "tcp") | ("-m", "comment" | "conntrack") => {}
            ("--reject-with", _) if found.action == Action::Reject => {}
            ("--comment", text) => {
                found.note = note::read(text);
                found.comment = text.to_owned();
            }
            ("-j", target) => {
                decided = true;
                found.action = match target {
                    "ACCEPT" | "RETURN" => Action::Allow,
                    "DROP" => Action::Drop,
                    "REJECT" => Action::Reject,
                    _ => return None,
                };
            }
            _ => return None,
        }
    }
    decided.then_some(found)
}

/// The beginning of what `iptables-restore` is told: an empty chain that is entered first from each of its hooks.
fn opening(table: &str, chain: &str, hooks: &[&str], listed: &[Vec<String>]) -> String {
    let is_jump = |rule: &[String], from: &str| matches!(rule, [add, hook, jump, to] if add == "-A" && hook == from && jump == "-j" && to == chain);
    let mut program = format!("*{table}\n:{chain} - [0:0]\n");
    for hook in hooks {
        for _ in listed.iter().filter(|rule| is_jump(rule, hook)) {
            let _always_fits = writeln!(program, "-D {hook} -j {chain}");
        }
        let _always_fits = writeln!(program, "-I {hook} 1 -j {chain}");
    }
    program
}

/// What `iptables-restore` is told.
fn program(listed: &[Vec<String>], part: &Part, rules: &[EgressRule]) -> Result<String, NodeError> {
    let chain = part.chain(EGRESS);
    let mut program = opening("filter", &chain, &HOOKS, listed);
    for entry in entries(listed, &chain) {
        if let Entry::Other(text) = entry {
            let _always_fits = writeln!(program, "-A {chain} {text}");
        }
    }
    for rule in rules {
        let _always_fits = writeln!(program, "-A {chain} {}", written(rule, part)?);
    }
    program.push_str("COMMIT\n");
    Ok(program)
}

fn written(rule: &EgressRule, part: &Part) -> Result<String, NodeError> {
    let target = match rule.action {
        Action::Allow => "RETURN",
        Action::Drop => "DROP",
        // Only a connection can be answered with a reset.
        Action::Reject => "REJECT --reject-with tcp-reset",
    };
    let (range, note) = (range(rule.destination)?, note::write(rule, LONGEST)?);
    let is_tcp = rule.port.is_some() || rule.action == Action::Reject;
    let protocol = if is_tcp { "-p tcp " } else { "" };
    let (destination, port) = if part.is_led() {
        (format!("-m conntrack --ctorigdst {range} "), "--ctorigdstport")
    } else {
        (format!("-d {range} "), "--dport")
    };
    let port = rule.port.map_or_else(String::new, |number| format!("{port} {number} "));
    // A port without its protocol before it, and a match without its module, are not understood.
    let place = if part.is_led() {
        format!("{protocol}{destination}{port}")
    } else {
        format!("{destination}{protocol}{port}")
    };
    Ok(format!("{place}-m comment --comment \"{note}\" -j {target}"))
}

fn range(range: Cidr) -> Result<Cidr, NodeError> {
    let refused =
        || NodeError::Invalid(format!("{range} is not an IPv4 range, and this node's network is IPv4"));
    range.base().is_ipv4().then_some(range).ok_or_else(refused)
}

/// What was listed, as lines of words. A quoted word may hold anything, line ends too.
fn words(text: &str) -> Vec<Vec<String>> {
    let mut lines = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted(&mut letters, word.get_or_insert_default()),
            ' ' | '\n' => {
                if let (Some(word), Some(line)) = (word.take(), lines.last_mut()) {
                    line.push(word);
                }
                if letter == '\n' {
                    lines.push(Vec::new());
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn quoted(letters: &mut Chars<'_>, word: &mut String) {
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return,
            '\\' => word.extend(letters.next()),
            other => word.push(other),
        }
    }
}

/// Words as a line that [`words`], and iptables, read as these words.
fn line(words: &[String]) -> String {
    let plain = |word: &String| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.,:/!+=".contains(c))
    };
    let quoted = |word: &String| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""));
    let words = words.iter().map(|word| if plain(word) { word.clone() } else { quoted(word) });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As iptables 1.8.9 lists it.
    const LISTED: &str = r#"-P INPUT ACCEPT
-P OUTPUT ACCEPT
-N KUBE-FORWARD
-N PULLDRILL-EGRESS
-A FORWARD -j PULLDRILL-EGRESS
-A OUTPUT -m comment --comment "kubernetes \"x\"" -j KUBE-FIREWALL
-A OUTPUT -j PULLDRILL-EGRESS
-A PULLDRILL-EGRESS -d 10.0.0.5/32 -p tcp -m tcp --dport 443 -m comment --comment "pulldrill:a:two words" -j RETURN
-A PULLDRILL-EGRESS -d 10.0.0.0/8 -m comment --comment "say \"no\\never\"
-A PULLDRILL-EGRESS -j ACCEPT" -j DROP
-A PULLDRILL-EGRESS -p udp -m udp --dport 53 -j DROP
-A PULLDRILL-EGRESS ! -d 10.0.0.0/8 -j DROP
-A PULLDRILL-EGRESS -m conntrack --ctstate NEW -j DROP
-A PULLDRILL-EGRESS -d 10.9.0.0/16
-A PULLDRILL-EGRESS -p tcp -j REJECT --reject-with tcp-reset
"#;

    #[test]
    fn what_is_listed_is_read_whatever_is_in_its_comments() {
        let entries = super::entries(&words(LISTED), "PULLDRILL-EGRESS");
        let others: Vec<&str> = entries
            .iter()
            .filter_map(|entry| if let Entry::Other(text) = entry { Some(text.as_str()) } else { None })
            .collect();
        let expected = [
            "-p udp -m udp --dport 53 -j DROP",
            "! -d 10.0.0.0/8 -j DROP",
            "-m conntrack --ctstate NEW -j DROP",
            "-d 10.9.0.0/16",
        ];
        assert_eq!(others, expected);
        let rules = super::super::rules(entries.clone());
        let shown: Vec<_> =
            rules.iter().map(|r| (r.id.as_str(), r.action, r.destination.to_string(), r.port)).collect();
        assert_eq!(
            shown,
            [
                ("a", Action::Allow, "10.0.0.5/32".to_owned(), Some(443)),
                ("by-hand-1", Action::Drop, "10.0.0.0/8".to_owned(), None),
                ("by-hand-2", Action::Reject, "0.0.0.0/0".to_owned(), None),
            ]
        );
        assert_eq!(rules[0].comment, "two words");
        assert_eq!(rules[1].comment, "say \"no\\never\"\n-A PULLDRILL-EGRESS -j ACCEPT");
    }

    #[test]
    fn the_chain_is_put_first_and_what_is_not_ours_is_kept() {
        let rules = super::super::rules(entries(&words(LISTED), "PULLDRILL-EGRESS"));
        let program = program(&words(LISTED), &Part::Own, &rules[..1]).unwrap();
        let expected = "*filter\n:PULLDRILL-EGRESS - [0:0]\n\
            -D OUTPUT -j PULLDRILL-EGRESS\n-I OUTPUT 1 -j PULLDRILL-EGRESS\n\
            -D FORWARD -j PULLDRILL-EGRESS\n-I FORWARD 1 -j PULLDRILL-EGRESS\n\
            -A PULLDRILL-EGRESS -p udp -m udp --dport 53 -j DROP\n-A PULLDRILL-EGRESS ! -d 10.0.0.0/8 -j DROP\n\
            -A PULLDRILL-EGRESS -m conntrack --ctstate NEW -j DROP\n-A PULLDRILL-EGRESS -d 10.9.0.0/16\n\
            -A PULLDRILL-EGRESS -d 10.0.0.5/32 -p tcp --dport 443 -m comment --comment \"pulldrill:a:two words\" \
            -j RETURN\nCOMMIT\n";
        assert_eq!(program, expected);
    }

    #[test]
    fn on_somebodys_node_rules_look_at_where_a_packet_was_sent() {
        let part = Part::Guest { mark: "x".into() };
        let listed = words(
            "-A OUTPUT -j PULLDRILL-EGRESS-x\n-A PULLDRILL-EGRESS -j DROP\n\
             -A PULLDRILL-EGRESS-x -p tcp -m conntrack --ctorigdst 10.25.3.4 --ctorigdstport 443 \
             -m comment --comment \"pulldrill:a:b\" -j RETURN\n\
             -A PULLDRILL-EGRESS-x -m conntrack --ctorigdst 10.25.3.0/24 -m comment --comment pulldrill:c: -j DROP\n\
             -A PULLDRILL-EGRESS-x -d 10.25.3.0/24 -j DROP\n",
        );
        let rules = super::super::rules(super::entries(&listed, &part.chain(EGRESS)));
        let shown: Vec<_> =
            rules.iter().map(|r| (r.id.as_str(), r.action, r.destination.to_string(), r.port)).collect();
        assert_eq!(
            shown,
            [
                ("a", Action::Allow, "10.25.3.4/32".to_owned(), Some(443)),
                ("c", Action::Drop, "10.25.3.0/24".to_owned(), None),
                ("by-hand-1", Action::Drop, "10.25.3.0/24".to_owned(), None),
            ]
        );
        let program = program(&listed, &part, &rules[..2]).unwrap();
        let expected = "*filter\n:PULLDRILL-EGRESS-x - [0:0]\n\
            -D OUTPUT -j PULLDRILL-EGRESS-x\n-I OUTPUT 1 -j PULLDRILL-EGRESS-x\n-I FORWARD 1 -j PULLDRILL-EGRESS-x\n\
            -A PULLDRILL-EGRESS-x -p tcp -m conntrack --ctorigdst 10.25.3.4/32 --ctorigdstport 443 \
            -m comment --comment \"pulldrill:a:b\" -j RETURN\n\
            -A PULLDRILL-EGRESS-x -m conntrack --ctorigdst 10.25.3.0/24 -m comment --comment \"pulldrill:c:\" \
            -j DROP\nCOMMIT\n";
        assert_eq!(program, expected);
    }

    #[test]
    fn a_range_of_the_other_family_is_refused() {
        let rule = EgressRule {
            id: "a".into(),
            action: Action::Drop,
            destination: "fd00::/8".parse().unwrap(),
            port: None,
            comment: String::new(),
        };
        assert!(program(&[], &Part::Own, &[rule]).unwrap_err().to_string().contains("fd00::/8"));
    }
}
