//! Names by the distribution specification: repositories, tags, digests.

use std::{
    fmt::Write as _,
    io::{self, Read},
};

use sha2::{Digest as _, Sha256};

/// The longest repository name.
const LONGEST_REPOSITORY: usize = 255;
/// The longest tag.
const LONGEST_TAG: usize = 128;

/// The digest of some bytes, `sha256:…`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    written(Sha256::digest(bytes).as_slice())
}

/// The digest of everything that a reader gives.
pub(crate) fn digest_of(mut reader: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut piece)? {
            0 => return Ok(written(hash.finalize().as_slice())),
            n => hash.update(&piece[..n]),
        }
    }
}

fn written(hash: &[u8]) -> String {
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in hash {
        let _always_fits = write!(text, "{byte:02x}");
    }
    text
}

/// True for a digest that this registry can hold.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// True for what has the form of a digest, of whatever algorithm and length.
pub(crate) fn looks_like_digest(text: &str) -> bool {
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.split_once(':').is_some_and(|(algorithm, encoded)| {
        algorithm.split(['.', '+', '_', '-']).all(|part| !part.is_empty() && part.bytes().all(lower))
            && !encoded.is_empty()
            && encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"=_-".contains(&b))
    })
}

/// True for a tag.
pub(crate) fn is_tag(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    first
        && text.len() <= LONGEST_TAG
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// True for a repository name: path components of lower-case letters and digits with single separators.
pub(crate) fn is_repository(text: &str) -> bool {
    text.len() <= LONGEST_REPOSITORY && text.split('/').all(is_component)
}

fn is_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut separator = String::new();
    for byte in text.bytes() {
        if !alphanumeric(byte) {
            separator.push(char::from(byte));
            continue;
        }
        let dashes = !separator.is_empty() && separator.bytes().all(|b| b == b'-');
        if !(dashes || matches!(separator.as_str(), "" | "." | "_" | "__")) {
            return false;
        }
        separator.clear();
    }
    let first = text.bytes().next();
    first.is_some_and(alphanumeric) && separator.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_specification() {
        for good in ["a", "library/postgres", "a.b/c__d/e---f", "0/1"] {
            assert!(is_repository(good), "{good}");
        }
        for bad in ["", "/", "a//b", "A", "a/", "-a", "a.", "a..b", "a___b", "a b", "ä", "a%2fb"] {
            assert!(!is_repository(bad), "{bad}");
        }
        assert!(is_tag("v2.1.0") && is_tag("_x") && !is_tag(".x") && !is_tag("") && !is_tag("a b"));
        assert!(
            looks_like_digest("md5+b64:a=") && !looks_like_digest("latest") && !looks_like_digest("a-:b")
        );
        assert!(is_digest(&digest(b"")) && !is_digest("sha256:00") && !is_digest("md5:00"));
    }
}
