//! Projects: the first part of every repository's name, with an owner, and open to everybody or not.

use pulldrill_clock::Timestamp;
use serde::{Deserialize, Serialize};

/// The project that every Harbor has from the start, open to everybody.
pub(crate) const LIBRARY: &str = "library";
/// The longest name.
pub(crate) const LONGEST: usize = 255;

/// A project.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Project {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// The user who made it.
    pub(crate) owner: String,
    /// Whether everybody may pull; without a word, that is as its repositories say.
    pub(crate) public: Option<bool>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Its retention policy.
    pub(crate) retention: Option<i64>,
}

impl Project {
    /// One that is there because of its repositories and has not been taken notice of.
    pub(crate) fn unnoticed(name: &str) -> Self {
        Self {
            id: 0,
            name: name.to_owned(),
            owner: super::ADMIN.to_owned(),
            public: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            retention: None,
        }
    }
}

/// Whether a project or a robot can be called so: lower case and digits, with single separators between.
pub(crate) fn is_name(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| !part.is_empty() && part.bytes().all(alphanumeric);
    text.split(['.', '_', '-']).all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_single_separators_inside() {
        for good in ["a", "team-1", "a.b_c-d", "0"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "a/b", "a+b", "ä", "a b", "robot$a"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
