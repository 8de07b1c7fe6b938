//! Releases of Kubernetes, and the spans of them in which something is served, printed or written.
//!
//! Tables say `since` and `until`; code asks a [`Release`] whether it is within. Which release a cluster imitates is
//! its dialect's affair.

use serde::Deserialize;
use serde_json::Value;

/// A release, by its minor version. The default is later than all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(u32);

impl Default for Release {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Release {
    /// The release with a minor version.
    #[must_use]
    pub const fn minor(minor: u32) -> Self {
        Self(minor)
    }

    /// The release that an answer of `/version` is from: vendors write `20+` where they have changed something.
    #[must_use]
    pub fn of(version: &Value) -> Self {
        let minor = version["minor"].as_str().unwrap_or_default();
        Self(minor.trim_end_matches('+').parse().unwrap_or_default())
    }

    /// Whether it is this minor version or a later one.
    #[must_use]
    pub const fn since(self, minor: u32) -> bool {
        self.0 >= minor
    }
}

/// From the first release that has something to the first that has it no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Span {
    since: Option<u32>,
    until: Option<u32>,
}

impl Span {
    pub(crate) const fn new(since: Option<u32>, until: Option<u32>) -> Self {
        Self { since, until }
    }

    /// Everything from a release on.
    pub(crate) const fn since(minor: u32) -> Self {
        Self::new(Some(minor), None)
    }

    pub(crate) fn has(self, release: Release) -> bool {
        self.since.is_none_or(|since| release.since(since))
            && !self.until.is_some_and(|until| release.since(until))
    }
}

/// An entry of a table: what is always there is written as it is, all else as `{is: …, since: …, until: …}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Spanned<T> {
    Always(T),
    Within(Within<T>),
}

/// Something that not all releases have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Within<T> {
    pub(crate) is: T,
    since: Option<u32>,
    until: Option<u32>,
}

impl<T> Spanned<T> {
    /// What it stands for, where it is there.
    pub(crate) fn at(&self, release: Release) -> Option<&T> {
        match self {
            Self::Always(entry) => Some(entry),
            Self::Within(Within { is, since, until }) => Span::new(*since, *until).has(release).then_some(is),
        }
    }
}

/// What of a list is there.
pub(crate) fn at<T: Clone>(entries: &[Spanned<T>], release: Release) -> Vec<T> {
    entries.iter().filter_map(|entry| entry.at(release)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_are_there_within_their_span() {
        let text =
            "[always, {is: newer, since: 24}, {is: older, until: 24}, {is: between, since: 21, until: 25}]";
        let entries: Vec<Spanned<String>> = serde_saphyr::from_str(text).unwrap();
        for (minor, there) in [
            (20, vec!["always", "older"]),
            (23, vec!["always", "older", "between"]),
            (24, vec!["always", "newer", "between"]),
            (25, vec!["always", "newer"]),
        ] {
            assert_eq!(at(&entries, Release::minor(minor)), there, "{minor}");
        }
        assert_eq!(at(&entries, Release::default()), ["always", "newer"]);
        assert!(serde_saphyr::from_str::<Vec<Spanned<String>>>("[{is: typo, sinze: 24}]").is_err());
    }

    #[test]
    fn vendors_versions_are_read() {
        for (minor, release) in [("20", 20), ("31+", 31), ("", 0), ("x", 0)] {
            assert_eq!(Release::of(&json!({"minor": minor})), Release::minor(release));
        }
    }
}
