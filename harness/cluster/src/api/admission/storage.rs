//! What the API adds to new claims and volumes: their protection from being deleted while in use, and the default class.

use serde_json::{Value, json};

use crate::{
    api::{
        Api,
        json::{items, push, text},
    },
    resources::Resource,
};

const CLASSES: &str = "storageclasses.storage.k8s.io";

/// Whose deletion waits until nobody uses it, and the finalizer that says so.
const PROTECTED: [(&str, &str); 2] = [
    ("persistentvolumeclaims", "kubernetes.io/pvc-protection"),
    ("persistentvolumes", "kubernetes.io/pv-protection"),
];

/// The annotations of the class that claims without one get.
const DEFAULT: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

/// The annotation by which claims named their class before they had a field for it.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// Protects a claim or volume.
pub(super) fn protect(resource: &Resource, object: &mut Value) {
    let Some((_, finalizer)) = PROTECTED.iter().find(|(store, _)| *store == resource.store) else { return };
    if !items(&object["metadata"]["finalizers"]).iter().any(|present| present == finalizer) {
        push(&mut object["metadata"], "finalizers", json!(finalizer));
    }
}

/// Gives a claim that names no class the default one, if there is one: the youngest, if there are several.
pub(super) fn choose_class(api: &Api, resource: &Resource, claim: &mut Value) {
    let named =
        claim["spec"]["storageClassName"].is_string() || claim["metadata"]["annotations"][CLASS].is_string();
    if resource.store != "persistentvolumeclaims" || named || !claim["spec"].is_object() {
        return;
    }
    let classes = api.list(CLASSES, None);
    let is_default = |class: &&Value| {
        DEFAULT.iter().any(|annotation| class["metadata"]["annotations"][annotation] == "true")
    };
    let age = |class: &&Value| text(&class["metadata"]["creationTimestamp"]).to_owned();
    let chosen = classes.iter().map(|class| class.value()).filter(is_default).max_by_key(age);
    if let Some(class) = chosen {
        claim["spec"]["storageClassName"] = class["metadata"]["name"].clone();
    }
}
