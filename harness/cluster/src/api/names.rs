//! Names: which are acceptable, and how generated ones are made.

use rand::RngExt;
use serde_json::Value;

use super::invalid::Errors;
use crate::resources::{NameRule, Resource};

/// Letters and digits that can't form words or be mistaken for each other.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// What a label (RFC 1123) may be.
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// What a subdomain (RFC 1123) may be.
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
    '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// What the value of a label may be.
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
    '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex \
    used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// What the key of a label or annotation may be.
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
    with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// A random ending of `length` characters.
pub(super) fn suffix(rng: &mut pulldrill_clock::seed::Rng, length: usize) -> String {
    (0..length).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

/// A generated name: the base, cut to 58 characters, and five random ones.
pub(super) fn generate(base: &str, rng: &mut pulldrill_clock::seed::Rng) -> String {
    let base: String = base.chars().take(58).collect();
    format!("{base}{}", suffix(rng, 5))
}

/// True for a label by RFC 1123, without the limit of length.
fn is_label(name: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends(name.chars().next())
        && ends(name.chars().next_back())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_word(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Complains about a name that is no label.
pub(super) fn check_label(field: &str, name: &Value, errors: &mut Errors) {
    let text = name.as_str().unwrap_or_default();
    if text.len() > 63 {
        errors.invalid(field, name, "must be no more than 63 characters");
    }
    if !is_label(text) {
        errors.invalid(field, name, LABEL);
    }
}

/// Complains about a name that is no subdomain.
pub(super) fn check_subdomain(field: &str, name: &Value, errors: &mut Errors) {
    let text = name.as_str().unwrap_or_default();
    if text.len() > 253 {
        errors.invalid(field, name, "must be no more than 253 characters");
    }
    if !text.split('.').all(is_label) {
        errors.invalid(field, name, SUBDOMAIN);
    }
}

/// Complains about the name of an object.
pub(super) fn check_name(resource: &Resource, name: &Value, errors: &mut Errors) {
    let text = name.as_str().unwrap_or_default();
    if text.is_empty() {
        errors.required("metadata.name", "name or generateName is required");
        return;
    }
    match resource.names {
        NameRule::Subdomain => check_subdomain("metadata.name", name, errors),
        NameRule::Label => check_label("metadata.name", name, errors),
        NameRule::Path => {
            if text == "." || text == ".." {
                errors.invalid("metadata.name", name, &format!("may not be '{text}'"));
            }
            for bad in ["/", "%"].into_iter().filter(|bad| text.contains(bad)) {
                errors.invalid("metadata.name", name, &format!("may not contain '{bad}'"));
            }
        }
    }
    if resource.store == "cronjobs.batch" && text.len() > 52 {
        errors.invalid("metadata.name", name, "must be no more than 52 characters");
    }
}

/// Complains about labels.
pub(super) fn check_labels(field: &str, labels: &Value, errors: &mut Errors) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        let name = key.rsplit_once('/').map_or(key.as_str(), |(_, name)| name);
        if !is_word(name) || name.len() > 63 {
            errors.invalid(field, &key.as_str().into(), QUALIFIED);
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            errors.invalid(field, value, "must be no more than 63 characters");
        }
        if !text.is_empty() && !is_word(text) {
            errors.invalid(field, value, LABEL_VALUE);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaints(check: impl Fn(&mut Errors)) -> Vec<String> {
        let mut errors = Errors::default();
        check(&mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_and_labels() {
        for good in ["a", "a-b.c9", "0"] {
            assert!(complaints(|e| check_subdomain("n", &json!(good), e)).is_empty(), "{good}");
        }
        for bad in ["Bad_Name", "-a", "a..b", "a-", "é"] {
            let found = complaints(|e| check_subdomain("metadata.name", &json!(bad), e));
            assert!(found[0].starts_with(&format!("metadata.name: Invalid value: \"{bad}\": a lowercase")));
        }
        assert_eq!(complaints(|e| check_label("n", &json!("a.b"), e)).len(), 1);
        assert_eq!(complaints(|e| check_labels("l", &json!({"a/b": "x y", "ok": ""}), e)).len(), 1);
    }

    #[test]
    fn generated_names_are_at_most_63_long() {
        let mut rng = pulldrill_clock::seed::rng(1, "test");
        let name = generate(&"x".repeat(80), &mut rng);
        assert_eq!(name.len(), 63);
        assert_ne!(generate("a-", &mut rng), generate("a-", &mut rng));
    }
}
