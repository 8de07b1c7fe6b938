//! What a guest lab changes on somebody's node beside its packet filter: names, and containerd's trust in the
//! registries behind them. Only for hosts of the lab's own; whatever is put somewhere carries the lab's line, so that
//! it is found and taken away again, also by a process that knows nothing but the lab's prefix.

use super::{
    NodeError,
    certs::{self, CONTAINERD},
    firewall::Part,
    shell::Shell,
};
use crate::backend::NodeHost;

const SCRIPT: &str = include_str!("guest.sh");

/// A command of the script, with the lab's prefix and more words.
fn command<'a>(verb: &'a str, prefix: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["sh", "-c", SCRIPT, "sh", verb, prefix];
    words.extend(more);
    words
}

/// Teaches a node a registry; fails when somebody else's settings for it are there.
pub(crate) async fn teach(
    node: &dyn Shell,
    prefix: &str,
    host: &NodeHost,
    authority: &str,
) -> Result<(), NodeError> {
    let folder = certs::folder(&host.image_host)?;
    let toml = certs::hosts_toml(host, &format!("{CONTAINERD}/{folder}/pulldrill-ca.pem"));
    let address = if host.resolves { host.address.to_string() } else { String::new() };
    let more = [host.image_host.as_str(), &host.name, &address, &toml, authority];
    node.ok(&command("teach", prefix, &more)).await.map(drop)
}

/// Lets a node forget a registry.
pub(crate) async fn forget(node: &dyn Shell, prefix: &str, host: &NodeHost) -> Result<(), NodeError> {
    certs::folder(&host.image_host)?;
    node.ok(&command("forget", prefix, &[&host.image_host, &host.name])).await.map(drop)
}

/// Takes everything away that a lab of this prefix has changed on a node, rules and leads too.
pub(crate) async fn clean(node: &dyn Shell, prefix: &str) -> Result<(), NodeError> {
    let part = Part::of_guest(prefix);
    node.ok(&command("clean", prefix, &[part.mark().unwrap_or_default()])).await.map(drop)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, path::Path, process::Command};

    use futures::{FutureExt, future::BoxFuture};

    use super::*;
    use crate::backend::node::shell::Output;

    /// A folder that stands for a node's `/etc`.
    struct Etc(tempfile::TempDir);

    impl Etc {
        fn path(&self, name: &str) -> std::path::PathBuf {
            self.0.path().join(name)
        }
    }

    impl Shell for Etc {
        fn place(&self) -> &str {
            "the folder"
        }

        fn run<'a>(&'a self, command: &'a [&'a str]) -> BoxFuture<'a, Result<Output, NodeError>> {
            let own = format!("{}/", self.0.path().display());
            // Paths in files stay; those that the script itself writes to are this folder's. It has no packet filter.
            let script = command[2].replace("/etc/", &own);
            let script = format!("iptables() {{ return 1; }}; nft() {{ return 1; }}\n{script}");
            let ended = Command::new("sh").arg("-c").arg(script).args(&command[3..]).output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let code = ended.status.code().unwrap_or(-1).into();
            async move { Ok(Output { code, stdout: text(&ended.stdout), stderr: text(&ended.stderr) }) }
                .boxed()
        }
    }

    fn host(name: &str, resolves: bool) -> NodeHost {
        NodeHost {
            image_host: name.into(),
            name: name.into(),
            address: [10, 25, 3, 4].into(),
            local: ([127, 0, 0, 1], 1).into(),
            resolves,
            trusted: true,
        }
    }

    fn all(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn what_was_taught_is_forgotten_and_what_is_somebodys_stays() {
        let etc = Etc(tempfile::tempdir().unwrap());
        let names = "127.0.0.1 localhost\n10.0.0.1 a.example # pulldrill:another\n";
        fs::write(etc.path("hosts"), names).unwrap();
        fs::create_dir_all(etc.path("containerd/certs.d/taken.example")).unwrap();
        fs::write(etc.path("containerd/certs.d/taken.example/hosts.toml"), "# pulldrill:another\n").unwrap();

        let (a, b) = (host("a.example", true), host("b.example", false));
        for taught in [&a, &b, &a] {
            teach(&etc, "ws", taught, "CERTIFICATE").await.unwrap();
        }
        let expected = format!("{names}10.25.3.4 a.example # pulldrill:ws\n");
        assert_eq!(fs::read_to_string(etc.path("hosts")).unwrap(), expected);
        let toml = fs::read_to_string(etc.path("containerd/certs.d/a.example/hosts.toml")).unwrap();
        assert!(
            toml.starts_with("# pulldrill:ws\n") && toml.contains("server = \"https://a.example\""),
            "{toml}"
        );
        assert!(toml.contains("/etc/containerd/certs.d/a.example/pulldrill-ca.pem\""), "{toml}");
        let taken = teach(&etc, "ws", &host("taken.example", true), "x").await.unwrap_err().to_string();
        assert!(taken.contains("taken.example is there already") && taken.contains("--seed"), "{taken}");

        forget(&etc, "ws", &b).await.unwrap();
        assert_eq!(all(&etc.path("containerd/certs.d")), ["a.example", "taken.example"]);
        clean(&etc, "ws").await.unwrap();
        clean(&etc, "ws").await.unwrap();
        assert_eq!(all(&etc.path("containerd/certs.d")), ["taken.example"]);
        assert_eq!(fs::read_to_string(etc.path("hosts")).unwrap(), names);
    }

    #[tokio::test]
    async fn a_folder_that_was_not_there_is_not_there_afterwards() {
        let etc = Etc(tempfile::tempdir().unwrap());
        fs::create_dir(etc.path("containerd")).unwrap();
        fs::write(etc.path("hosts"), "").unwrap();
        teach(&etc, "ws", &host("a.example", true), "x").await.unwrap();
        forget(&etc, "ws", &host("a.example", true)).await.unwrap();
        assert!(all(&etc.path("containerd")).is_empty());
        teach(&etc, "ws", &host("a.example", true), "x").await.unwrap();
        clean(&etc, "ws").await.unwrap();
        assert!(all(&etc.path("containerd")).is_empty());
        assert!(teach(&etc, "ws", &host("../x", true), "x").await.is_err());
    }
}
