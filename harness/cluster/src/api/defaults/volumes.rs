//! Defaults of volumes, those in pods and those of the cluster.

use serde_json::{Value, json};

use super::pod::pull_policy;
use crate::api::json::{default, default_text, items_mut, object_mut, text};

/// How files are readable that volumes bring: `rw-r--r--`.
const MODE: i32 = 0o644;

/// Volumes whose files have a mode.
const WITH_FILES: [&str; 4] = ["secret", "configMap", "downwardAPI", "projected"];

/// What is said of volumes that are elsewhere when nothing is (`SetDefaults_…VolumeSource` of Kubernetes' core defaults).
const ELSEWHERE: [(&str, &[(&str, &str)]); 4] = [
    ("iscsi", &[("iscsiInterface", "default")]),
    ("rbd", &[("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")]),
    ("azureDisk", &[("cachingMode", "ReadWrite"), ("kind", "Shared"), ("fsType", "ext4")]),
    ("scaleIO", &[("storageMode", "ThinProvisioned"), ("fsType", "xfs")]),
];

/// How long a token in a volume is good, in seconds.
const TOKEN_LIFE: i64 = 3600;

/// Defaults of a volume of a pod. One that is nothing is an empty directory.
pub(super) fn of_pod(volume: &mut Value) {
    let Some(fields) = volume.as_object() else { return };
    if fields.keys().all(|k| k == "name") {
        volume["emptyDir"] = json!({});
    }
    for source in WITH_FILES {
        if let Some(source) = object_mut(volume, source) {
            default(source, "defaultMode", MODE);
        }
    }
    source(volume);
    if let Some(source) = object_mut(volume, "downwardAPI") {
        items_mut(source, "items").for_each(downward);
    }
    for source in object_mut(volume, "projected").into_iter().flat_map(|source| items_mut(source, "sources"))
    {
        if let Some(source) = object_mut(source, "downwardAPI") {
            items_mut(source, "items").for_each(downward);
        }
        if let Some(token) = object_mut(source, "serviceAccountToken") {
            default(token, "expirationSeconds", TOKEN_LIFE);
        }
    }
    let template =
        object_mut(volume, "ephemeral").and_then(|source| object_mut(source, "volumeClaimTemplate"));
    if let Some(spec) = template.and_then(|template| object_mut(template, "spec")) {
        default(spec, "volumeMode", "Filesystem");
    }
    if let Some(image) = object_mut(volume, "image") {
        let policy = pull_policy(text(&image["reference"]));
        default_text(image, "pullPolicy", policy);
    }
}

/// Defaults of where a volume is, in the volume of a pod or the spec of a PersistentVolume.
pub(super) fn source(volume: &mut Value) {
    if let Some(path) = object_mut(volume, "hostPath") {
        default(path, "type", "");
    }
    for (source, fields) in ELSEWHERE {
        let Some(source) = object_mut(volume, source) else { continue };
        for (field, value) in fields {
            default_text(source, field, *value);
        }
    }
    if let Some(disk) = object_mut(volume, "azureDisk") {
        default(disk, "readOnly", false);
    }
}

/// Defaults of what a pod can be told of itself, in a file or a variable.
pub(super) fn downward(source: &mut Value) {
    if let Some(field) = object_mut(source, "fieldRef") {
        default_text(field, "apiVersion", "v1");
    }
    if let Some(resource) = object_mut(source, "resourceFieldRef") {
        default(resource, "divisor", "0");
    }
}
