//! APIServices: whether who is said to serve a group of kinds can be reached. What the API server serves itself always
//! is; a Service never is, for nothing that the nodes run answers to the API server.

use serde_json::{Value, json};

use super::{
    deps::Deps,
    json::{items, text},
    meta::since,
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Event, Key},
};

const RESOURCE: &str = "apiservices.apiregistration.k8s.io";

/// Keeps the condition `Available`.
pub(crate) struct ApiServices {
    deps: Deps,
    timers: Timers,
}

impl ApiServices {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }

    fn sync(&self, key: &Key) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        let (status, reason, message) = self.available(&stored.value()["spec"]);
        let conditions = &stored.value()["status"]["conditions"];
        let old = items(conditions).iter().find(|c| c["type"] == "Available");
        let same = |field: &str, value: &str| old.is_some_and(|old| old[field] == value);
        if same("status", status) && same("reason", reason) && same("message", &message) {
            return Ok(());
        }
        let since = since(conditions, "Available", status, &self.deps.stamp());
        let condition = json!({"type": "Available", "status": status, "lastTransitionTime": since, "reason": reason,
            "message": message});
        self.deps.write_status(RESOURCE, key, &json!({"conditions": [condition]})).map(drop)
    }

    fn available(&self, spec: &Value) -> (&'static str, &'static str, String) {
        let service = &spec["service"];
        if !service.is_object() {
            return ("True", "Local", "Local APIServices are always available".to_owned());
        }
        let (namespace, name) = (text(&service["namespace"]), text(&service["name"]));
        let port = service["port"].as_i64().unwrap_or(443);
        let refused = |reason, message| ("False", reason, message);
        let key = Key::new(namespace, name);
        let Some(found) = self.deps.get("services", &key) else {
            return refused("ServiceNotFound", format!("service/{name} in {namespace:?} is not present"));
        };
        let service = &found.value()["spec"];
        let Some(served) = items(&service["ports"]).iter().find(|p| p["port"] == port) else {
            let message = format!("service/{name} in {namespace:?} is not listening on port {port}");
            return refused("ServicePortError", message);
        };
        let Some(endpoints) = self.deps.get("endpoints", &key) else {
            let message = format!("cannot find endpoints for service/{name} in {namespace:?}");
            return refused("EndpointsNotFound", message);
        };
        let port_name = text(&served["name"]);
        let reaches = |subset: &Value| {
            let named = items(&subset["ports"]).iter().any(|port| text(&port["name"]) == port_name);
            named && !items(&subset["addresses"]).is_empty()
        };
        if !items(&endpoints.value()["subsets"]).iter().any(reaches) {
            let message = format!(
                "endpoints for service/{name} in {namespace:?} have no addresses with port name {port_name:?}"
            );
            return refused("MissingEndpoints", message);
        }
        let place = format!("{}:{port}", text(&service["clusterIP"]));
        let url = format!("https://{place}/apis/{}/{}", text(&spec["group"]), text(&spec["version"]));
        let why = format!("Get {url:?}: dial tcp {place}: connect: connection refused");
        refused("FailedDiscoveryCheck", format!("failing or missing response from {url}: {why}"))
    }
}

impl Controller for ApiServices {
    fn name(&self) -> &'static str {
        "apiservice-available-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        match &*event.resource {
            RESOURCE => queue.add(event.key.clone()),
            "services" | "endpoints" => {
                for service in self.deps.list(RESOURCE, None) {
                    let named = &service.value()["spec"]["service"];
                    if named["name"] == *event.key.name && named["namespace"] == *event.key.namespace {
                        queue.add(service.key().clone());
                    }
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key);
        self.timers.outcome(key, &outcome, context);
    }
}
