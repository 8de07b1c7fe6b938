//! The nodes' egress rules, as real rules in a chain of the lab's own.
//!
//! The rules are read from the node each time, so that whatever anybody changed there is seen.

use pulldrill_cluster::network::{Action, EgressRule};

use super::{KindError, engine::Inside, shell::Shell};

/// The chain.
const CHAIN: &str = "PULLDRILL-EGRESS";

/// Reads the rules of a node.
pub(super) async fn read(inside: &Inside) -> Result<Vec<EgressRule>, KindError> {
    let shell: &dyn Shell = inside;
    let text = shell.ok(&["sh", "-c", "iptables -w -S PULLDRILL-EGRESS 2>/dev/null || true"]).await?;
    Ok(text.lines().filter_map(parse).collect())
}

/// Replaces the rules of a node at once.
pub(super) async fn replace(inside: &Inside, rules: &[EgressRule]) -> Result<(), KindError> {
    let shell: &dyn Shell = inside;
    let mut lines = vec!["*filter".to_owned(), format!(":{CHAIN} - [0:0]")];
    lines.extend(rules.iter().map(line));
    lines.push("COMMIT\n".to_owned());
    shell.feed(&lines.join("\n"), &["iptables-restore", "-w", "--noflush"]).await?;
    let hook = "for chain in OUTPUT FORWARD; do
        iptables -w -C $chain -j PULLDRILL-EGRESS 2>/dev/null || iptables -w -I $chain 1 -j PULLDRILL-EGRESS
    done";
    shell.ok(&["sh", "-c", hook]).await.map(drop)
}

/// A rule as `iptables-restore` reads it.
fn line(rule: &EgressRule) -> String {
    let target = match rule.action {
        Action::Allow => "RETURN",
        Action::Drop => "DROP",
        Action::Reject => "REJECT --reject-with tcp-reset",
    };
    // A reset answers TCP only.
    let protocol = if rule.port.is_some() || rule.action == Action::Reject { " -p tcp" } else { "" };
    let port = rule.port.map(|port| format!(" --dport {port}")).unwrap_or_default();
    let comment = comment(rule);
    format!(
        "-A {CHAIN} -d {}{protocol}{port} -m comment --comment \"{comment}\" -j {target}",
        String::from(rule.destination)
    )
}

/// Id and comment in the kernel's 255 bytes, without what `iptables-restore` would read otherwise.
fn comment(rule: &EgressRule) -> String {
    let plain = |c: char| if c.is_control() || c == '"' || c == '\\' { ' ' } else { c };
    let text: String = format!("{}|{}", rule.id, rule.comment).chars().map(plain).collect();
    text[..text.floor_char_boundary(250)].to_owned()
}

/// A rule of the listing; whatever is no rule of the lab's form is shown by what can be told of it.
fn parse(line: &str) -> Option<EgressRule> {
    let words = words(line.strip_prefix("-A ")?.strip_prefix(CHAIN)?);
    let after = |name: &str| words.iter().skip_while(|word| *word != name).nth(1).map(String::as_str);
    let action = match after("-j")? {
        "DROP" => Action::Drop,
        "REJECT" => Action::Reject,
        _ => Action::Allow,
    };
    let text = after("--comment").unwrap_or_default();
    let (id, comment) = text.split_once('|').unwrap_or(("", text));
    let id = if id.is_empty() { format!("by-hand-{}", line.len()) } else { id.to_owned() };
    Some(EgressRule {
        id,
        action,
        destination: after("-d").unwrap_or("0.0.0.0/0").parse().ok()?,
        port: after("--dport").and_then(|port| port.parse().ok()),
        comment: comment.to_owned(),
    })
}

/// The words of a line of the listing, quotes resolved.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            _ if escaped => {
                word.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_survives_the_way_through_the_listing() {
        for (action, port, comment) in [
            (Action::Drop, None, "CHG-4711 outbound traffic review"),
            (Action::Allow, Some(443), ""),
            (Action::Reject, None, "a | b -j ACCEPT"),
        ] {
            let rule = EgressRule {
                id: "chg-4711".into(),
                action,
                destination: "10.25.7.0/24".parse().unwrap(),
                port,
                comment: comment.into(),
            };
            assert_eq!(parse(&line(&rule)), Some(rule));
        }
        assert_eq!(parse("-N PULLDRILL-EGRESS"), None);
        let by_hand = parse("-A PULLDRILL-EGRESS -d 10.0.0.1/32 -j DROP").unwrap();
        assert_eq!((by_hand.action, by_hand.comment.as_str()), (Action::Drop, ""));
    }

    #[test]
    fn no_comment_breaks_out_of_its_quotes() {
        let rule = EgressRule {
            id: "x".into(),
            action: Action::Drop,
            destination: "10.0.0.0/8".parse().unwrap(),
            port: None,
            comment: format!("\" -j ACCEPT\nCOMMIT {}", "é".repeat(300)),
        };
        let text = line(&rule);
        assert!(!text.contains('\n') && text.matches('"').count() == 2 && text.len() < 400, "{text}");
    }
}
