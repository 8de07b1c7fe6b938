//! Image references: `host/repository:tag@digest`, with Docker's defaults.

/// A parsed reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The registry's host, `docker.io` by default.
    pub host: String,
    /// The repository, `library/` added where Docker does.
    pub repository: String,
    /// The tag, if there is one.
    pub tag: Option<String>,
    /// The digest, if there is one.
    pub digest: Option<String>,
}

impl Reference {
    /// Reads a reference; `None` when it is none.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (name, None),
        };
        let (host, repository) = match name.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest.to_owned()),
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        let host =
            if matches!(host, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { host };
        let repository = match (host, repository.contains('/')) {
            ("docker.io", false) => format!("library/{repository}"),
            _ => repository,
        };
        let is_empty = |part: &Option<String>| part.as_deref() == Some("");
        if repository.is_empty() || repository.ends_with('/') || is_empty(&tag) || is_empty(&digest) {
            return None;
        }
        Some(Self { host: host.to_owned(), repository, tag, digest })
    }

    /// What to ask the registry for: the digest, or else the tag, or else `latest`.
    #[must_use]
    pub(crate) fn target(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }
}

#[cfg(test)]
mod tests {
    use pulldrill_clock::seed;
    use rand::RngExt;

    use super::*;

    /// As people write it, with everything that is left out.
    fn written(reference: &Reference) -> String {
        let tag = reference.tag.as_ref().map_or_else(String::new, |tag| format!(":{tag}"));
        let digest = reference.digest.as_ref().map_or_else(String::new, |digest| format!("@{digest}"));
        format!("{}/{}{tag}{digest}", reference.host, reference.repository)
    }

    #[test]
    fn what_is_read_of_any_text_is_read_again_from_what_it_means() {
        let words = [
            "docker.io",
            "index.docker.io",
            "localhost",
            "r.example",
            "5000",
            "library",
            "a",
            "é",
            "v1",
            "sha256",
            "/",
            "/",
            ":",
            ":",
            "@",
            ".",
            "",
        ];
        let mut read = 0;
        for n in 0..20_000 {
            let mut chance = seed::rng(n, "reference");
            let text: String =
                (0..chance.random_range(0..9)).map(|_| words[chance.random_range(0..words.len())]).collect();
            let Some(reference) = Reference::parse(&text) else { continue };
            read += 1;
            assert_eq!(Reference::parse(&written(&reference)), Some(reference.clone()), "{text:?}");
            let target = reference.target();
            assert!(!target.is_empty() && !reference.host.is_empty(), "{text:?}");
        }
        assert!(read > 5_000, "{read}");
    }

    #[test]
    fn references_are_read_as_docker_does() {
        let read = |text: &str| {
            Reference::parse(text).map(|r| (r.host.clone(), r.repository.clone(), r.target().to_owned()))
        };
        for (text, host, repository, target) in [
            ("postgres:15.4", "docker.io", "library/postgres", "15.4"),
            ("docker.io/postgres", "docker.io", "library/postgres", "latest"),
            ("nicolaka/netshoot", "docker.io", "nicolaka/netshoot", "latest"),
            ("registry.example:5000/a/b:v1", "registry.example:5000", "a/b", "v1"),
            ("registry.example/a:v1@sha256:00", "registry.example", "a", "sha256:00"),
        ] {
            assert_eq!(read(text), Some((host.into(), repository.into(), target.into())), "{text}");
        }
        for text in ["", "registry.example/", "a:", "a@"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
