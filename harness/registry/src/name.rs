//! Names by the distribution specification: repositories and tags.

/// The longest repository name.
const LONGEST_REPOSITORY: usize = 255;
/// The longest tag.
const LONGEST_TAG: usize = 128;

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
        assert!(is_repository(&"a".repeat(255)) && !is_repository(&"a".repeat(256)));
        assert!(is_tag("v2.1.0") && is_tag("_x") && !is_tag(".x") && !is_tag("") && !is_tag("a b"));
        assert!(is_tag(&"a".repeat(128)) && !is_tag(&"a".repeat(129)));
    }
}
