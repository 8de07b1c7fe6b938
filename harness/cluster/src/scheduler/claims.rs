//! The storage that a pod claims: whether the claims are there, and have their volumes. Who gives them volumes is
//! [`crate::controllers`]' claims.

use serde_json::Value;

use crate::controllers::{
    deps::Deps,
    json::{items, text},
    meta::{deleting, namespace},
};
use crate::store::Key;

/// The resource whose changes are new chances for pods that wait for their claims.
pub(super) const RESOURCE: &str = "persistentvolumeclaims";

const CLASSES: &str = "storageclasses.storage.k8s.io";

/// What is said of a pod whose claims should have volumes by now.
const UNBOUND: &str = "pod has unbound immediate PersistentVolumeClaims";

/// Why no node at all is good for a pod: the first of its claims that is missing, or on its way out; or that one waits
/// for its volume.
pub(super) fn missing(deps: &Deps, pod: &Value) -> Option<String> {
    let volumes = items(&pod["spec"]["volumes"]).iter();
    let names = volumes.map(|volume| text(&volume["persistentVolumeClaim"]["claimName"]));
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    let claim = |name: &str| deps.get(RESOURCE, &Key::new(namespace(pod), name));
    let gone = names.iter().find_map(|name| match claim(name) {
        None => Some(format!("persistentvolumeclaim {name:?} not found")),
        Some(found) if deleting(found.value()) => {
            Some(format!("persistentvolumeclaim {name:?} is being deleted"))
        }
        Some(_) => None,
    });
    gone.or_else(|| {
        let mut claims = names.iter().filter_map(|name| claim(name));
        claims.any(|claim| waits(deps, claim.value())).then(|| UNBOUND.to_owned())
    })
}

/// Whether a claim has no volume, though it need not wait for a pod to get one.
fn waits(deps: &Deps, claim: &Value) -> bool {
    let class = deps.get(CLASSES, &Key::new("", text(&claim["spec"]["storageClassName"])));
    let is_delayed = class.is_some_and(|class| class.value()["volumeBindingMode"] == "WaitForFirstConsumer");
    text(&claim["spec"]["volumeName"]).is_empty() && !is_delayed
}
