//! Names: which are acceptable, and how generated ones are made.

use rand::RngExt;
use serde_json::Value;

use super::invalid::{Errors, FieldPath};
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

/// What the name in the key of a label or annotation may be.
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
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
pub(super) fn check_label(field: FieldPath<'_>, name: &Value, errors: &mut Errors) {
    let text = name.as_str().unwrap_or_default();
    if text.len() > 63 {
        errors.invalid(field, name, "must be no more than 63 characters");
    }
    if !is_label(text) {
        errors.invalid(field, name, LABEL);
    }
}

/// Complains about a name that is no subdomain.
pub(super) fn check_subdomain(field: FieldPath<'_>, name: &Value, errors: &mut Errors) {
    let text = name.as_str().unwrap_or_default();
    if text.len() > 253 {
        errors.invalid(field, name, "must be no more than 253 characters");
    }
    if !text.split('.').all(is_label) {
        errors.invalid(field, name, SUBDOMAIN);
    }
}

/// Complains about the name of a port.
pub(super) fn check_port(field: FieldPath<'_>, name: &Value, errors: &mut Errors) {
    let text = name.as_str().unwrap_or_default();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let rules = [
        (text.len() > 15, "must be no more than 15 characters"),
        (
            !text.chars().all(allowed) || text.is_empty(),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (!text.contains(|c: char| c.is_ascii_lowercase()), "must contain at least one letter (a-z)"),
        (text.contains("--"), "must not contain consecutive hyphens"),
        (text.starts_with('-') || text.ends_with('-'), "must not begin or end with a hyphen"),
    ];
    for (_, why) in rules.into_iter().filter(|(broken, _)| *broken) {
        errors.invalid(field, name, why);
    }
}

/// Complains about what is no IP address.
pub(super) fn check_address(field: FieldPath<'_>, address: &Value, errors: &mut Errors) {
    if address.as_str().unwrap_or_default().parse::<std::net::IpAddr>().is_err() {
        errors.invalid(field, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
}

/// Complains about the name of an object.
pub(super) fn check_name(resource: &Resource, name: &Value, errors: &mut Errors) {
    let text = name.as_str().unwrap_or_default();
    if text.is_empty() {
        errors.required("metadata.name", "name or generateName is required");
        return;
    }
    check_by_rule(resource.names, &"metadata.name", name, errors);
    if resource.store == "cronjobs.batch" && text.len() > 52 {
        errors.invalid("metadata.name", name, "must be no more than 52 characters");
    }
}

/// Complains about the beginning of a generated name. A dash at its end is none of the name's
/// (`ValidateObjectMetaAccessor` of apimachinery).
pub(super) fn check_generated(resource: &Resource, base: &Value, errors: &mut Errors) {
    let text = base.as_str().unwrap_or_default();
    if text.is_empty() {
        return;
    }
    let mut found = Errors::of(errors.release());
    let bare = text.strip_suffix('-').filter(|bare| !bare.is_empty()).unwrap_or(text);
    check_by_rule(resource.names, &"metadata.generateName", &bare.into(), &mut found);
    for error in found.into_vec() {
        let told = format!("Invalid value: {}: ", Value::from(bare));
        errors.invalid("metadata.generateName", base, error.message.strip_prefix(&told).unwrap_or_default());
    }
}

fn check_by_rule(rule: NameRule, field: FieldPath<'_>, name: &Value, errors: &mut Errors) {
    let text = name.as_str().unwrap_or_default();
    match rule {
        NameRule::Subdomain => check_subdomain(field, name, errors),
        NameRule::Label => check_label(field, name, errors),
        NameRule::Path => {
            if text == "." || text == ".." {
                errors.invalid(field, name, &format!("may not be '{text}'"));
            }
            for bad in ["/", "%"].into_iter().filter(|bad| text.contains(bad)) {
                errors.invalid(field, name, &format!("may not contain '{bad}'"));
            }
        }
    }
}

/// Complains about labels.
pub(super) fn check_labels(field: FieldPath<'_>, labels: &Value, errors: &mut Errors) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        check_qualified(field, &key.as_str().into(), errors);
        check_label_value(field, value, errors);
    }
}

/// Complains about the value of a label.
pub(super) fn check_label_value(field: FieldPath<'_>, value: &Value, errors: &mut Errors) {
    let text = value.as_str().unwrap_or_default();
    if text.len() > 63 {
        errors.invalid(field, value, "must be no more than 63 characters");
    }
    if !text.is_empty() && !is_word(text) {
        errors.invalid(field, value, LABEL_VALUE);
    }
}

/// Complains about a name that is no qualified one (`example.com/name`, or `name`), as keys of labels are.
pub(super) fn check_qualified(field: FieldPath<'_>, key: &Value, errors: &mut Errors) {
    let text = key.as_str().unwrap_or_default();
    let (prefix, name) = match text.split_once('/') {
        Some((_, more)) if more.contains('/') => {
            let detail = format!(
                "a qualified name {QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            );
            return errors.invalid(field, key, &detail);
        }
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if prefix.is_some_and(str::is_empty) {
        errors.invalid(field, key, "prefix part must be non-empty");
    } else if prefix.is_some_and(|prefix| !prefix.split('.').all(is_label)) {
        errors.invalid(field, key, &format!("prefix part {SUBDOMAIN}"));
    }
    if name.is_empty() {
        errors.invalid(field, key, "name part must be non-empty");
    } else if name.len() > 63 {
        errors.invalid(field, key, "name part must be no more than 63 characters");
    }
    if !is_word(name) {
        errors.invalid(field, key, &format!("name part {QUALIFIED}"));
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
            assert!(complaints(|e| check_subdomain(&"n", &json!(good), e)).is_empty(), "{good}");
        }
        for bad in ["Bad_Name", "-a", "a..b", "a-", "é"] {
            let found = complaints(|e| check_subdomain(&"metadata.name", &json!(bad), e));
            assert!(found[0].starts_with(&format!("metadata.name: Invalid value: \"{bad}\": a lowercase")));
        }
        assert_eq!(complaints(|e| check_label(&"n", &json!("a.b"), e)).len(), 1);
        assert_eq!(complaints(|e| check_labels(&"l", &json!({"a/b": "x y", "ok": ""}), e)).len(), 1);
    }

    #[test]
    fn names_of_ports() {
        let told = |name: &str| complaints(|errors| check_port(&"f", &json!(name), errors));
        for good in ["http", "a-1", "x"] {
            assert!(told(good).is_empty(), "{good}");
        }
        assert_eq!(
            told("nono_no"),
            [
                "f: Invalid value: \"nono_no\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
            ]
        );
        assert_eq!(
            told("-1--"),
            [
                "f: Invalid value: \"-1--\": must contain at least one letter (a-z)",
                "f: Invalid value: \"-1--\": must not contain consecutive hyphens",
                "f: Invalid value: \"-1--\": must not begin or end with a hyphen",
            ]
        );
        assert_eq!(told("a234567890123456").len(), 1);
    }

    #[test]
    fn qualified_names() {
        let told = |key: &str| complaints(|errors| check_qualified(&"f", &json!(key), errors));
        for good in ["a", "A.b_c-9", "example.com/MyName"] {
            assert!(told(good).is_empty(), "{good}");
        }
        for (bad, why) in [
            ("a/b/c", "a qualified name must consist of"),
            ("/b", "prefix part must be non-empty"),
            ("A_/b", "prefix part a lowercase RFC 1123 subdomain"),
            ("a b", "name part must consist of"),
            ("é", "name part must consist of"),
        ] {
            let told = told(bad);
            assert!(
                told.len() == 1 && told[0].starts_with(&format!("f: Invalid value: {bad:?}: {why}")),
                "{told:?}"
            );
        }
        assert_eq!(told("").len(), 2);
        assert_eq!(
            told(&"x".repeat(64)),
            [format!("f: Invalid value: {:?}: name part must be no more than 63 characters", "x".repeat(64))]
        );
    }

    #[test]
    fn generated_names_are_at_most_63_long() {
        let mut rng = pulldrill_clock::seed::rng(1, "test");
        let name = generate(&"x".repeat(80), &mut rng);
        assert_eq!(name.len(), 63);
        assert_ne!(generate("a-", &mut rng), generate("a-", &mut rng));
    }
}
