//! Which of a pod's credentials are for an image.

use super::secrets::Entry;
use crate::puller::Reference;

/// Under this entry clients keep their Docker Hub login; it is used when nothing else matches.
const HUB: &str = "index.docker.io";

/// The entries for an image, the more specific ones first, equal ones in their given order.
pub(super) fn matching(entries: &[Entry], reference: &Reference) -> Vec<Entry> {
    let image = reference.name();
    let mut keyed: Vec<(String, &Entry)> = entries.iter().map(|e| (key_of(&e.server), e)).collect();
    keyed.sort_by(|a, b| b.0.cmp(&a.0));
    let found: Vec<Entry> =
        keyed.iter().filter(|(key, _)| matches(key, &image)).map(|(_, e)| (*e).clone()).collect();
    if !found.is_empty() || reference.domain != "docker.io" {
        return found;
    }
    keyed.into_iter().filter(|(key, _)| key == HUB).map(|(_, e)| e.clone()).collect()
}

/// A server as it is compared: without scheme, without an API version for a path.
fn key_of(server: &str) -> String {
    let bare = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    let (host, path) = bare.split_once('/').map_or((bare, ""), |(host, path)| (host, path));
    let path = path.strip_prefix("v1/").or_else(|| path.strip_prefix("v2/")).unwrap_or(path);
    if path.is_empty() { host.to_owned() } else { format!("{host}/{path}") }
}

/// Whether a server, as configurations write it, is for an image.
pub(super) fn is_for(server: &str, image: &str) -> bool {
    matches(&key_of(server), image)
}

fn matches(key: &str, image: &str) -> bool {
    let (key_host, key_path) = key.split_once('/').unwrap_or((key, ""));
    let (host, path) = image.split_once('/').unwrap_or((image, ""));
    let (key_name, key_port) = key_host.split_once(':').unwrap_or((key_host, ""));
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let labels = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (key_labels, labels) = (labels(key_name), labels(name));
    key_port == port
        && key_labels.len() == labels.len()
        && key_labels.iter().zip(&labels).all(|(pattern, label)| glob(pattern.as_bytes(), label.as_bytes()))
        && path.starts_with(key_path)
}

/// `*` is any run of characters, `?` any one.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            glob(rest, text) || text.split_first().is_some_and(|(_, later)| glob(pattern, later))
        }
        (Some((b'?', rest)), Some((_, later))) => glob(rest, later),
        (Some((p, rest)), Some((t, later))) => p == t && glob(rest, later),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(server: &str) -> Entry {
        Entry { server: server.to_owned(), ..Entry::default() }
    }

    #[test]
    fn servers_match_images_as_they_do_in_a_kubelet() {
        let ecr = "123456789012.dkr.ecr.ap-south-1.amazonaws.com/team/app:1";
        let cases = [
            ("https://index.docker.io/v1/", "nginx", true),
            ("index.docker.io", "nginx", true),
            ("docker.io", "nginx", true),
            ("https://docker.io", "team/app", true),
            ("https://index.docker.io/v1", "nginx", false),
            ("registry-1.docker.io", "nginx", false),
            ("hub.docker.com", "nginx", false),
            ("quay.io/core", "quay.io/coreos/x", true),
            ("quay.io/other", "quay.io/coreos/x", false),
            ("*.dkr.ecr.*.amazonaws.com", ecr, true),
            ("*.amazonaws.com", ecr, false),
            ("r.example", "r.example:443/app", false),
            ("r.example:443", "r.example:443/app", true),
            ("http://r.example/v2/", "r.example/app", true),
            ("other.example", "r.example/app", false),
        ];
        for (server, image, expected) in cases {
            let found = matching(&[entry(server)], &Reference::parse(image).unwrap());
            assert_eq!(!found.is_empty(), expected, "{server} for {image}");
        }
    }

    #[test]
    fn the_specific_comes_first_and_the_hub_default_last() {
        let image = Reference::parse("quay.io/team/app").unwrap();
        let found = matching(&[entry("quay.io"), entry("quay.io/team")], &image);
        assert_eq!(found.iter().map(|e| e.server.as_str()).collect::<Vec<_>>(), ["quay.io/team", "quay.io"]);
        let hub = Reference::parse("nginx").unwrap();
        assert_eq!(matching(&[entry("index.docker.io"), entry("docker.io")], &hub).len(), 1);
    }
}
