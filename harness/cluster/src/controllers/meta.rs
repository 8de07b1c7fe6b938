//! Owners, deletion and other facts of an object's metadata.

use serde_json::{Value, json};

use super::json::{items, text};
use crate::store::Key;

/// The object's uid.
pub(crate) fn uid(object: &Value) -> &str {
    text(&object["metadata"]["uid"])
}

/// The object's name.
pub(crate) fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

/// The object's namespace.
pub(crate) fn namespace(object: &Value) -> &str {
    text(&object["metadata"]["namespace"])
}

/// Whether a deletion of the object has begun.
pub(crate) fn deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Since when a condition has its status: since before, when it had it already, else since now.
pub(crate) fn since(conditions: &Value, kind: &str, status: &str, now: &str) -> Value {
    let same = items(conditions).iter().find(|c| c["type"] == kind && c["status"] == status);
    same.map_or_else(|| now.into(), |same| same["lastTransitionTime"].clone())
}

/// The reference to the one owner that manages the object.
pub(crate) fn controller_of(object: &Value) -> Option<&Value> {
    items(&object["metadata"]["ownerReferences"]).iter().find(|r| r["controller"] == true)
}

/// The reference that makes `owner` the managing owner of another object.
pub(crate) fn controller_reference(owner: &Value) -> Value {
    json!({"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name(owner),
        "uid": uid(owner), "controller": true, "blockOwnerDeletion": true})
}

/// Takes one owner's reference out of an object.
pub(crate) fn remove_owner(object: &mut Value, owner_uid: &str) {
    let Some(meta) = object["metadata"].as_object_mut() else { return };
    let Some(references) = meta.get_mut("ownerReferences").and_then(Value::as_array_mut) else { return };
    references.retain(|r| r["uid"] != owner_uid);
    if references.is_empty() {
        meta.remove("ownerReferences");
    }
}

/// Makes `owner` the managing owner.
pub(crate) fn add_controller(object: &mut Value, owner: &Value) {
    let reference = controller_reference(owner);
    match object["metadata"]["ownerReferences"].as_array_mut() {
        Some(references) => references.push(reference),
        None => object["metadata"]["ownerReferences"] = json!([reference]),
    }
}

/// An annotation, empty when absent.
pub(crate) fn annotation<'a>(object: &'a Value, name: &str) -> &'a str {
    text(&object["metadata"]["annotations"][name])
}

/// Sets an annotation. True when that changed something.
pub(crate) fn annotate(object: &mut Value, name: &str, value: &str) -> bool {
    set_entry(object, "annotations", name, value)
}

/// Sets a label. True when that changed something.
pub(crate) fn label(object: &mut Value, name: &str, value: &str) -> bool {
    set_entry(object, "labels", name, value)
}

fn set_entry(object: &mut Value, map: &str, name: &str, value: &str) -> bool {
    let entries = &mut object["metadata"][map];
    if !entries.is_object() {
        *entries = json!({});
    }
    let changed = entries[name] != value;
    entries[name] = value.into();
    changed
}

/// The key of the managing owner, if it is of this kind.
pub(crate) fn controller_key(object: &Value, kind: &str) -> Option<Key> {
    controller_of(object).filter(|r| r["kind"] == kind).map(|r| Key::new(namespace(object), text(&r["name"])))
}
