//! A node's way to the lab: its default route, its resolver, and pods that keep their own addresses.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
};

use pulldrill_cluster::network::Cidr;

use crate::backend::kind::{KindError, shell::Shell};

/// Our chain of the table that rewrites addresses.
const CHAIN: &str = "PULLDRILL-PODS";

/// Sends everything beyond the lab's network to the registry's container, which passes nothing on.
pub(crate) async fn set_gateway(node: &dyn Shell, registry: Ipv4Addr) -> Result<(), KindError> {
    node.ok(&["ip", "route", "replace", "default", "via", &registry.to_string()]).await.map(drop)
}

/// Has the node, and what asks in its name, ask the lab for names. Docker writes the file anew when the container is
/// started again.
pub(crate) async fn set_resolver(node: &dyn Shell, server: IpAddr) -> Result<(), KindError> {
    // Docker mounts the file, so it can be written but not replaced.
    let text = format!("# Written by pulldrill\nnameserver {server}\n");
    node.feed(&text, &["sh", "-c", "cat >/etc/resolv.conf"]).await.map(drop)
}

/// Has pods reach these addresses under their own, so that none is taken for its node.
///
/// Every network plugin of kind hides pods behind their node by a rule after others in the chain that ours is put
/// first in.
pub(crate) async fn keep_pod_addresses(node: &dyn Shell, lab: &[Cidr]) -> Result<(), KindError> {
    let jump = format!("-A POSTROUTING -j {CHAIN}");
    let listed = node.ok(&["iptables", "-w", "-t", "nat", "-S", "POSTROUTING"]).await?;
    let mut program = format!("*nat\n:{CHAIN} - [0:0]\n");
    for _ in listed.lines().filter(|line| line.trim() == jump) {
        let _always_fits = writeln!(program, "-D POSTROUTING -j {CHAIN}");
    }
    let _always_fits = writeln!(program, "-I POSTROUTING 1 -j {CHAIN}");
    for range in lab {
        let _always_fits = writeln!(program, "-A {CHAIN} -d {range} -j ACCEPT");
    }
    program.push_str("COMMIT\n");
    node.feed(&program, &["iptables-restore", "-w", "--noflush"]).await.map(drop)
}
