//! What an object's metadata may hold beside its name.
//!
//! The rules are those of `ValidateObjectMeta` in Kubernetes' API machinery and core validation.

use serde_json::Value;

use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

/// How many bytes all annotations of an object may have, keys and values.
const ANNOTATIONS: usize = 256 * 1024;

/// Finalizers that need no domain.
const STANDARD_FINALIZERS: [&str; 3] = ["foregroundDeletion", "kubernetes", "orphan"];

/// Complaints about an object's labels, annotations and finalizers.
pub(super) fn check(metadata: &Value, errors: &mut Errors) {
    names::check_labels(&"metadata.labels", &metadata["labels"], errors);
    annotations(&"metadata.annotations", &metadata["annotations"], errors);
    for (index, finalizer) in items(&metadata["finalizers"]).iter().enumerate() {
        names::check_qualified(&"metadata.finalizers", finalizer, errors);
        let name = text(finalizer);
        if !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(format_args!("metadata.finalizers[{index}]"), finalizer, why);
        }
    }
}

/// Complaints about a change: what is being deleted gets no more finalizers.
pub(super) fn change(old: &Value, new: &Value, errors: &mut Errors) {
    if old["deletionTimestamp"].is_null() {
        return;
    }
    let had = items(&old["finalizers"]);
    let more: Vec<String> =
        items(&new["finalizers"]).iter().filter(|one| !had.contains(one)).map(Value::to_string).collect();
    if !more.is_empty() {
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            more.join(", ")
        );
        errors.forbidden("metadata.finalizers", &why);
    }
}

/// Complaints about the metadata of a pod template. Their paths leave `metadata` out.
pub(super) fn of_template(path: FieldPath<'_>, metadata: &Value, errors: &mut Errors) {
    names::check_labels(&format_args!("{path}.labels"), &metadata["labels"], errors);
    annotations(&format_args!("{path}.annotations"), &metadata["annotations"], errors);
}

fn annotations(field: FieldPath<'_>, annotations: &Value, errors: &mut Errors) {
    let all = || annotations.as_object().into_iter().flatten();
    for key in all().map(|(key, _)| key.as_str()) {
        // Their case plays no part in the check; they are told as they are.
        names::check_qualified(field, &key.into(), errors);
    }
    let size: usize = all().map(|(key, value)| key.len() + text(value).len()).sum();
    if size > ANNOTATIONS {
        errors.too_long(field, &format!("may not be more than {ANNOTATIONS} bytes"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(metadata: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        check(metadata, &mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_qualified_names() {
        let fine = json!({"labels": {"a.b/c": "d"}, "annotations": {"x.y/Z": "any text"}, "finalizers": ["a.b/c", "orphan"]});
        assert!(told(&fine).is_empty());
        let told =
            told(&json!({"labels": {"a/b/c": "1"}, "annotations": {"a b": ""}, "finalizers": ["mine"]}));
        assert!(told[0].starts_with("metadata.labels: Invalid value: \"a/b/c\": a qualified name must"));
        assert!(told[1].starts_with("metadata.annotations: Invalid value: \"a b\": name part must"));
        assert!(told[2].starts_with("metadata.finalizers[0]: Invalid value: \"mine\": name is neither"));
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn what_is_being_deleted_gets_no_more_finalizers() {
        let told = |old: &Value, new: &Value| {
            let mut errors = Errors::default();
            change(old, new, &mut errors);
            errors.into_vec().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let (old, new) = (json!({"finalizers": ["a/b"]}), json!({"finalizers": ["a/b", "x.y/z"]}));
        assert!(told(&old, &new).is_empty());
        let going = json!({"finalizers": ["a/b"], "deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert!(told(&going, &json!({})).is_empty());
        assert_eq!(
            told(&going, &new),
            [
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new \
                 finalizers []string{\"x.y/z\"}"
            ]
        );
    }

    #[test]
    fn annotations_have_room_for_so_much() {
        let of = |size: usize| json!({"annotations": {"a": "x".repeat(size)}});
        assert!(told(&of(ANNOTATIONS - 1)).is_empty());
        let why = "metadata.annotations: Too long: may not be more than 262144 bytes";
        assert_eq!(told(&of(ANNOTATIONS)), [why]);
    }
}
