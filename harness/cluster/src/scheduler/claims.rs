//! The storage that a pod claims. Only whether the claims are there: nobody here binds them to volumes.

use serde_json::Value;

use crate::controllers::{
    deps::Deps,
    json::{items, text},
    meta::{deleting, namespace},
};
use crate::store::Key;

/// The resource whose changes are new chances for pods that wait for their claims.
pub(super) const RESOURCE: &str = "persistentvolumeclaims";

/// Why no node at all is good for a pod: the first of its claims that is missing, or on its way out.
pub(super) fn missing(deps: &Deps, pod: &Value) -> Option<String> {
    items(&pod["spec"]["volumes"]).iter().find_map(|volume| {
        let claim = text(&volume["persistentVolumeClaim"]["claimName"]);
        if claim.is_empty() {
            return None;
        }
        match deps.get(RESOURCE, &Key::new(namespace(pod), claim)) {
            None => Some(format!("persistentvolumeclaim {claim:?} not found")),
            Some(found) if deleting(found.value()) => {
                Some(format!("persistentvolumeclaim {claim:?} is being deleted"))
            }
            Some(_) => None,
        }
    })
}
