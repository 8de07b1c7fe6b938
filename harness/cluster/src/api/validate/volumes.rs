//! The volumes of pods, and where containers have them.
//!
//! The rules are those of `ValidateVolumes` and `ValidateVolumeMounts` in Kubernetes' core validation.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

/// What a volume can be, in the order in which the API server looks, and what each is called when it is one too many.
const SOURCES: [(&str, &str); 30] = [
    ("emptyDir", "emptyDir"),
    ("hostPath", "hostPath"),
    ("gitRepo", "gitRepo"),
    ("gcePersistentDisk", "gcePersistentDisk"),
    ("awsElasticBlockStore", "awsElasticBlockStore"),
    ("secret", "secret"),
    ("nfs", "nfs"),
    ("iscsi", "iscsi"),
    ("glusterfs", "glusterfs"),
    ("flocker", "flocker"),
    ("persistentVolumeClaim", "persistentVolumeClaim"),
    ("rbd", "rbd"),
    ("cinder", "cinder"),
    ("cephfs", "cephFS"),
    ("quobyte", "quobyte"),
    ("downwardAPI", "downwarAPI"),
    ("fc", "fc"),
    ("flexVolume", "flexVolume"),
    ("configMap", "configMap"),
    ("azureFile", "azureFile"),
    ("vsphereVolume", "vsphereVolume"),
    ("photonPersistentDisk", "photonPersistentDisk"),
    ("portworxVolume", "portworxVolume"),
    ("azureDisk", "azureDisk"),
    ("storageos", "storageos"),
    ("projected", "projected"),
    ("scaleIO", "scaleIO"),
    ("csi", "csi"),
    ("ephemeral", "ephemeral"),
    ("image", "image"),
];

/// What volumes of a kind have to say.
const NEEDED: [(&str, &str); 6] = [
    ("configMap", "name"),
    ("hostPath", "path"),
    ("nfs", "server"),
    ("nfs", "path"),
    ("persistentVolumeClaim", "claimName"),
    ("secret", "secretName"),
];

/// Complaints about the volumes of a pod's spec. The names of those that are sound can be mounted.
pub(super) fn check<'a>(path: FieldPath<'_>, spec: &'a Value, errors: &mut Errors) -> BTreeSet<&'a str> {
    let mut sound = BTreeSet::new();
    for (index, volume) in items(&spec["volumes"]).iter().enumerate() {
        let path = format_args!("{path}.volumes[{index}]");
        let (field, name, before) = (format_args!("{path}.name"), &volume["name"], errors.len());
        sources(&path, volume, errors);
        if text(name).is_empty() {
            errors.required(field, "");
        } else {
            names::check_label(&field, name, errors);
        }
        if sound.contains(text(name)) {
            errors.duplicate(field, name);
        }
        if errors.len() == before {
            sound.insert(text(name));
        }
    }
    sound
}

/// Only the first thing that a volume is said to be is looked at.
fn sources(path: FieldPath<'_>, volume: &Value, errors: &mut Errors) {
    let mut given = SOURCES.iter().filter(|(source, _)| volume[*source].is_object());
    match given.next() {
        None => errors.required(path, "must specify a volume type"),
        Some((name, _)) => source(&format_args!("{path}.{name}"), name, &volume[*name], errors),
    }
    for (_, told) in given {
        errors.forbidden(format_args!("{path}.{told}"), "may not specify more than 1 volume type");
    }
}

fn source(path: FieldPath<'_>, name: &str, source: &Value, errors: &mut Errors) {
    for (_, field) in NEEDED.iter().filter(|(of, field)| *of == name && text(&source[*field]).is_empty()) {
        errors.required(format_args!("{path}.{field}"), "");
    }
    match name {
        "hostPath" => no_step_back(&format_args!("{path}.path"), &source["path"], errors),
        "configMap" | "secret" => {
            for (index, item) in items(&source["items"]).iter().enumerate() {
                let path = format_args!("{path}.items[{index}]");
                for field in ["key", "path"].into_iter().filter(|field| text(&item[*field]).is_empty()) {
                    errors.required(format_args!("{path}.{field}"), "");
                }
                descending(&format_args!("{path}.path"), &item["path"], errors);
            }
        }
        _ => {}
    }
}

/// Complaints about the places where a container has the volumes of its pod.
pub(super) fn mounts(path: FieldPath<'_>, container: &Value, volumes: &BTreeSet<&str>, errors: &mut Errors) {
    let mut places = BTreeSet::new();
    let all = format_args!("{path}.volumeMounts");
    for (index, mount) in items(&container["volumeMounts"]).iter().enumerate() {
        let path = format_args!("{all}[{index}]");
        let place = &mount["mountPath"];
        if text(&mount["name"]).is_empty() {
            errors.required(format_args!("{path}.name"), "");
        }
        if !volumes.contains(text(&mount["name"])) {
            errors.not_found(format_args!("{path}.name"), &text(&mount["name"]).into());
        }
        if text(place).is_empty() {
            errors.required(format_args!("{path}.mountPath"), "");
        }
        if !places.insert(text(place)) {
            errors.invalid(format_args!("{path}.mountPath"), place, "must be unique");
        }
        descending(&format_args!("{all}.subPath"), &mount["subPath"], errors);
    }
}

/// A path that leads down from where it is taken (`validateLocalDescendingPath`).
pub(super) fn descending(field: FieldPath<'_>, path: &Value, errors: &mut Errors) {
    if text(path).starts_with('/') {
        errors.invalid(field, path, "must be a relative path");
    }
    no_step_back(field, path, errors);
}

fn no_step_back(field: FieldPath<'_>, path: &Value, errors: &mut Errors) {
    if text(path).split('/').any(|step| step == "..") {
        errors.invalid(field, path, "must not contain '..'");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn volumes_are_one_thing_and_the_first_is_looked_at() {
        let two = "may not specify more than 1 volume type";
        for (volumes, told, sound) in [
            (
                json!([{"name": "a", "configMap": {}, "emptyDir": {}}]),
                vec![format!("s.volumes[0].configMap: Forbidden: {two}")],
                0,
            ),
            (
                json!([{"name": "a", "csi": {}, "cephfs": {}, "secret": {}}]),
                vec![
                    "s.volumes[0].secret.secretName: Required value".into(),
                    format!("s.volumes[0].cephFS: Forbidden: {two}"),
                    format!("s.volumes[0].csi: Forbidden: {two}"),
                ],
                0,
            ),
            (
                json!([{"name": "a", "emptyDir": {}}, {"name": "a", "emptyDir": {}}]),
                vec!["s.volumes[1].name: Duplicate value: \"a\"".into()],
                1,
            ),
            (
                json!([{"name": "a"}]),
                vec!["s.volumes[0]: Required value: must specify a volume type".into()],
                0,
            ),
            (
                json!([{"name": "a", "hostPath": {"path": "/a/../b"}}]),
                vec!["s.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'".into()],
                0,
            ),
            (
                json!([{"name": "a", "configMap": {"name": "m", "items": [{"key": "k", "path": "/p"}]}}]),
                vec![
                    "s.volumes[0].configMap.items[0].path: Invalid value: \"/p\": must be a relative path"
                        .into(),
                ],
                0,
            ),
        ] {
            let (spec, mut errors) = (json!({"volumes": volumes}), Errors::default());
            let found = check(&"s", &spec, &mut errors);
            let words: Vec<String> = errors.into_vec().iter().map(ToString::to_string).collect();
            assert_eq!((words, found.len()), (told, sound), "{volumes}");
        }
    }
}
