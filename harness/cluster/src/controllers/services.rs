//! Services: an address for each, and where their traffic goes (Endpoints and EndpointSlices).

use serde_json::{Value, json};

use super::{
    deps::Deps,
    json::{int, items, text},
    meta::{controller_reference, deleting, name, namespace},
    pods,
    selector::selects,
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const RESOURCE: &str = "services";
const ENDPOINTS: &str = "endpoints";
const SLICES: &str = "endpointslices.discovery.k8s.io";

/// Since this minor version slices tell of pods that are about to end.
const TERMINATING: u32 = 22;

/// Whether a Service leads to pods that are not ready as well.
fn publishes_unready(service: &Value) -> bool {
    service["spec"]["publishNotReadyAddresses"] == true
}

/// The part of a pod that its Services look at.
fn interesting(pod: &Value) -> (Value, Value, bool, bool) {
    (pod["metadata"]["labels"].clone(), pod["status"]["podIP"].clone(), pods::ready(pod), deleting(pod))
}

/// Keeps the addresses behind Services.
pub(crate) struct Services {
    deps: Deps,
    timers: Timers,
}

impl Services {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }

    fn sync(&self, key: &Key) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else {
            return match self.deps.get(ENDPOINTS, key) {
                Some(endpoints) => self.deps.delete(ENDPOINTS, endpoints.value()),
                None => Ok(()),
            };
        };
        let service = stored.value();
        let selector = &service["spec"]["selector"];
        let selecting = selector.as_object().is_some_and(|s| !s.is_empty());
        if deleting(service) || !selecting || self.deps.namespace_ends(&key.namespace) {
            return Ok(());
        }
        let wanted = json!({"matchLabels": selector});
        let stored = self.deps.list("pods", Some(&key.namespace));
        let unready = publishes_unready(service);
        let behind: Vec<&Value> = stored
            .iter()
            .map(|pod| pod.value())
            .filter(|pod| selects(&wanted, &pod["metadata"]["labels"]) && !pods::ended(pod))
            .filter(|pod| pod["status"]["podIP"].is_string())
            .collect();
        let staying: Vec<&Value> =
            behind.iter().copied().filter(|pod| unready || pods::active(pod)).collect();
        self.write_endpoints(key, service, &staying)?;
        let sliced = if self.deps.release().since(TERMINATING) { &behind } else { &staying };
        self.write_slice(key, service, sliced)
    }

    fn write_endpoints(&self, key: &Key, service: &Value, behind: &[&Value]) -> Result<(), Status> {
        let addresses = |ready: bool| -> Vec<Value> {
            let unready = publishes_unready(service);
            let chosen = behind.iter().filter(|pod| (unready || pods::ready(pod)) == ready);
            chosen
                .map(|pod| json!({"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target(pod)}))
                .collect()
        };
        let mut subset = json!({});
        for (field, list) in [("addresses", addresses(true)), ("notReadyAddresses", addresses(false))] {
            if !list.is_empty() {
                subset[field] = list.into();
            }
        }
        let subsets = if behind.is_empty() {
            json!([])
        } else {
            subset["ports"] = ports(service, behind);
            json!([subset])
        };
        let mut object = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": key.name}});
        if service["metadata"]["labels"].is_object() {
            object["metadata"]["labels"] = service["metadata"]["labels"].clone();
        }
        object["subsets"] = subsets;
        self.put(ENDPOINTS, key, object, "subsets")
    }

    fn write_slice(&self, key: &Key, service: &Value, behind: &[&Value]) -> Result<(), Status> {
        let unready = publishes_unready(service);
        let endpoints: Vec<Value> = behind
            .iter()
            .map(|pod| {
                let (serving, terminating) = (pods::ready(pod), deleting(pod));
                let ready = unready || serving && !terminating;
                json!({"addresses": [pod["status"]["podIP"]], "nodeName": pod["spec"]["nodeName"], "targetRef": target(pod),
                    "conditions": {"ready": ready, "serving": serving, "terminating": terminating}})
            })
            .collect();
        let mut object = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"generateName": format!("{}-", key.name), "ownerReferences": [controller_reference(service)],
                "labels": {"kubernetes.io/service-name": key.name,
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
            "ports": ports(service, behind)});
        object["endpoints"] = endpoints.into();
        let slices = self.deps.list(SLICES, Some(&key.namespace));
        let own = slices
            .iter()
            .find(|s| s.value()["metadata"]["labels"]["kubernetes.io/service-name"] == key.name.as_str());
        match own {
            Some(slice) => self.put(SLICES, slice.key(), object, "endpoints"),
            None => self.deps.create(SLICES, &key.namespace, object).map(drop),
        }
    }

    /// Creates an object, or writes these fields of it if they differ.
    fn put(&self, resource: &str, key: &Key, object: Value, field: &str) -> Result<(), Status> {
        let Some(present) = self.deps.get(resource, key) else {
            return self.deps.create(resource, &key.namespace, object).map(drop);
        };
        let same = |f: &str| super::json::pruned(&present.value()[f]) == super::json::pruned(&object[f]);
        if same(field) && same("ports") {
            return Ok(());
        }
        let written = self.deps.edit(resource, key, |stored| {
            stored[field] = object[field].clone();
            if object["ports"].is_array() {
                stored["ports"] = object["ports"].clone();
            }
        });
        written.map(drop)
    }
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": pod["metadata"]["uid"]})
}

/// The Service's ports as the pods have them: names are looked up in the first pod.
fn ports(service: &Value, behind: &[&Value]) -> Value {
    let list = items(&service["spec"]["ports"]).iter().map(|port| {
        let number = match &port["targetPort"] {
            Value::String(wanted) => behind
                .iter()
                .flat_map(|pod| items(&pod["spec"]["containers"]))
                .flat_map(|container| items(&container["ports"]))
                .find(|p| p["name"] == wanted.as_str())
                .map_or(0, |p| int(&p["containerPort"])),
            number => number.as_i64().unwrap_or_else(|| int(&port["port"])),
        };
        let mut result = json!({"port": number, "protocol": port["protocol"].as_str().unwrap_or("TCP")});
        if !text(&port["name"]).is_empty() {
            result["name"] = port["name"].clone();
        }
        result
    });
    list.collect::<Vec<Value>>().into()
}

impl Controller for Services {
    fn name(&self) -> &'static str {
        "endpoint-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        match &*event.resource {
            RESOURCE => queue.add(event.key.clone()),
            "pods" => {
                let services = self.deps.list(RESOURCE, Some(&event.key.namespace));
                if services.is_empty() {
                    return;
                }
                let now = interesting(event.object.value());
                let before = event.previous.as_ref().map(|pod| interesting(pod.value()));
                if event.change == Change::Modified && before.as_ref() == Some(&now) {
                    return;
                }
                for service in services {
                    let selector = json!({"matchLabels": service.value()["spec"]["selector"]});
                    if selects(&selector, &now.0) || before.as_ref().is_some_and(|b| selects(&selector, &b.0))
                    {
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
