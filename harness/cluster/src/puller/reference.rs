//! Image references as the kubelet and the runtime read them: parsing, normal form, and the words of refusal.
//!
//! The grammar is that of Docker references: `[domain/]path[:tag][@digest]`, with `docker.io` and
//! `library/` filled in where they are left out.

use std::fmt;

use thiserror::Error;

const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DOMAIN: &str = "index.docker.io";

/// A parsed, normalised image reference with a tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The registry's domain, perhaps with a port: `docker.io`, `registry.example:5000`.
    pub domain: String,
    /// The repository: `library/nginx`.
    pub repository: String,
    /// The tag; absent when there is a digest.
    pub tag: Option<String>,
    /// The digest: `sha256:…`.
    pub digest: Option<String>,
}

/// Why a text is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// It does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// The repository, which is quoted, has upper-case letters.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// It looks like an image id.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    Identifier(String),
    /// The name is longer than any registry accepts.
    #[error("repository name must not be more than 255 characters")]
    TooLong,
    /// The digest is of an algorithm nobody knows.
    #[error("unsupported digest algorithm")]
    Algorithm,
    /// The digest is too short or too long.
    #[error("invalid checksum digest length")]
    DigestLength,
}

impl ReferenceError {
    /// The text, with or without the name of the repository where it is in upper case.
    #[must_use]
    pub fn text(&self, names_repository: bool) -> String {
        match self {
            Self::Uppercase(_) if !names_repository => {
                "invalid reference format: repository name must be lowercase".to_owned()
            }
            other => other.to_string(),
        }
    }
}

impl Reference {
    /// Parses what a pod says; the tag is `latest` when there is neither tag nor digest.
    ///
    /// # Errors
    /// [`ReferenceError`].
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.len() == 64 && text.bytes().all(is_lower_hex) {
            return Err(ReferenceError::Identifier(text.to_owned()));
        }
        let (domain, rest) = split_domain(text);
        let name = rest.split(':').next().unwrap_or_default();
        if name.chars().any(char::is_uppercase) {
            return Err(ReferenceError::Uppercase(name.to_owned()));
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (rest.as_str(), None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (rest, None),
        };
        let well_formed = is_domain(&domain)
            && repository.split('/').all(is_path_component)
            && tag.as_deref().is_none_or(is_tag)
            && digest.as_deref().is_none_or(looks_like_digest);
        if !well_formed {
            return Err(ReferenceError::Format);
        }
        if domain.len() + 1 + repository.len() > 255 {
            return Err(ReferenceError::TooLong);
        }
        if let Some(digest) = &digest {
            check_digest(digest)?;
        }
        let tag = match (&digest, tag) {
            (Some(_), _) => None,
            (None, tag) => Some(tag.unwrap_or_else(|| "latest".to_owned())),
        };
        Ok(Self { domain, repository: repository.to_owned(), tag, digest })
    }

    /// Domain and repository, without tag and digest: what credentials are matched against.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.repository)
    }

    /// What the registry is asked for: the digest, or else the tag.
    #[must_use]
    pub fn object(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }

    /// The host that serves this reference, with its port if one was given.
    #[must_use]
    pub fn host(&self) -> &str {
        if self.domain == DEFAULT_DOMAIN { "registry-1.docker.io" } else { &self.domain }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.digest.is_some() { '@' } else { ':' };
        write!(f, "{}/{}{separator}{}", self.domain, self.repository, self.object())
    }
}

/// The domain (a default one if none is named) and the rest.
fn split_domain(text: &str) -> (String, String) {
    let (domain, rest) = match text.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.chars().any(char::is_uppercase) =>
        {
            (first.to_owned(), rest.to_owned())
        }
        _ => (DEFAULT_DOMAIN.to_owned(), text.to_owned()),
    };
    let domain = if domain == LEGACY_DOMAIN { DEFAULT_DOMAIN.to_owned() } else { domain };
    let official = domain == DEFAULT_DOMAIN && !rest.contains('/');
    (domain, if official { format!("library/{rest}") } else { rest })
}

fn is_lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let component = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    host.split('.').all(component)
        && port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

/// Lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let joins = text.split(alphanumeric).filter(|join| !join.is_empty());
    text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && joins.into_iter().all(|join| matches!(join, "." | "_" | "__") || join.bytes().all(|b| b == b'-'))
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut bytes = text.bytes();
    text.len() <= 128 && bytes.next().is_some_and(word) && bytes.all(|b| word(b) || b == b'.' || b == b'-')
}

fn looks_like_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
            && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_+.".contains(&b))
            && hex.len() >= 32
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn check_digest(text: &str) -> Result<(), ReferenceError> {
    let (algorithm, hex) = text.split_once(':').ok_or(ReferenceError::Format)?;
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Err(ReferenceError::Algorithm),
    };
    if hex.len() == length { Ok(()) } else { Err(ReferenceError::DigestLength) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_normalised() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let pinned = format!("registry.example:5000/a/b:1.0@{digest}");
        let pinned_normal = format!("registry.example:5000/a/b@{digest}");
        let cases = [
            ("nginx", "docker.io/library/nginx:latest", "registry-1.docker.io"),
            ("limited/app:5.0", "docker.io/limited/app:5.0", "registry-1.docker.io"),
            ("index.docker.io/nginx:1", "docker.io/library/nginx:1", "registry-1.docker.io"),
            ("localhost/app", "localhost/app:latest", "localhost"),
            ("a.example/x__y/z--a.b:T_1", "a.example/x__y/z--a.b:T_1", "a.example"),
            (&pinned, &pinned_normal, "registry.example:5000"),
        ];
        for (text, normal, host) in cases {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.to_string(), normal);
            assert_eq!(reference.host(), host);
        }
    }

    #[test]
    fn refusals_have_their_words() {
        let hex = "a".repeat(64);
        let long = format!("r.example/{}", "a/".repeat(130) + "a");
        let cases = [
            (
                "registry.lab.test/Team/App:1.0",
                "invalid reference format: repository name (Team/App) must be lowercase",
            ),
            ("BUSYBOX", "invalid reference format: repository name (library/BUSYBOX) must be lowercase"),
            ("https://registry.lab.test/team/app:1.0", "invalid reference format"),
            (":tag", "invalid reference format"),
            ("<todo>", "invalid reference format"),
            ("docker pull x", "invalid reference format"),
            ("nginx ", "invalid reference format"),
            ("a:b:c", "invalid reference format"),
            ("a/b@sha256:12", "invalid reference format"),
            ("r.example/a//b", "invalid reference format"),
            ("a@sha256:00000000000000000000000000000000", "invalid checksum digest length"),
            ("a@md9:00000000000000000000000000000000", "unsupported digest algorithm"),
            (&long, "repository name must not be more than 255 characters"),
        ];
        for (text, words) in cases {
            assert_eq!(Reference::parse(text).unwrap_err().to_string(), words, "{text}");
        }
        assert!(matches!(Reference::parse(&hex), Err(ReferenceError::Identifier(_))));
        let old = Reference::parse("A/Foo").unwrap_err().text(false);
        assert_eq!(old, "invalid reference format: repository name must be lowercase");
    }
}
