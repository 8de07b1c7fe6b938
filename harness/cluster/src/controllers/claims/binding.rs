//! Which volume fits a claim, and what both say when they are bound to each other.

use serde_json::{Value, json};

use crate::{
    api::quantity::Quantity,
    controllers::{
        json::{items, text},
        meta::{annotate, name, namespace, uid},
        selector::selects,
    },
};

/// The annotation by which claims and volumes named their class before they had a field for it.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// The class of a claim or volume, empty when it has none.
pub(super) fn class_of(object: &Value) -> &str {
    match text(&object["metadata"]["annotations"][CLASS]) {
        "" => text(&object["spec"]["storageClassName"]),
        class => class,
    }
}

/// The smallest volume that will do for a claim; one that is meant for it comes first.
pub(super) fn find<'a>(claim: &Value, volumes: impl Iterator<Item = &'a Value>) -> Option<&'a Value> {
    let meant = |volume: &Value| volume["spec"]["claimRef"].is_object();
    let size = |volume: &Value| capacity(volume).as_f64();
    volumes.filter(|volume| fits(claim, volume)).min_by(|a, b| {
        let first = meant(b).cmp(&meant(a));
        first.then(size(a).total_cmp(&size(b))).then(name(a).cmp(name(b)))
    })
}

fn capacity(volume: &Value) -> Quantity {
    Quantity::read(&volume["spec"]["capacity"]["storage"]).unwrap_or_default()
}

fn fits(claim: &Value, volume: &Value) -> bool {
    let (wanted, has) = (&claim["spec"], &volume["spec"]);
    let owner = &has["claimRef"];
    let free = match owner {
        Value::Null => text(&volume["status"]["phase"]) == "Available",
        owner => {
            let named = owner["name"] == name(claim) && owner["namespace"] == namespace(claim);
            named && (text(&owner["uid"]).is_empty() || owner["uid"] == uid(claim))
        }
    };
    let asked = text(&wanted["volumeName"]);
    let request = Quantity::read(&wanted["resources"]["requests"]["storage"]).unwrap_or_default();
    let chosen = &wanted["selector"];
    free && (asked.is_empty() || asked == name(volume))
        && volume["metadata"]["deletionTimestamp"].is_null()
        && class_of(claim) == class_of(volume)
        && wanted["volumeMode"] == has["volumeMode"]
        && items(&wanted["accessModes"]).iter().all(|mode| items(&has["accessModes"]).contains(mode))
        && capacity(volume) >= request
        && (chosen.is_null() || selects(chosen, &volume["metadata"]["labels"]))
}

/// A volume becomes that of a claim.
pub(super) fn take(volume: &mut Value, claim: &Value) {
    if !volume["spec"]["claimRef"].is_object() {
        annotate(volume, "pv.kubernetes.io/bound-by-controller", "yes");
    }
    volume["spec"]["claimRef"] = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name(claim),
        "namespace": namespace(claim), "uid": uid(claim), "resourceVersion": claim["metadata"]["resourceVersion"]});
}

/// A claim gets a volume.
pub(super) fn give(claim: &mut Value, volume: &str) {
    annotate(claim, "pv.kubernetes.io/bind-completed", "yes");
    if text(&claim["spec"]["volumeName"]).is_empty() {
        annotate(claim, "pv.kubernetes.io/bound-by-controller", "yes");
    }
    claim["spec"]["volumeName"] = volume.into();
}

/// The status of a claim that has a volume.
pub(super) fn status(volume: &Value) -> Value {
    json!({"phase": "Bound", "accessModes": volume["spec"]["accessModes"], "capacity": volume["spec"]["capacity"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(class: &str, size: &str) -> Value {
        json!({"metadata": {"name": "data", "namespace": "shop", "uid": "u1"}, "spec": {"storageClassName": class,
            "volumeMode": "Filesystem", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}})
    }

    fn volume(volume: &str, class: &str, size: &str) -> Value {
        json!({"metadata": {"name": volume}, "spec": {"storageClassName": class, "volumeMode": "Filesystem",
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"], "capacity": {"storage": size}},
            "status": {"phase": "Available"}})
    }

    #[test]
    fn the_smallest_that_will_do_is_taken() {
        let volumes = [
            volume("big", "m", "10Gi"),
            volume("small", "m", "1Gi"),
            volume("fit", "m", "2Gi"),
            volume("x", "n", "2Gi"),
        ];
        let found = |claim: &Value| find(claim, volumes.iter()).map(|volume| name(volume).to_owned());
        assert_eq!(found(&claim("m", "1500Mi")).as_deref(), Some("fit"));
        assert_eq!(found(&claim("m", "11Gi")), None);
        assert_eq!(found(&claim("", "1Gi")), None, "no class is a class");
        let mut asks = claim("m", "1Gi");
        asks["spec"]["volumeName"] = "big".into();
        assert_eq!(found(&asks).as_deref(), Some("big"));
        let mut picky = claim("m", "1Gi");
        picky["spec"]["accessModes"] = json!(["ReadOnlyMany"]);
        assert_eq!(found(&picky), None);
    }

    #[test]
    fn a_volume_that_is_meant_for_a_claim_is_for_no_other() {
        let mut mine = volume("mine", "m", "10Gi");
        take(&mut mine, &claim("m", "1Gi"));
        let volumes = [volume("small", "m", "1Gi"), mine];
        assert_eq!(find(&claim("m", "1Gi"), volumes.iter()).map(name), Some("mine"));
        let mut other = claim("m", "1Gi");
        other["metadata"]["uid"] = "u2".into();
        assert_eq!(find(&other, volumes.iter()).map(name), Some("small"), "its namesake of before");
    }
}
