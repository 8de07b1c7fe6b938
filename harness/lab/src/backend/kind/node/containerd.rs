//! How a node's containerd reaches registries: `hosts.toml` files, which it reads anew at every pull.

use std::net::SocketAddr;

use crate::backend::kind::{KindError, shell::Shell};

/// Where the files are.
const FOLDER: &str = "/etc/containerd/certs.d";

/// The lab's certificate authority.
const CA: &str = "/etc/containerd/certs.d/pulldrill-ca.crt";

/// A host of the lab.
const HOSTS: &str = include_str!("../../../../../../kind-config/hosts.toml");

/// Every other host.
const DEFAULT: &str = include_str!("../../../../../../kind-config/default-hosts.toml");

/// Writes files: pairs of a path and a text, each whole or not at all.
const WRITE: &str = r#"set -e
while [ $# -gt 1 ]; do
  mkdir -p "${1%/*}"
  printf %s "$2" >"$1.new"
  mv "$1.new" "$1"
  shift 2
done"#;

/// How nodes see a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegistryHost {
    /// As in the names of images: `docker.io`, `registry.example:5000`.
    pub(crate) name: String,
    /// Whether its certificate is trusted: a node that distrusts it has the system's authorities only.
    pub(crate) trusted: bool,
}

impl RegistryHost {
    /// Where it is asked; Docker Hub's images have another host in their names than it has.
    fn server(&self) -> String {
        let host = if self.name == "docker.io" { "registry-1.docker.io" } else { &self.name };
        format!("https://{host}")
    }

    fn folder(&self) -> Result<String, KindError> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
        if self.name.bytes().all(good) && self.name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        {
            return Ok(format!("{FOLDER}/{}", self.name));
        }
        Err(KindError::Invalid(format!("{:?} is not the name of a registry host", self.name)))
    }

    fn text(&self) -> String {
        let ca = if self.trusted { format!("ca = \"{CA}\"\n") } else { String::new() };
        HOSTS.replace("{{server}}", &self.server()).replace("{{ca}}\n", &ca)
    }
}

/// Says whether this node's containerd reads these files at all.
pub(crate) async fn check(node: &dyn Shell) -> Result<(), KindError> {
    let dump = node.ok(&["containerd", "config", "dump"]).await?;
    match config_path(&dump) {
        Some(path) if path.split(':').any(|folder| folder.trim_end_matches('/') == FOLDER) => Ok(()),
        found => Err(KindError::Invalid(format!(
            "containerd on {} reads its registry hosts from {}, not from {FOLDER}; use a node image of kind 0.27 or \
             later, or one whose /etc/containerd/config.toml has, under the registry of the CRI plugin, \
             config_path = \"{FOLDER}\"",
            node.place(),
            found.filter(|path| !path.is_empty()).unwrap_or_else(|| "nowhere".into()),
        ))),
    }
}

/// The `config_path` of the CRI plugin's registry section: containerd 1.x and 2.x name the plugin differently.
fn config_path(dump: &str) -> Option<String> {
    let mut section = "";
    for line in dump.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if let Some(("config_path", value)) =
            line.split_once('=').map(|(key, value)| (key.trim(), value.trim()))
            && section.ends_with(".registry")
            && section.contains("cri")
        {
            return Some(value.trim_matches(['"', '\'']).to_owned());
        }
    }
    None
}

/// Maps the lab's hosts, and every other host to a closed port.
pub(crate) async fn map(
    node: &dyn Shell,
    hosts: &[RegistryHost],
    ca: &str,
    closed: SocketAddr,
) -> Result<(), KindError> {
    let default =
        (format!("{FOLDER}/_default/hosts.toml"), DEFAULT.replace("{{closed}}", &closed.to_string()));
    let mut files = vec![(CA.to_owned(), ca.to_owned()), default];
    for host in hosts {
        files.push((format!("{}/hosts.toml", host.folder()?), host.text()));
    }
    let mut command = vec!["sh", "-c", WRITE, "sh"];
    command.extend(files.iter().flat_map(|(path, text)| [path.as_str(), text.as_str()]));
    node.ok(&command).await.map(drop)
}

/// Takes the files of hosts away; they then are as every other host.
pub(crate) async fn unmap(node: &dyn Shell, hosts: &[RegistryHost]) -> Result<(), KindError> {
    let folders = hosts.iter().map(RegistryHost::folder).collect::<Result<Vec<_>, _>>()?;
    let mut command = vec!["rm", "-rf"];
    command.extend(folders.iter().map(String::as_str));
    node.ok(&command).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, trusted: bool) -> RegistryHost {
        RegistryHost { name: name.into(), trusted }
    }

    #[test]
    fn docker_hub_is_asked_where_it_lives_and_only_trusted_hosts_get_the_authority() {
        let hub = host("docker.io", true).text();
        assert!(hub.contains("server = \"https://registry-1.docker.io\"\nca = \"/etc"), "{hub}");
        let other = host("registry.example:5000", false).text();
        assert!(other.contains("server = \"https://registry.example:5000\"\n"), "{other}");
        assert!(!other.contains("ca =") && other.ends_with("[host]\n"), "{other}");
    }

    #[test]
    fn a_host_cannot_lead_out_of_the_folder() {
        for name in ["", "..", "a/b", "../x", "_default", "a b", "a\"b"] {
            assert!(host(name, true).folder().is_err(), "{name:?}");
        }
        assert_eq!(host("a.b:5000", true).folder().unwrap(), "/etc/containerd/certs.d/a.b:5000");
    }

    #[test]
    fn the_path_is_found_in_the_dumps_of_both_majors() {
        let one = "[plugins]\n  [plugins.\"io.containerd.grpc.v1.cri\"]\n    [plugins.\"io.containerd.grpc.v1.cri\".registry]\n      config_path = \"/etc/containerd/certs.d\"\n";
        let two = "[plugins.'io.containerd.cri.v1.images'.registry]\n  config_path = '/etc/containerd/certs.d:/etc/docker/certs.d'\n";
        let none = "[plugins.\"io.containerd.internal.v1.opt\"]\n  config_path = \"/x\"\n";
        assert_eq!(config_path(one).unwrap(), "/etc/containerd/certs.d");
        assert!(config_path(two).unwrap().starts_with("/etc/containerd/certs.d:"));
        assert_eq!(config_path(none), None);
    }
}
