//! A node's security group: its id and its name, and what the node's rules come to when they are told as a group's.
//!
//! Of a node's rules the first that matches counts, they allow and forbid, and what none matches is allowed. A group only
//! allows. So the group has, for each rule that allows, what is left of it without those before it that forbid; and
//! beside them what is left of everything without all that forbid. It is exact for IPv4, which the lab's nodes speak.

use std::collections::BTreeMap;

use pulldrill_cluster::network::{Action, EgressRule};

use super::{
    Account,
    permission::{Permission, id},
    region::{Block, Ports, Region},
    xml::Xml,
};

/// The group of a node.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) vpc: String,
    pub(super) owner: String,
    pub(super) node: String,
    /// The node's own rules.
    pub(super) rules: Vec<EgressRule>,
    pub(super) permissions: Vec<Permission>,
}

impl Group {
    pub(super) fn new(account: &Account, node: String, rules: Vec<EgressRule>) -> Self {
        let seed = account.seed;
        let id_of = |kind: &str, text: &str| id(kind, &format!("{seed} {text}"));
        let group = id_of("sg", &node);
        let permissions = permissions(&group, &rules);
        Self { id: group, vpc: id_of("vpc", ""), owner: account.owner.clone(), node, rules, permissions }
    }

    /// Its tags.
    pub(super) fn tags(&self) -> [(&'static str, &str); 2] {
        [("Name", &self.node), ("kubernetes.io/cluster/pulldrill", "owned")]
    }

    pub(super) fn description(&self) -> String {
        format!("What {} may reach", self.node)
    }

    pub(super) fn arn(&self) -> String {
        format!("arn:aws:ec2:us-east-1:{}:security-group/{}", self.owner, self.id)
    }

    /// As `describe-security-groups` has it.
    pub(super) fn show(&self, xml: &mut Xml) {
        let mut by_protocol: BTreeMap<_, Vec<&Permission>> = BTreeMap::new();
        for permission in &self.permissions {
            by_protocol.entry(permission.protocol()).or_default().push(permission);
        }
        xml.within("item", |xml| {
            xml.text("ownerId", &self.owner);
            xml.text("groupId", &self.id);
            xml.text("groupName", &self.node);
            xml.text("groupDescription", &self.description());
            xml.text("vpcId", &self.vpc);
            xml.text("securityGroupArn", &self.arn());
            xml.within("ipPermissions", |_| {});
            xml.items("ipPermissionsEgress", by_protocol, |xml, ((protocol, from, to), ranges)| {
                xml.text("ipProtocol", protocol);
                if protocol != "-1" {
                    xml.text("fromPort", &from.to_string());
                    xml.text("toPort", &to.to_string());
                }
                xml.within("groups", |_| {});
                xml.items("ipRanges", ranges, |xml, permission| permission.show_range(xml));
                xml.within("ipv6Ranges", |_| {});
                xml.within("prefixListIds", |_| {});
            });
            xml.items("tagSet", self.tags(), |xml, (key, value)| {
                xml.text("key", key);
                xml.text("value", value);
            });
        });
    }

    /// One of its rules, as `describe-security-group-rules` has it.
    pub(super) fn show_rule(&self, permission: &Permission, xml: &mut Xml) {
        xml.within("item", |xml| {
            xml.text("securityGroupRuleId", &permission.id);
            xml.text("groupId", &self.id);
            xml.text("groupOwnerId", &self.owner);
            xml.text("isEgress", "true");
            permission.show(xml);
            xml.within("tagSet", |_| {});
        });
    }
}

/// What a rule of a node is about; nothing when it is about addresses that are not IPv4.
pub(super) fn region(rule: &EgressRule) -> Option<Region> {
    let std::net::IpAddr::V4(base) = rule.destination.base() else { return None };
    let ports = rule.port.map_or(Ports::All, |port| Ports::Tcp(port, port));
    Some(Region { block: Block::new(base, rule.destination.bits()), ports })
}

/// Everything.
pub(super) const EVERYTHING: Region = Region { block: Block::ALL, ports: Ports::All };

fn permissions(group: &str, rules: &[EgressRule]) -> Vec<Permission> {
    let mut forbidden: Vec<Region> = Vec::new();
    let mut all: Vec<Permission> = Vec::new();
    let mut add = |regions: Vec<Region>, description: &str| {
        for region in regions {
            if !all.iter().any(|known| known.region == region) {
                all.push(Permission::new(group, region, description));
            }
        }
    };
    for rule in rules {
        let Some(region) = region(rule) else { continue };
        match rule.action {
            Action::Allow => add(region.without_all(&forbidden), &rule.comment),
            Action::Drop | Action::Reject => forbidden.push(region),
        }
    }
    add(EVERYTHING.without_all(&forbidden), "");
    all
}
