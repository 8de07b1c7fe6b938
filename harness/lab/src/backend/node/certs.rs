//! How a node's containerd is told where a registry of the lab is, and whose certificate it has: a folder for each
//! host. Where that folder is put, and how, depends on whose node it is.

use super::NodeError;
use crate::backend::NodeHost;

const HOSTS: &str = include_str!("../../../../../kind-config/hosts.toml");

/// Where containerd's settings are on a node.
pub(crate) const CONTAINERD: &str = "/etc/containerd";

/// The text of a host's `hosts.toml`; `ca` is where the lab's certificate authority is on the node, which is told of
/// it only for hosts that it trusts.
pub(crate) fn hosts_toml(host: &NodeHost, ca: &str) -> String {
    let ca = if host.trusted { format!("ca = \"{ca}\"") } else { String::new() };
    HOSTS.replace("{{server}}", &format!("https://{}", host.name)).replace("{{ca}}", &ca)
}

/// A host's folder in containerd's settings. Its name comes from a scenario, and must not lead elsewhere.
pub(crate) fn folder(image_host: &str) -> Result<String, NodeError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    if image_host.bytes().all(good)
        && image_host.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
    {
        return Ok(format!("certs.d/{image_host}"));
    }
    Err(NodeError::Invalid(format!("{image_host:?} is not the name of a registry host")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_cannot_lead_out_of_the_folder() {
        for name in ["", "..", "a/b", "../x", "_default", "a b", "a\"b"] {
            assert!(folder(name).is_err(), "{name:?}");
        }
        assert_eq!(folder("a.b:5000").unwrap(), "certs.d/a.b:5000");
    }

    #[test]
    fn a_host_is_reached_by_its_own_name_and_with_its_own_authority_if_it_is_trusted() {
        let mut host = NodeHost {
            image_host: "a.example".into(),
            name: "registry.a.example".into(),
            address: [10, 25, 3, 4].into(),
            local: ([127, 0, 0, 1], 1).into(),
            resolves: true,
            trusted: true,
        };
        let text = hosts_toml(&host, "/etc/x.pem");
        assert!(text.contains("server = \"https://registry.a.example\""), "{text}");
        assert!(text.contains("ca = \"/etc/x.pem\"") && !text.contains("{{"), "{text}");
        host.trusted = false;
        let text = hosts_toml(&host, "/etc/x.pem");
        assert!(!text.contains("ca =") && !text.contains("{{"), "{text}");
    }
}
