//! What is done inside a node so that it lives in the lab: its way out, its resolver, its container runtime.
//!
//! Works on any Linux node with `sh`, `ip`, and a containerd whose `config_path` is `/etc/containerd/certs.d` (kind's
//! node images from 0.27 on). Run on Kubernetes 1.20 with containerd 1.7.

use std::net::Ipv4Addr;

use super::{
    KindError,
    engine::{Engine, Inside},
    membership::Node,
};
use crate::backend::{
    NodeHost,
    node::{
        certs::{self, CONTAINERD},
        containerd,
        shell::Shell,
    },
};

const DEFAULT_HOSTS: &str = include_str!("../../../../../kind-config/default-hosts.toml");

/// Where the authority of the lab's registries is, from there.
const AUTHORITY: &str = "pulldrill-ca.pem";

/// The n-th node's own address towards the lab. Only what the node itself sends comes from it: pods that are
/// masqueraded come from the node's address on the network.
pub(super) fn own_address(n: usize) -> Ipv4Addr {
    let [_, _, high, low] = u32::try_from(n + 1).unwrap_or(1).to_be_bytes();
    Ipv4Addr::new(198, 18, high, low)
}

/// Gives a node its address towards the lab, makes the registry its way out and its resolver, and leads every
/// registry that is not the lab's to a closed port.
pub(super) async fn settle(
    engine: &Engine,
    inside: &Inside,
    node: &Node,
    own: Ipv4Addr,
    registry: Ipv4Addr,
    authority: &str,
) -> Result<(), KindError> {
    let shell: &dyn Shell = inside;
    let script = "set -eu
        ip address replace \"$1/32\" dev lo
        ip route replace default via \"$2\" src \"$1\"
        printf 'nameserver %s\\n' \"$2\" >/etc/resolv.conf
        mkdir -p /etc/containerd/certs.d";
    shell.ok(&["sh", "-c", script, "sh", &own.to_string(), &registry.to_string()]).await?;
    containerd::check(shell).await?;
    let closed = DEFAULT_HOSTS.replace("{{closed}}", &format!("{registry}:1"));
    let files =
        [(AUTHORITY.to_owned(), authority.to_owned()), ("certs.d/_default/hosts.toml".to_owned(), closed)];
    engine.upload(&node.name, CONTAINERD, archive(&files)?).await
}

/// Tells a node's runtime how to reach registries of the lab.
pub(super) async fn add_hosts(engine: &Engine, node: &Node, hosts: &[NodeHost]) -> Result<(), KindError> {
    let ca = format!("{CONTAINERD}/{AUTHORITY}");
    let files = hosts
        .iter()
        .map(|host| {
            let folder = certs::folder(&host.image_host)?;
            Ok((format!("{folder}/hosts.toml"), certs::hosts_toml(host, &ca)))
        })
        .collect::<Result<Vec<_>, KindError>>()?;
    engine.upload(&node.name, CONTAINERD, archive(&files)?).await
}

/// Lets a node's runtime forget them.
pub(super) async fn remove_hosts(inside: &Inside, hosts: &[NodeHost]) -> Result<(), KindError> {
    let folder = |host: &NodeHost| Ok(format!("{CONTAINERD}/{}", certs::folder(&host.image_host)?));
    let folders = hosts.iter().map(folder).collect::<Result<Vec<String>, KindError>>()?;
    let mut command = vec!["rm", "-rf", "--"];
    command.extend(folders.iter().map(String::as_str));
    let shell: &dyn Shell = inside;
    shell.ok(&command).await?;
    Ok(())
}

/// Files as a tar archive.
fn archive(files: &[(String, String)]) -> Result<Vec<u8>, KindError> {
    let failed = KindError::file("pack", "files for a node");
    let mut archive = tar::Builder::new(Vec::new());
    let packed = files.iter().try_for_each(|(path, text)| {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes())
    });
    packed.and_then(|()| archive.into_inner()).map_err(failed)
}
