//! Which part of a node's packet filter is ours: all names in it, so that no two labs meet in one chain.

use sha2::{Digest, Sha256};

/// Our part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The node is the lab's own.
    Own,
    /// The node is somebody's, and others may be guests there as well.
    Guest {
        /// What tells this lab's names from those of others.
        mark: String,
    },
}

impl Part {
    /// That of a guest lab, by its prefix. Names of chains are too short for any prefix.
    pub(crate) fn of_guest(prefix: &str) -> Self {
        let digest = Sha256::digest(prefix.as_bytes());
        Self::Guest { mark: digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect() }
    }

    /// What tells our names from those of others; nothing on a node of our own.
    pub(crate) fn mark(&self) -> Option<&str> {
        match self {
            Self::Own => None,
            Self::Guest { mark } => Some(mark),
        }
    }

    /// Whether destinations are changed before they are filtered.
    pub(super) fn is_led(&self) -> bool {
        matches!(self, Self::Guest { .. })
    }

    /// The name of a chain of `iptables`.
    pub(super) fn chain(&self, what: &str) -> String {
        match self.mark() {
            Some(mark) => format!("PULLDRILL-{what}-{mark}"),
            None => format!("PULLDRILL-{what}"),
        }
    }

    /// The name of the table of `nft`.
    pub(super) fn table(&self) -> String {
        match self.mark() {
            Some(mark) => format!("pulldrill_{mark}"),
            None => "pulldrill".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_two_labs_differ_and_fit() {
        let (one, other) = (Part::of_guest(&"long".repeat(12)), Part::of_guest("workshop"));
        assert_ne!(one, other);
        assert!(one.chain("EGRESS").len() < 29, "what a kernel takes");
        assert_eq!(Part::Own.chain("EGRESS"), "PULLDRILL-EGRESS");
        assert_ne!(one.table(), other.table());
    }
}
