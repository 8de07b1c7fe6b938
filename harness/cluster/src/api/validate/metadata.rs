//! What an object's metadata may hold beside its name.
//!
//! The rules are those of `ValidateObjectMeta` in Kubernetes' API machinery and core validation.

use std::fmt;

use serde_json::{Value, json};

use crate::api::{
    invalid::{Errors, FieldPath, own_type},
    json::{items, text},
    names,
};

/// How many bytes all annotations of an object may have, keys and values.
const ANNOTATIONS: usize = 256 * 1024;

/// Finalizers that need no domain.
const STANDARD_FINALIZERS: [&str; 3] = ["foregroundDeletion", "kubernetes", "orphan"];

/// What is said of an object that is being deleted.
pub(in crate::api) const DELETION: [&str; 2] = ["deletionTimestamp", "deletionGracePeriodSeconds"];

/// Complaints about an object's labels, annotations, owners and finalizers.
pub(super) fn check(metadata: &Value, errors: &mut Errors) {
    names::check_labels(&"metadata.labels", &metadata["labels"], errors);
    annotations(&"metadata.annotations", &metadata["annotations"], errors);
    owners(items(&metadata["ownerReferences"]), errors);
    let finalizers = &metadata["finalizers"];
    for finalizer in items(finalizers) {
        names::check_qualified(&"metadata.finalizers", finalizer, errors);
    }
    if ["orphan", "foregroundDeletion"].iter().all(|name| items(finalizers).iter().any(|f| f == name)) {
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.invalid("metadata.finalizers", finalizers, why);
    }
    for (index, finalizer) in items(finalizers).iter().enumerate() {
        let name = text(finalizer);
        if !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(format_args!("metadata.finalizers[{index}]"), finalizer, why);
        }
    }
}

/// Complaints about those that an object belongs to (`ValidateOwnerReferences`). Which one is meant is not said.
fn owners(references: &[Value], errors: &mut Errors) {
    let field = "metadata.ownerReferences";
    let mut controller: Option<String> = None;
    for reference in references {
        let version = match text(&reference["apiVersion"]).split('/').collect::<Vec<_>>().as_slice() {
            [version] | [_, version] => *version,
            _ => "",
        };
        if version.is_empty() {
            let value = text(&reference["apiVersion"]).into();
            errors.invalid(format_args!("{field}.apiVersion"), &value, "version must not be empty");
        }
        for part in ["kind", "name", "uid"].into_iter().filter(|part| text(&reference[*part]).is_empty()) {
            errors.invalid(format_args!("{field}.{part}"), &"".into(), "must not be empty");
        }
        if reference["apiVersion"] == "v1" && reference["kind"] == "Event" {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            errors.invalid_shown(field, &reference_shown(reference), why);
        }
        if reference["controller"] == true {
            let name = format!("{}/{}", text(&reference["kind"]), text(&reference["name"]));
            match &controller {
                Some(first) => {
                    let all: Vec<String> = references.iter().map(reference_shown).collect();
                    let why = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
                    );
                    errors.invalid_shown(field, &format!("[{}]", all.join(",")), &why);
                }
                None => controller = Some(name),
            }
        }
    }
}

/// A reference with its fields in the order in which the API server writes them.
fn reference_shown(reference: &Value) -> String {
    let always = ["apiVersion", "kind", "name", "uid"].map(|field| (field, json!(text(&reference[field]))));
    let perhaps = ["controller", "blockOwnerDeletion"].map(|field| (field, reference[field].clone()));
    let fields = always.iter().chain(perhaps.iter().filter(|(_, value)| !value.is_null()));
    own_type(fields.map(|(name, value)| (*name, value as &dyn fmt::Display)))
}

/// Complaints about a change: that something is being deleted is not for a change to say, and what is being deleted gets
/// no more finalizers.
pub(super) fn change(old: &Value, new: &Value, errors: &mut Errors) {
    for field in DELETION.into_iter().filter(|field| old[*field] != new[*field]) {
        errors.invalid(format_args!("metadata.{field}"), &new[field], "field is immutable");
    }
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
        let deleted = |mut meta: Value| {
            meta["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            meta
        };
        let (going, new) = (deleted(old.clone()), deleted(new));
        assert!(told(&going, &deleted(json!({}))).is_empty());
        assert_eq!(
            told(&old, &going),
            ["metadata.deletionTimestamp: Invalid value: \"2026-01-01T00:00:00Z\": field is immutable"]
        );
        assert_eq!(
            told(&going, &new),
            [
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new \
                 finalizers []string{\"x.y/z\"}"
            ]
        );
    }

    #[test]
    fn owners_are_named_and_one_of_them_controls() {
        let owner = |kind: &str, controls: bool| json!({"apiVersion": "v1", "kind": kind, "name": "n", "uid": "u", "controller": controls});
        let field = "metadata.ownerReferences";
        for (owners, words) in [
            (json!([owner("Pod", true), owner("Node", false)]), vec![]),
            (
                json!([{}]),
                vec![
                    format!("{field}.apiVersion: Invalid value: \"\": version must not be empty"),
                    format!("{field}.kind: Invalid value: \"\": must not be empty"),
                    format!("{field}.name: Invalid value: \"\": must not be empty"),
                    format!("{field}.uid: Invalid value: \"\": must not be empty"),
                ],
            ),
            (
                json!([owner("Event", false)]),
                vec![format!(
                    "{field}: Invalid value: {{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"n\",\"uid\":\"u\",\"controller\":false}}: \
                 /v1, Kind=Event is disallowed from being an owner"
                )],
            ),
            (
                json!([owner("A", true), owner("B", true)]),
                vec![format!(
                    "{field}: Invalid value: [{{\"apiVersion\":\"v1\",\"kind\":\"A\",\"name\":\"n\",\"uid\":\"u\",\"controller\":true}},\
                 {{\"apiVersion\":\"v1\",\"kind\":\"B\",\"name\":\"n\",\"uid\":\"u\",\"controller\":true}}]: Only one reference can \
                 have Controller set to true. Found \"true\" in references for A/n and B/n"
                )],
            ),
        ] {
            assert_eq!(told(&json!({"ownerReferences": owners})), words);
        }
    }

    #[test]
    fn annotations_have_room_for_so_much() {
        let of = |size: usize| json!({"annotations": {"a": "x".repeat(size)}});
        assert!(told(&of(ANNOTATIONS - 1)).is_empty());
        let why = "metadata.annotations: Too long: may not be more than 262144 bytes";
        assert_eq!(told(&of(ANNOTATIONS)), [why]);
    }
}
