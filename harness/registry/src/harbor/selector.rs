//! Which repositories and tags a rule means: patterns as Harbor's `doublestar` selectors have them.
//!
//! `*` is anything up to a slash, `**` anything at all, `?` one letter, `[a-c]` one of some, `{a,b}` either.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest pattern that is looked at, and the most ways of reading its braces.
const LONGEST: usize = 512;
const MOST_WAYS: usize = 64;

/// A selector, of repositories or of tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Selector {
    #[serde(default)]
    pub(crate) kind: String,
    /// `matches`, `excludes`, `repoMatches` or `repoExcludes`.
    #[serde(default)]
    pub(crate) decoration: String,
    #[serde(default)]
    pub(crate) pattern: String,
    /// JSON: whether what has no tag is meant as well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) extras: String,
}

impl Selector {
    fn excludes(&self) -> bool {
        matches!(self.decoration.as_str(), "excludes" | "repoExcludes")
    }

    /// Whether it means a name.
    pub(crate) fn means(&self, name: &str) -> bool {
        fits(&self.pattern, name) != self.excludes()
    }

    /// Whether it means something with these tags.
    pub(crate) fn means_any<'a>(&self, tags: impl IntoIterator<Item = &'a str>) -> bool {
        let mut tags = tags.into_iter().peekable();
        if tags.peek().is_none() {
            let extras: Value = serde_json::from_str(&self.extras).unwrap_or_default();
            return extras["untagged"] == true;
        }
        tags.any(|tag| self.means(tag))
    }
}

/// Whether a name is as the pattern says.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    if pattern.len() > LONGEST {
        return false;
    }
    let mut ways = Vec::new();
    spread(pattern, &mut ways);
    let name: Vec<char> = name.chars().collect();
    ways.iter().any(|way| fits_plain(&way.chars().collect::<Vec<_>>(), &name))
}

/// A pattern without braces for each way of reading them, the innermost first.
fn spread(pattern: &str, ways: &mut Vec<String>) {
    let close = pattern.find('}');
    let braces = close.and_then(|close| Some((pattern[..close].rfind('{')?, close)));
    let Some((open, close)) = braces else {
        ways.push(pattern.to_owned());
        return;
    };
    for way in pattern[open + 1..close].split(',') {
        if ways.len() >= MOST_WAYS {
            return;
        }
        spread(&format!("{}{way}{}", &pattern[..open], &pattern[close + 1..]), ways);
    }
}

/// Which beginnings of the name each beginning of the pattern fits: in the product of both lengths, whatever they are.
fn fits_plain(pattern: &[char], name: &[char]) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    let mut rest = pattern;
    while let Some((one, after)) = rest.split_first() {
        let mut next = vec![false; name.len() + 1];
        rest = after;
        match one {
            '*' => {
                let any = rest.first() == Some(&'*');
                rest = if any { &rest[1..] } else { rest };
                for at in 0..=name.len() {
                    let goes_on = at > 0 && next[at - 1] && (any || name[at - 1] != '/');
                    next[at] = reached[at] || goes_on;
                }
                // `**/` may be nothing at all.
                if any && rest.first() == Some(&'/') {
                    let mut skipped = vec![false; name.len() + 1];
                    for at in 0..=name.len() {
                        skipped[at] = reached[at] || (at > 0 && next[at - 1] && name[at - 1] == '/');
                    }
                    (next, rest) = (skipped, &rest[1..]);
                }
            }
            '[' if rest.contains(&']') => {
                let end = rest.iter().position(|letter| *letter == ']').unwrap_or_default();
                step(&reached, &mut next, name, |letter| letter != '/' && in_class(&rest[..end], letter));
                rest = &rest[end + 1..];
            }
            '?' => step(&reached, &mut next, name, |letter| letter != '/'),
            '\\' if !rest.is_empty() => {
                step(&reached, &mut next, name, |letter| letter == rest[0]);
                rest = &rest[1..];
            }
            one => step(&reached, &mut next, name, |letter| letter == *one),
        }
        reached = next;
    }
    reached[name.len()]
}

fn step(reached: &[bool], next: &mut [bool], name: &[char], fits: impl Fn(char) -> bool) {
    for (at, letter) in name.iter().enumerate() {
        next[at + 1] = reached[at] && fits(*letter);
    }
}

fn in_class(class: &[char], letter: char) -> bool {
    let (negated, class) = match class.split_first() {
        Some(('^' | '!', rest)) => (true, rest),
        _ => (false, class),
    };
    let mut inside = false;
    let mut rest = class;
    while let Some((first, after)) = rest.split_first() {
        match after {
            ['-', last, others @ ..] => {
                inside |= (*first..=*last).contains(&letter);
                rest = others;
            }
            others => {
                inside |= *first == letter;
                rest = others;
            }
        }
    }
    inside != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_doublestar_means() {
        for (pattern, yes, no) in [
            ("**", &["", "a", "a/b/c"][..], &[][..]),
            ("*", &["", "latest"], &["a/b"]),
            ("v*", &["v1", "v"], &["1", "av1", "v1/x"]),
            ("**/app", &["app", "a/app", "a/b/app"], &["myapp", "app/x"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "b/a"]),
            ("{latest,v1.*}", &["latest", "v1.2"], &["v2", "late"]),
            ("{a,b{1,2}}", &["a", "b1", "b2"], &["b", "b3"]),
            ("v[0-9].?", &["v1.x", "v9.0"], &["vx.0", "v1.", "v10.0"]),
            ("[!a]b", &["xb"], &["ab", "b"]),
            ("a\\*", &["a*"], &["ab"]),
            ("", &[""], &["a"]),
            ("[a", &["[a"], &["a"]),
            ("a}", &["a}"], &["a"]),
        ] {
            for name in yes {
                assert!(fits(pattern, name), "{pattern} {name}");
            }
            for name in no {
                assert!(!fits(pattern, name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn a_hostile_pattern_costs_little() {
        let stars = "*a".repeat(200);
        assert!(!fits(&stars, &"a".repeat(128)) && fits(&"*".repeat(300), &"b".repeat(128)));
        assert!(!fits(&"{a,b}".repeat(100), "zzz"));
        assert!(!fits(&"*".repeat(LONGEST + 1), "a"));
        assert!(!fits(&"{".repeat(300), "a") && fits("{,,,}", ""));
    }

    #[test]
    fn what_has_no_tag_is_meant_only_when_that_is_said() {
        let selector = |decoration: &str, extras: &str| Selector {
            kind: "doublestar".into(),
            decoration: decoration.into(),
            pattern: "v*".into(),
            extras: extras.into(),
        };
        let matches = selector("matches", r#"{"untagged":true}"#);
        assert!(matches.means_any([]) && matches.means_any(["x", "v1"]) && !matches.means_any(["x"]));
        let excludes = selector("excludes", "not json");
        assert!(!excludes.means_any([]) && excludes.means_any(["x"]) && !excludes.means_any(["v1"]));
        assert!(selector("repoExcludes", "").means("x") && !selector("repoMatches", "").means("x"));
    }
}
