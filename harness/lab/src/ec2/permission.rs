//! One rule of a security group: where to, by which protocol, why. In EC2's words a permission; every one of them allows.

use std::net::Ipv4Addr;

use pulldrill_cluster::network::{Action, Cidr, EgressRule};
use sha2::{Digest, Sha256};

use super::{
    form::Form,
    refusal::Refusal,
    region::{Block, Ports, Region},
    xml::Xml,
};

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Permission {
    /// Its id, `sgr-…`.
    pub(super) id: String,
    pub(super) region: Region,
    pub(super) description: String,
}

impl Permission {
    /// The rule of a group. Its id comes from the group and what it allows, so it stays the same.
    pub(super) fn new(group: &str, region: Region, description: &str) -> Self {
        let id = id("sgr", &format!("{group} {region:?}"));
        Self { id, region, description: description.to_owned() }
    }

    /// The rule of a node that allows the same, if nodes can have such a rule.
    pub(super) fn rule(&self, action: Action, id: String) -> Result<EgressRule, Refusal> {
        let port = match self.region.ports {
            Ports::All => None,
            Ports::Tcp(from, to) if from == to => Some(from),
            Ports::Tcp(..) => return Err(Refusal::unsupported("That is a range of ports")),
            Ports::Udp | Ports::Icmp => return Err(Refusal::unsupported("That is not TCP")),
        };
        let text = self.region.block.to_string();
        let destination: Cidr = text.parse().map_err(|_| malformed(&text))?;
        Ok(EgressRule { id, action, destination, port, comment: self.description.clone() })
    }

    /// Protocol and ports, the latter as rules are listed, where there are none as -1.
    pub(super) fn protocol(&self) -> (&'static str, i32, i32) {
        match self.region.ports {
            Ports::All => ("-1", -1, -1),
            Ports::Tcp(from, to) => ("tcp", from.into(), to.into()),
            Ports::Udp => ("udp", 0, u16::MAX.into()),
            Ports::Icmp => ("icmp", -1, -1),
        }
    }

    /// The rules of a call, each address range of `IpPermissions` by itself.
    pub(super) fn of(group: &str, form: &Form) -> Result<Vec<Self>, Refusal> {
        let mut all: Vec<Self> = Vec::new();
        for item in form.items("IpPermissions") {
            let ports = ports(form, &item)?;
            for other in ["Groups", "UserIdGroupPairs", "PrefixListIds", "Ipv6Ranges"] {
                if !form.items(&format!("{item}.{other}")).is_empty() {
                    let message = "This lab's security groups have rules for IPv4 address ranges only";
                    return Err(Refusal::new("UnsupportedOperation", message));
                }
            }
            let ranges = form.items(&format!("{item}.IpRanges"));
            if ranges.is_empty() {
                return Err(Refusal::missing("cidrIp"));
            }
            for range in ranges {
                let cidr = form.get(&format!("{range}.CidrIp")).ok_or_else(|| Refusal::missing("cidrIp"))?;
                let description = form.get(&format!("{range}.Description")).unwrap_or_default();
                let permission =
                    Self::new(group, Region { block: block(cidr)?, ports }, described(description)?);
                if all.iter().any(|known| known.region == permission.region) {
                    let message = "The same permission must not appear multiple times";
                    return Err(Refusal::wrong_value(message));
                }
                all.push(permission);
            }
        }
        if all.is_empty() { Err(Refusal::missing("ipPermissions")) } else { Ok(all) }
    }

    /// As `describe-security-group-rules` has it, without what its group says.
    pub(super) fn show(&self, xml: &mut Xml) {
        let (protocol, from, to) = self.protocol();
        xml.text("ipProtocol", protocol);
        xml.text("fromPort", &from.to_string());
        xml.text("toPort", &to.to_string());
        xml.text("cidrIpv4", &self.region.block.to_string());
        if !self.description.is_empty() {
            xml.text("description", &self.description);
        }
    }

    /// As an address range within a permission.
    pub(super) fn show_range(&self, xml: &mut Xml) {
        xml.text("cidrIp", &self.region.block.to_string());
        if !self.description.is_empty() {
            xml.text("description", &self.description);
        }
    }
}

/// An id in Amazon's form that always comes from the same text.
pub(super) fn id(kind: &str, text: &str) -> String {
    let hex: String =
        Sha256::digest(format!("{kind} {text}")).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}-{}", &hex[..17])
}

fn ports(form: &Form, item: &str) -> Result<Ports, Refusal> {
    let protocol = form.get(&format!("{item}.IpProtocol")).ok_or_else(|| Refusal::missing("ipProtocol"))?;
    let port = |name: &str| match form.get(&format!("{item}.{name}")) {
        None => Ok(None),
        Some(text) => match text.parse::<i64>() {
            Ok(-1) => Ok(None),
            Ok(port) => u16::try_from(port).map(Some).map_err(|_| text),
            Err(_) => Err(text),
        },
    };
    let wrong = |text: &str| Refusal::wrong_value(format!("Invalid value '{text}' for portRange."));
    let (from, to) = (port("FromPort").map_err(wrong)?, port("ToPort").map_err(wrong)?);
    match (protocol.to_ascii_lowercase().as_str(), from, to) {
        ("-1" | "all", ..) => Ok(Ports::All),
        ("tcp" | "6", None, None) => Ok(Ports::Tcp(0, u16::MAX)),
        ("tcp" | "6", Some(from), Some(to)) if from <= to => Ok(Ports::Tcp(from, to)),
        ("tcp" | "6", Some(_), Some(_)) => {
            Err(Refusal::wrong_value("Invalid TCP/UDP port range: the first port is greater than the last"))
        }
        ("tcp" | "6", ..) => Err(Refusal::wrong_value(
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        )),
        ("udp" | "17", None | Some(0), None | Some(u16::MAX)) => Ok(Ports::Udp),
        ("udp" | "17", ..) => Err(Refusal::unsupported("That is not TCP")),
        ("icmp" | "1", ..) => Ok(Ports::Icmp),
        (other, ..) => Err(Refusal::new(
            "InvalidPermission.Malformed",
            format!("Unsupported IP protocol \"{other}\" - supported: [tcp, udp, icmp]"),
        )),
    }
}

fn malformed(cidr: &str) -> Refusal {
    Refusal::wrong_value(format!("CIDR block {cidr} is malformed"))
}

/// What Amazon takes: digits, dots, a slash.
fn block(cidr: &str) -> Result<Block, Refusal> {
    let parts = cidr.split_once('/').filter(|(_, bits)| bits.bytes().all(|byte| byte.is_ascii_digit()));
    let read = parts.and_then(|(address, bits)| {
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Block::new(address.parse::<Ipv4Addr>().ok()?, bits))
    });
    read.ok_or_else(|| malformed(cidr))
}

/// What Amazon takes for a description.
fn described(text: &str) -> Result<&str, Refusal> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b" ._-:/()#,@[]+=&;{}!$*".contains(&byte);
    if text.len() <= 255 && text.bytes().all(fine) {
        return Ok(text);
    }
    Err(Refusal::wrong_value(
        "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: \
         a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
    ))
}
