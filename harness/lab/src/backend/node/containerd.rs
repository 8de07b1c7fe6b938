//! Whether a node's containerd reads the files that say how registries are reached; it does so anew at every pull.

use super::{NodeError, shell::Shell};

/// Where the files are.
const FOLDER: &str = "/etc/containerd/certs.d";

/// Says whether this node's containerd reads these files at all.
pub(crate) async fn check(node: &dyn Shell) -> Result<(), NodeError> {
    let dump = node.ok(&["containerd", "config", "dump"]).await?;
    match config_path(&dump) {
        Some(path) if path.split(':').any(|folder| folder.trim_end_matches('/') == FOLDER) => Ok(()),
        found => Err(NodeError::Invalid(format!(
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

#[cfg(test)]
mod tests {
    use super::*;

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
