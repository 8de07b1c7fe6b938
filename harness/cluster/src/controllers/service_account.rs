//! What every namespace starts with: the ServiceAccount `default` and the certificate of the API server.
//!
//! The certificate is read from the copy in `kube-system`, which the cluster puts there when it starts.

use serde_json::json;

use super::{deps::Deps, meta::deleting, timers::Timers};
use crate::{
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const DEFAULT: &str = "default";
const ROOT_CA: &str = "kube-root-ca.crt";
const SOURCE_NAMESPACE: &str = "kube-system";
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the \
     internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of \
     Kubernetes clusters.";

/// Keeps the ServiceAccount `default` in every namespace.
pub(crate) struct DefaultAccounts {
    deps: Deps,
    timers: Timers,
}

impl DefaultAccounts {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }
}

impl Controller for DefaultAccounts {
    fn name(&self) -> &'static str {
        "service-account-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        queue_namespace(event, "serviceaccounts", DEFAULT, queue);
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let account = || json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": DEFAULT}});
        let made = ensure(&self.deps, key, "serviceaccounts", DEFAULT, account);
        self.timers.outcome(key, &made, context);
    }
}

/// Keeps the ConfigMap with the API server's certificate in every namespace.
pub(crate) struct RootCertificates {
    deps: Deps,
    timers: Timers,
}

impl RootCertificates {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }
}

impl Controller for RootCertificates {
    fn name(&self) -> &'static str {
        "root-ca-cert-publisher"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        if &*event.resource == "configmaps" && event.key == Key::new(SOURCE_NAMESPACE, ROOT_CA) {
            for namespace in self.deps.list("namespaces", None) {
                queue.add(namespace.key().clone());
            }
        }
        queue_namespace(event, "configmaps", ROOT_CA, queue);
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let Some(source) = self.deps.get("configmaps", &Key::new(SOURCE_NAMESPACE, ROOT_CA)) else { return };
        let data = &source.value()["data"];
        let copy = || {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
                "metadata": {"name": ROOT_CA, "annotations": {"kubernetes.io/description": DESCRIPTION}}})
        };
        let made = ensure(&self.deps, key, "configmaps", ROOT_CA, copy).and_then(|()| {
            let copied = Key::new(&key.name, ROOT_CA);
            if self.deps.get("configmaps", &copied).is_some_and(|c| c.value()["data"] != *data) {
                self.deps.edit("configmaps", &copied, |object| object["data"] = data.clone())?;
            }
            Ok(())
        });
        self.timers.outcome(key, &made, context);
    }
}

/// Queues a namespace that is new, or in which the object of this name has changed or vanished.
fn queue_namespace(event: &Event, resource: &str, name: &str, queue: &mut Queue) {
    if &*event.resource == "namespaces" && event.change != Change::Deleted {
        queue.add(event.key.clone());
    } else if &*event.resource == resource && event.key.name == name {
        queue.add(Key::new("", &event.key.namespace));
    }
}

/// Makes an object in a namespace that lives and has none of this name.
fn ensure(
    deps: &Deps,
    namespace: &Key,
    resource: &str,
    name: &str,
    object: impl Fn() -> serde_json::Value,
) -> Result<(), crate::api::Status> {
    let lives = deps.get("namespaces", namespace).is_some_and(|ns| !deleting(ns.value()));
    if !lives || deps.get(resource, &Key::new(&namespace.name, name)).is_some() {
        return Ok(());
    }
    deps.create(resource, &namespace.name, object()).map(drop)
}
