//! The objects of one namespace at one revision.

use std::sync::Arc;

use pulldrill_cluster::store::{Key, Store, Stored};
use serde_json::Value;

/// The objects of one namespace. Resources are read when asked for; the store keeps every version, so a
/// later write does not change what was read.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    store: Arc<Store>,
    namespace: String,
}

impl Snapshot {
    /// The namespace as it is in `store`.
    #[must_use]
    pub(crate) fn new(store: &Arc<Store>, namespace: &str) -> Self {
        Self { store: store.clone(), namespace: namespace.to_owned() }
    }

    /// All objects of a resource (`pods`, `deployments.apps`).
    #[must_use]
    pub(crate) fn list(&self, resource: &str) -> Vec<Arc<Stored>> {
        self.store.list(resource, Some(&self.namespace)).0
    }

    /// One object.
    #[must_use]
    pub(crate) fn get(&self, resource: &str, name: &str) -> Option<Arc<Stored>> {
        self.store.get(resource, &Key::new(&self.namespace, name))
    }

    /// Whether the namespace itself is there, and not on its way out.
    #[must_use]
    pub(crate) fn exists(&self) -> bool {
        self.store
            .get("namespaces", &Key::new("", &self.namespace))
            .is_some_and(|namespace| namespace.value()["metadata"]["deletionTimestamp"].is_null())
    }
}

/// The uid of the controller that owns an object; empty when nobody does.
#[must_use]
pub(crate) fn controller_uid(object: &Value) -> &str {
    object["metadata"]["ownerReferences"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|owner| owner["controller"] == true)
        .and_then(|owner| owner["uid"].as_str())
        .unwrap_or_default()
}

/// The uid of an object.
#[must_use]
pub(crate) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}
