//! The annotation of client-side apply, which server-side applies by kubectl take over and keep up to date.

use serde_json::Value;

use super::update::{Versions, shape};
use crate::fields::{FieldSet, collect, compare};

/// The manager that kubectl's server-side apply has by default: only it takes over.
const KUBECTL: &str = "kubectl";

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How large all annotations of an object may be.
const LIMIT: usize = 256 * 1024;

/// The fields that were applied on the client's side and have not changed since: an apply by kubectl does not
/// conflict with their owners. Empty if there are none, or the manager is another.
pub(super) fn allowed(versions: &dyn Versions, manager: &str, live: &Value, api_version: &str) -> FieldSet {
    let text = live["metadata"]["annotations"][ANNOTATION].as_str().filter(|_| manager == KUBECTL);
    let Some(last) = text.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        return FieldSet::default();
    };
    if last["apiVersion"] != api_version {
        return FieldSet::default();
    }
    let (walk, shape) = shape(versions, api_version);
    let mut fields = collect(walk, shape, &last);
    let comparison = compare(walk, shape, &last, live);
    for set in [&comparison.modified, &comparison.added, &comparison.removed] {
        fields.subtract(set);
    }
    fields
}

/// Writes the applied object into the annotation, if the object has one.
pub(super) fn keep(manager: &str, object: &mut Value, applied: &Value) {
    let annotations = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    let Some(annotations) = annotations else { return };
    if manager != KUBECTL || !annotations.contains_key(ANNOTATION) {
        return;
    }
    let mut applied = applied.clone();
    if let Some(own) = applied["metadata"].get_mut("annotations").and_then(Value::as_object_mut) {
        own.remove(ANNOTATION);
    }
    annotations.insert(ANNOTATION.into(), format!("{applied}\n").into());
    let size: usize =
        annotations.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if size > LIMIT {
        annotations.remove(ANNOTATION);
    }
}
