//! What the API adds to new claims and volumes: their protection from being deleted while in use, and the default class.

use serde_json::{Value, json};

use crate::{
    api::{
        Api, Status,
        json::{items, push, text},
        quantity::Quantity,
    },
    resources::Resource,
    store::Key,
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

/// Refuses that a claim grows whose class does not say that its volumes can.
///
/// # Errors
/// 403.
pub(super) fn may_grow(api: &Api, resource: &Resource, old: &Value, claim: &Value) -> Result<(), Status> {
    if resource.store != "persistentvolumeclaims" {
        return Ok(());
    }
    let size = |claim: &Value| {
        Quantity::read(&claim["spec"]["resources"]["requests"]["storage"]).unwrap_or_default()
    };
    if size(claim) <= size(old) {
        return Ok(());
    }
    let refused = |why: &str| Err(Status::forbidden(resource, text(&claim["metadata"]["name"]), why));
    if old["status"]["phase"] != "Bound" {
        return refused("Only bound persistent volume claims can be expanded");
    }
    let class = match text(&old["metadata"]["annotations"][CLASS]) {
        "" => text(&old["spec"]["storageClassName"]),
        class => class,
    };
    let class = api.store().get(CLASSES, &Key::new("", class));
    if class.is_some_and(|class| class.value()["allowVolumeExpansion"] == true) {
        return Ok(());
    }
    refused(
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support \
         resize",
    )
}
