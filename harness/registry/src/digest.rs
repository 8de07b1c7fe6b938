//! Digests: names of content that nobody can give to other content. The two algorithms that the image specification
//! has registered and that clients use: SHA-256, which is the usual one, and SHA-512.

use std::{
    fmt::Write as _,
    io::{self, Read},
};

use sha2::{Digest as _, Sha256, Sha512};

/// How a digest is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// What is used where nobody asks for another.
    Sha256,
    /// The longer one.
    Sha512,
}

impl Algorithm {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// What digests begin with.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// By name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Of a digest that this registry can hold content under.
    pub(crate) fn of(digest: &str) -> Option<Self> {
        let (name, hex) = digest.split_once(':')?;
        let algorithm = Self::named(name)?;
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (hex.len() == algorithm.hex_length() && hex.bytes().all(lower)).then_some(algorithm)
    }

    const fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    /// The digest of some bytes.
    pub(crate) fn digest(self, bytes: &[u8]) -> String {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The digest of everything that a reader gives.
    pub(crate) fn digest_of(self, mut reader: impl Read) -> io::Result<String> {
        let mut hasher = Hasher::new(self);
        let mut piece = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut piece)? {
                0 => return Ok(hasher.finish()),
                n => hasher.update(&piece[..n]),
            }
        }
    }
}

/// A digest that is being made.
#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Of nothing, for now.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// How.
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Goes on.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest of what has come.
    pub(crate) fn finish(self) -> String {
        let algorithm = self.algorithm();
        match self {
            Self::Sha256(hash) => written(algorithm, hash.finalize().as_slice()),
            Self::Sha512(hash) => written(algorithm, hash.finalize().as_slice()),
        }
    }
}

fn written(algorithm: Algorithm, hash: &[u8]) -> String {
    let mut text = String::with_capacity(7 + algorithm.hex_length());
    let _always_fits = write!(text, "{}:", algorithm.name());
    for byte in hash {
        let _always_fits = write!(text, "{byte:02x}");
    }
    text
}

/// The usual digest of some bytes, `sha256:…`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Algorithm::Sha256.digest(bytes)
}

/// True for a digest that this registry can hold.
pub(crate) fn is_digest(text: &str) -> bool {
    Algorithm::of(text).is_some()
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

/// True for a digest that content may have: one that this registry can hold, or one of an algorithm that it does not
/// know. A known algorithm with the wrong number of digits is neither.
pub(crate) fn may_be_digest(text: &str) -> bool {
    let of_known = text.split_once(':').is_some_and(|(name, _)| Algorithm::named(name).is_some());
    if of_known { is_digest(text) } else { looks_like_digest(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_told_from_what_only_looks_like_one() {
        assert!(
            looks_like_digest("md5+b64:a=") && !looks_like_digest("latest") && !looks_like_digest("a-:b")
        );
        assert!(is_digest(&digest(b"")) && !is_digest("sha256:00") && !is_digest("md5:00"));
        assert!(!is_digest(&digest(b"").to_uppercase()), "digits are lower case");
        assert!(may_be_digest("blake3:00") && !may_be_digest("sha256:00") && !may_be_digest("x"));
    }

    #[test]
    fn both_algorithms_are_those_of_everybody_else() {
        // The examples of FIPS 180.
        assert_eq!(digest(b"abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let long = Algorithm::Sha512.digest(b"abc");
        assert!(long.starts_with("sha512:ddaf35a193617abacc417349ae204131"), "{long}");
        assert!(is_digest(&long));
        assert_eq!(Algorithm::Sha512.digest_of(&b"abc"[..]).unwrap(), long);
    }
}
