//! Groups of a firewall that is nobody's: what they show, and what changes do to it.

use pulldrill_clock::seed;
use pulldrill_cluster::network::{Action, Cidr, EgressRule};
use rand::RngExt;

use super::{
    Account,
    change::{authorize, revoke},
    form::Form,
    group::Group,
    permission::Permission,
    refusal::Refusal,
    region::{Block, Ports, Region},
};

fn rule(id: &str, action: Action, destination: &str, port: Option<u16>) -> EgressRule {
    let destination: Cidr = destination.parse().unwrap();
    EgressRule { id: id.into(), action, destination, port, comment: String::new() }
}

fn group(rules: Vec<EgressRule>) -> Group {
    Group::new(&Account { owner: "123456789012".into(), seed: 7 }, "node-1".into(), rules)
}

fn form(text: &str) -> Form {
    Form::read(text.as_bytes()).unwrap()
}

/// The form of a change of one address range.
fn one(protocol: &str, ports: Option<(i32, i32)>, cidr: &str) -> Form {
    let ports =
        ports.map(|(from, to)| format!("&IpPermissions.1.FromPort={from}&IpPermissions.1.ToPort={to}"));
    form(&format!(
        "IpPermissions.1.IpProtocol={protocol}{}&IpPermissions.1.IpRanges.1.CidrIp={cidr}",
        ports.unwrap_or_default()
    ))
}

fn shown(group: &Group) -> Vec<String> {
    let shown = group.permissions.iter().map(|permission| {
        let (protocol, from, to) = permission.protocol();
        format!("{protocol} {from}-{to} {}", permission.region.block)
    });
    shown.collect()
}

#[test]
fn a_node_without_rules_may_reach_everything() {
    assert_eq!(shown(&group(Vec::new())), ["-1 -1--1 0.0.0.0/0"]);
    assert_eq!(group(Vec::new()).id, group(vec![rule("a", Action::Drop, "10.0.0.0/8", None)]).id);
    assert!(group(Vec::new()).id.starts_with("sg-") && group(Vec::new()).id.len() == 20);
}

#[test]
fn what_is_forbidden_is_missing_and_what_is_authorised_is_there() {
    let blocked = rule("chg-1", Action::Drop, "10.25.7.0/24", None);
    let before = group(vec![blocked.clone()]);
    assert_eq!(before.permissions.len(), 24);
    let (rules, added) = authorize(&before, &one("tcp", Some((443, 443)), "10.25.7.9/32")).unwrap();
    assert_eq!((rules[0].id.as_str(), rules[0].port), (added[0].id.as_str(), Some(443)));
    assert_eq!(&rules[1..], std::slice::from_ref(&blocked));
    let after = group(rules);
    assert_eq!(shown(&after)[0], "tcp 443-443 10.25.7.9/32");
    assert_eq!(after.permissions.len(), 25);
    let twice = authorize(&after, &one("tcp", Some((443, 443)), "10.25.7.9/32")).unwrap_err();
    assert_eq!(twice.code, "InvalidPermission.Duplicate");
    assert!(twice.message.contains("\"peer: 10.25.7.9/32, TCP, from port: 443, to port: 443, ALLOW\""));
    // By its id, as by what it says.
    for undo in
        [form(&format!("SecurityGroupRuleId.1={}", added[0].id)), one("6", Some((443, 443)), "10.25.7.9/32")]
    {
        assert_eq!(revoke(&after, &undo).unwrap().0, std::slice::from_ref(&blocked));
    }
}

#[test]
fn revoking_everything_blocks_everything_and_authorising_it_opens_it_again() {
    let (rules, _) = revoke(&group(Vec::new()), &one("-1", None, "0.0.0.0/0")).unwrap();
    assert_eq!((rules.len(), rules[0].action, rules[0].destination.bits()), (1, Action::Drop, 0));
    let closed = group(rules);
    assert!(closed.permissions.is_empty());
    assert_eq!(revoke(&closed, &one("-1", None, "0.0.0.0/0")).unwrap_err(), Refusal::no_permission());
    let (rules, _) = authorize(&closed, &one("-1", None, "0.0.0.0/0")).unwrap();
    let open = group(rules);
    assert_eq!(shown(&open), ["-1 -1--1 0.0.0.0/0"]);
    assert_eq!(shown(&group(revoke(&open, &one("all", None, "0.0.0.0/0")).unwrap().0)), [""; 0]);
}

#[test]
fn a_rule_that_is_hidden_in_part_shows_the_other_parts_and_can_lose_one() {
    let hidden = group(vec![
        rule("a", Action::Reject, "10.0.0.0/9", None),
        rule("b", Action::Allow, "10.0.0.0/8", Some(443)),
        rule("c", Action::Drop, "0.0.0.0/0", None),
    ]);
    assert_eq!(shown(&hidden), ["tcp 443-443 10.128.0.0/9"]);
    let (rules, _) = revoke(&hidden, &one("tcp", Some((443, 443)), "10.128.0.0/9")).unwrap();
    assert!(group(rules).permissions.is_empty());
}

#[test]
fn what_nodes_cannot_have_and_what_makes_no_sense_is_refused() {
    let group = group(vec![rule("a", Action::Drop, "10.0.0.0/8", Some(443))]);
    for (text, code) in [
        ("", "MissingParameter"),
        ("IpPermissions.1.IpProtocol=tcp", "MissingParameter"),
        ("IpPermissions.1.IpRanges.1.CidrIp=10.0.0.1/32", "MissingParameter"),
        (
            "IpPermissions.1.IpProtocol=gre&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.1/32",
            "InvalidPermission.Malformed",
        ),
        ("IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.1", "InvalidParameterValue"),
        (
            "IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.1/33",
            "InvalidParameterValue",
        ),
        (
            "IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.1/%2B8",
            "InvalidParameterValue",
        ),
        ("IpPermissions.1.IpProtocol=-1&IpPermissions.1.Groups.1.GroupId=sg-1", "UnsupportedOperation"),
        ("IpPermissions.1.IpProtocol=-1&IpPermissions.1.Ipv6Ranges.1.CidrIpv6=::/0", "UnsupportedOperation"),
    ] {
        assert_eq!(authorize(&group, &form(text)).unwrap_err().code, code, "{text}");
    }
    for (protocol, ports, code) in [
        ("tcp", Some((443, 80)), "InvalidParameterValue"),
        ("tcp", Some((1, 70_000)), "InvalidParameterValue"),
        ("tcp", Some((80, 443)), "UnsupportedOperation"),
        ("udp", Some((53, 53)), "UnsupportedOperation"),
        ("icmp", None, "UnsupportedOperation"),
    ] {
        let refused = authorize(&group, &one(protocol, ports, "10.0.0.1/32")).unwrap_err();
        assert_eq!(refused.code, code, "{protocol} {ports:?}");
    }
    let described = |text: &str| {
        let base = "IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.1/8&IpPermissions.1.IpRanges.1";
        authorize(&group, &form(&format!("{base}.Description={text}")))
    };
    assert_eq!(described("why%20not").unwrap().0[0].comment, "why not");
    assert_eq!(described("why%0anot").unwrap_err().code, "InvalidParameterValue");
    assert!(Form::read(b"a=1&a=2").is_err(), "which of the two?");
}

/// Chance that always falls the same way.
fn chance(n: u64) -> impl rand::Rng {
    seed::rng(n, "ec2")
}

fn any_rules(n: u64) -> Vec<EgressRule> {
    let mut chance = chance(n);
    let rules = (0..chance.random_range(0..7)).map(|id| {
        let bits = *[0, 8, 9, 24, 31, 32].get(chance.random_range(0..6)).unwrap();
        let address =
            std::net::Ipv4Addr::new(10, chance.random_range(0..3) * 127, 7, chance.random_range(0..4));
        let port = [None, Some(443), Some(80), Some(0), Some(65_535)][chance.random_range(0..5)];
        let action = [Action::Allow, Action::Drop, Action::Reject][chance.random_range(0..3)];
        rule(&format!("r{id}"), action, &format!("{address}/{bits}"), port)
    });
    rules.collect()
}

/// What the first rule that matches says.
fn reaches(rules: &[EgressRule], address: std::net::Ipv4Addr, port: u16) -> bool {
    let fits = |rule: &&EgressRule| {
        rule.destination.contains(address.into()) && rule.port.is_none_or(|only| only == port)
    };
    rules.iter().find(fits).is_none_or(|rule| rule.action == Action::Allow)
}

fn allows(permissions: &[Permission], address: std::net::Ipv4Addr, port: u16) -> bool {
    permissions.iter().any(|permission| {
        let in_ports = match permission.region.ports {
            Ports::All => true,
            Ports::Tcp(from, to) => (from..=to).contains(&port),
            Ports::Udp | Ports::Icmp => false,
        };
        in_ports && permission.region.block.contains(Block::new(address, 32))
    })
}

/// Addresses and ports that lie on this or the other side of what rules speak of.
fn places() -> impl Iterator<Item = (std::net::Ipv4Addr, u16)> {
    let addresses = [
        "10.0.7.0",
        "10.0.7.1",
        "10.0.7.3",
        "10.127.7.2",
        "10.254.7.1",
        "10.254.8.1",
        "9.0.0.1",
        "200.0.0.1",
    ];
    let ports = [0, 79, 80, 443, 65_534, 65_535];
    addresses.into_iter().flat_map(move |address| ports.map(|port| (address.parse().unwrap(), port)))
}

#[test]
fn a_group_allows_exactly_what_the_rules_of_its_node_let_through() {
    for n in 0..500 {
        let rules = any_rules(n);
        let group = group(rules.clone());
        for (address, port) in places() {
            assert_eq!(
                allows(&group.permissions, address, port),
                reaches(&rules, address, port),
                "{n}: {address}:{port} {rules:#?} {:#?}",
                shown(&group)
            );
        }
    }
}

#[test]
fn what_is_authorised_can_be_reached_and_what_is_revoked_is_shown_no_more() {
    for n in 0..100 {
        let rules = any_rules(n);
        let before = group(rules.clone());
        if let Ok((rules, added)) = authorize(&before, &one("tcp", Some((443, 443)), "10.0.7.1/32")) {
            let after = group(rules.clone());
            assert!(reaches(&rules, "10.0.7.1".parse().unwrap(), 443), "{n}");
            assert!(after.permissions.contains(&added[0]), "{n}");
            let rest = |group: &Group| -> Vec<Region> {
                let all = group.permissions.iter().map(|permission| permission.region);
                all.filter(|region| *region != added[0].region).collect()
            };
            assert_eq!(rest(&before), rest(&after), "{n}: what was there is there");
        }
        for permission in &before.permissions {
            let undo = form(&format!("SecurityGroupRuleId.1={}", permission.id));
            let Ok((rules, _)) = revoke(&before, &undo) else { continue };
            let after = group(rules.clone());
            assert!(!after.permissions.contains(permission), "{n}: {permission:?} {rules:#?}");
            let mut ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), rules.len(), "{n}: {rules:#?}");
            for (address, port) in places() {
                let others: Vec<Permission> =
                    before.permissions.iter().filter(|one| *one != permission).cloned().collect();
                assert_eq!(
                    reaches(&rules, address, port),
                    allows(&others, address, port),
                    "{n} {address}:{port}"
                );
            }
        }
    }
}

#[test]
fn forms_of_any_bytes_are_read_or_refused() {
    use rand::Rng;
    let words = [
        "IpPermissions",
        "Filter",
        "Value",
        ".",
        "1",
        "4294967296",
        "=",
        "&",
        "%",
        "%2",
        "%2e",
        "+",
        "sg-",
        "\u{fc}",
    ];
    let groups = [group(any_rules(3))];
    for n in 0..5_000 {
        let mut chance = chance(n);
        let mut body = Vec::new();
        for _ in 0..chance.random_range(0..40) {
            if chance.random_ratio(1, 8) {
                body.push((chance.next_u32() & 0xff) as u8);
            } else {
                body.extend_from_slice(words[chance.random_range(0..words.len())].as_bytes());
            }
        }
        let Ok(form) = Form::read(&body) else { continue };
        let _any = (authorize(&groups[0], &form), revoke(&groups[0], &form));
        let _any = (super::filter::groups(&groups, &form), super::filter::rules(&groups, &form));
    }
}
