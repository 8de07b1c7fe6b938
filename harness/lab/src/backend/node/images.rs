//! A node's images: making it forget those of a registry, so that the next pull is a real one.

use super::{NodeError, shell::Shell};

/// What comes before every command for containerd.
const CTR: [&str; 4] = ["ctr", "-n", "k8s.io", "images"];

/// Forgets the images of a registry host, as in the names of images: `docker.io`. What was forgotten, by name.
///
/// Containers that run on them go on.
pub(crate) async fn forget(node: &dyn Shell, host: &str) -> Result<Vec<String>, NodeError> {
    let list = node.ok(&[&CTR[..], &["ls"]].concat()).await?;
    let names = of_host(&list, host);
    if !names.is_empty() {
        let mut command = [&CTR[..], &["rm", "--sync"]].concat();
        command.extend(&names);
        node.ok(&command).await?;
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// The names of a host's images in containerd's list, with those under which only their content is known.
fn of_host<'a>(list: &'a str, host: &str) -> Vec<&'a str> {
    let images: Vec<(&str, &str)> = list.lines().skip(1).filter_map(name_and_target).collect();
    let ours = |name: &str| name.strip_prefix(host).is_some_and(|rest| rest.starts_with('/'));
    let alias = |name: &str| name.starts_with("sha256:");
    let gone = |target: &str| {
        let mut named = images.iter().filter(|(name, of)| *of == target && !alias(name)).peekable();
        named.peek().is_some() && named.all(|(name, _)| ours(name))
    };
    let names = images.iter().filter(|(name, target)| ours(name) || (alias(name) && gone(target)));
    names.map(|(name, _)| *name).collect()
}

fn name_and_target(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    Some((name, words.find(|word| word.starts_with("sha256:"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
REF                                 TYPE                          DIGEST     SIZE    PLATFORMS   LABELS
a.example/team/app:1                application/vnd.oci.image.v1  sha256:m1  1.0 MiB linux/amd64 io.cri-containerd.image=managed
a.example/team/app@sha256:m1        application/vnd.oci.image.v1  sha256:m1  1.0 MiB linux/amd64 io.cri-containerd.image=managed
sha256:c1                           application/vnd.oci.image.v1  sha256:m1  1.0 MiB linux/amd64 io.cri-containerd.image=managed
a.example.org/team/app:1            application/vnd.oci.image.v1  sha256:m2  1.0 MiB linux/amd64 -
a.example/team/shared:1             application/vnd.oci.image.v1  sha256:m2  1.0 MiB linux/amd64 -
sha256:c2                           application/vnd.oci.image.v1  sha256:m2  1.0 MiB linux/amd64 -
sha256:c3                           application/vnd.oci.image.v1  sha256:m3  1.0 MiB linux/amd64 -
";

    #[test]
    fn names_and_aliases_of_the_host_go_and_shared_content_stays() {
        let expected =
            ["a.example/team/app:1", "a.example/team/app@sha256:m1", "sha256:c1", "a.example/team/shared:1"];
        assert_eq!(of_host(LIST, "a.example"), expected);
        assert_eq!(of_host(LIST, "a.example.org"), ["a.example.org/team/app:1"]);
        assert!(of_host(LIST, "team").is_empty() && of_host("", "a.example").is_empty());
    }
}
