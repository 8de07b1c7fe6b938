//! Rules by which tags stay what they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::selector::Selector;

/// Where a rule holds: selectors of repositories, under `repository`.
pub(crate) type Scope = BTreeMap<String, Vec<Selector>>;

/// A rule of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) id: i64,
    pub(crate) project: i64,
    pub(crate) disabled: bool,
    pub(crate) tag_selectors: Vec<Selector>,
    pub(crate) scope_selectors: Scope,
}

impl Rule {
    /// Whether a tag of a repository (named without its project) stays what it is by this rule.
    pub(crate) fn holds(&self, repository: &str, tag: &str) -> bool {
        !self.disabled
            && means(&self.scope_selectors, repository)
            && !self.tag_selectors.is_empty()
            && self.tag_selectors.iter().all(|selector| selector.means(tag))
    }
}

/// Whether a scope means a repository: it has to fit every selector.
pub(crate) fn means(scope: &Scope, repository: &str) -> bool {
    let selectors = scope.get("repository").map(Vec::as_slice).unwrap_or_default();
    !selectors.is_empty() && selectors.iter().all(|selector| selector.means(repository))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(decoration: &str, pattern: &str) -> Selector {
        Selector {
            kind: "doublestar".into(),
            decoration: decoration.into(),
            pattern: pattern.into(),
            extras: String::new(),
        }
    }

    #[test]
    fn a_rule_holds_for_its_repositories_and_tags() {
        let mut rule = Rule {
            id: 1,
            project: 1,
            disabled: false,
            tag_selectors: vec![selector("matches", "release-*")],
            scope_selectors: [("repository".to_owned(), vec![selector("repoMatches", "app/**")])].into(),
        };
        assert!(rule.holds("app/web", "release-1"));
        assert!(!rule.holds("web", "release-1") && !rule.holds("app/web", "dev"));
        rule.disabled = true;
        assert!(!rule.holds("app/web", "release-1"));
        rule = Rule { disabled: false, tag_selectors: Vec::new(), ..rule };
        assert!(!rule.holds("app/web", "release-1"), "a rule about nothing is about nothing");
    }
}
