//! Volumes and claims: what a volume needs, and what neither can become any more.

use serde_json::{Value, json};

use super::pod::difference;
use crate::api::{
    invalid::Errors,
    json::{items, text},
    quantity::Quantity,
};

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// The fields of a volume's spec that are not the place where its content is.
const NO_SOURCES: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

/// Complaints about the access modes of a volume or claim; `detail` is what is said when there are none.
pub(super) fn access_modes(spec: &Value, detail: &str, errors: &mut Errors) {
    let modes = items(&spec["accessModes"]);
    if modes.is_empty() {
        errors.required("spec.accessModes", detail);
    }
    for mode in modes.iter().filter(|mode| !ACCESS_MODES.contains(&text(mode))) {
        errors.unsupported("spec.accessModes", mode, &ACCESS_MODES);
    }
}

/// Complaints about the spec of a PersistentVolume.
pub(super) fn volume(spec: &Value, errors: &mut Errors) {
    access_modes(spec, "", errors);
    match Quantity::read(&spec["capacity"]["storage"]) {
        None if spec["capacity"].as_object().is_none_or(serde_json::Map::is_empty) => {
            errors.required("spec.capacity", "");
        }
        None => errors.unsupported("spec.capacity", &spec["capacity"], &["storage"]),
        Some(amount) if !amount.is_positive() => {
            errors.invalid("spec.capacity[storage]", &amount.to_string().into(), "must be greater than zero");
        }
        Some(_) => {}
    }
    let policy = &spec["persistentVolumeReclaimPolicy"];
    let policies = ["Delete", "Recycle", "Retain"];
    if !policies.contains(&text(policy)) {
        errors.unsupported("spec.persistentVolumeReclaimPolicy", policy, &policies);
    }
    let sources = sources(spec);
    let mut named = sources.as_object().into_iter().flat_map(serde_json::Map::keys);
    if named.next().is_none() {
        errors.required("spec", "must specify a volume type");
    }
    for more in named {
        errors.forbidden(format_args!("spec.{more}"), "may not specify more than 1 volume type");
    }
}

fn sources(spec: &Value) -> Value {
    let fields = spec.as_object().into_iter().flatten();
    fields
        .filter(|(field, _)| !NO_SOURCES.contains(&field.as_str()))
        .map(|(f, v)| (f.clone(), v.clone()))
        .collect()
}

/// Complaints about a change of a PersistentVolume.
pub(super) fn volume_change(old: &Value, new: &Value, errors: &mut Errors) {
    let (old, new) = (&old["spec"], &new["spec"]);
    let (was, is) = (sources(old), sources(new));
    if was != is {
        let why =
            format!("spec.persistentvolumesource is immutable after creation\n{}", difference(&was, &is));
        errors.forbidden("spec.persistentvolumesource", &why);
    }
    for field in ["volumeMode", "nodeAffinity"] {
        let free = field == "nodeAffinity" && old[field].is_null();
        if !free && old[field] != new[field] {
            errors.invalid(field, &new[field], "field is immutable");
        }
    }
}

/// Complaints about a change of a PersistentVolumeClaim: a bound one may grow, and one without a volume may get one.
pub(super) fn claim_change(old: &Value, new: &Value, errors: &mut Errors) {
    let (was, mut is) = (&old["spec"], new["spec"].clone());
    let bound = old["status"]["phase"] == "Bound";
    if text(&was["volumeName"]).is_empty() {
        restore(was, &mut is, "volumeName");
    }
    // That a claim gets the default class later on is no change of what was wanted.
    if was["storageClassName"].is_null() {
        restore(was, &mut is, "storageClassName");
    }
    let size = |spec: &Value| Quantity::read(&spec["resources"]["requests"]["storage"]).unwrap_or_default();
    let (before, now) = (size(was), size(&is));
    if bound {
        if is["resources"]["requests"].is_object() {
            is["resources"]["requests"]["storage"] = was["resources"]["requests"]["storage"].clone();
        }
        restore(was, &mut is, "volumeAttributesClassName");
    }
    if *was != is {
        let why = format!(
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound \
             claims\n{}",
            difference(was, &is)
        );
        errors.forbidden("spec", &why);
    }
    let has = Quantity::read(&old["status"]["capacity"]["storage"]).unwrap_or_default();
    if now < before && now <= has {
        errors.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity");
    }
    if was["volumeMode"] != is["volumeMode"] {
        errors.invalid("volumeMode", &is["volumeMode"], "field is immutable");
    }
}

fn restore(old: &Value, new: &mut Value, field: &str) {
    match (old.get(field), new.as_object_mut()) {
        (Some(value), Some(new)) => drop(new.insert(field.to_owned(), value.clone())),
        (None, Some(new)) => drop(new.remove(field)),
        (_, None) => *new = json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(check: impl Fn(&mut Errors)) -> Vec<String> {
        let mut errors = Errors::default();
        check(&mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn volumes_have_one_place_and_keep_it() {
        let good = json!({"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/data"}});
        let with = |field: &str, value: Value| {
            let mut spec = good.clone();
            spec[field] = value;
            spec
        };
        assert!(told(|e| volume(&good, e)).is_empty());
        for (spec, complaint) in [
            (with("nfs", json!({})), "spec.nfs: Forbidden: may not specify more than 1 volume type"),
            (with("accessModes", json!([])), "spec.accessModes: Required value"),
            (with("capacity", json!({})), "spec.capacity: Required value"),
            (
                with("capacity", json!({"storage": "0"})),
                "spec.capacity[storage]: Invalid value: \"0\": must be greater than zero",
            ),
            (
                with("persistentVolumeReclaimPolicy", json!("Keep")),
                "spec.persistentVolumeReclaimPolicy: Unsupported value: \"Keep\": supported values: \"Delete\", \
                 \"Recycle\", \"Retain\"",
            ),
        ] {
            assert_eq!(told(|e| volume(&spec, e)), [complaint]);
        }
        let mut nowhere = good.clone();
        nowhere.as_object_mut().unwrap().remove("hostPath");
        assert_eq!(told(|e| volume(&nowhere, e)), ["spec: Required value: must specify a volume type"]);
        let change = |spec: Value| told(|e| volume_change(&json!({"spec": good}), &json!({"spec": spec}), e));
        assert!(change(with("nodeAffinity", json!({"required": {}}))).is_empty());
        assert!(change(with("persistentVolumeReclaimPolicy", json!("Delete"))).is_empty());
        assert_eq!(
            change(with("volumeMode", json!("Block"))),
            ["volumeMode: Invalid value: \"Block\": field is immutable"]
        );
        let moved = change(with("hostPath", json!({"path": "/other"})));
        let begin = "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n";
        assert!(moved.len() == 1 && moved[0].starts_with(begin), "{moved:?}");
    }

    #[test]
    fn claims_grow_only_when_they_are_bound() {
        let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}});
        let claim = |phase: &str, spec: &Value| json!({"spec": spec, "status": {"phase": phase, "capacity": {"storage": "2Gi"}}});
        let change = |phase: &str, field: &str, value: Value| {
            let mut new = spec.clone();
            *new.pointer_mut(field).unwrap_or(&mut Value::Null) = value.clone();
            if new.pointer(field).is_none() {
                new[field.trim_start_matches('/')] = value;
            }
            told(|e| claim_change(&claim(phase, &spec), &claim(phase, &new), e))
        };
        let size = "/resources/requests/storage";
        assert!(change("Bound", size, json!("3Gi")).is_empty());
        assert!(change("Pending", "/volumeName", json!("v")).is_empty());
        assert!(change("Pending", "/storageClassName", json!("late")).is_empty());
        let immutable = "spec: Forbidden: spec is immutable after creation except resources.requests and \
                         volumeAttributesClassName for bound claims\n";
        for (phase, field, value) in
            [("Pending", size, json!("3Gi")), ("Bound", "/accessModes", json!(["ReadWriteMany"]))]
        {
            let told = change(phase, field, value);
            assert!(told.len() == 1 && told[0].starts_with(immutable), "{told:?}");
        }
        assert_eq!(
            change("Bound", size, json!("1Gi")),
            ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"]
        );
    }
}
