//! Services: an address for each, and where their traffic goes (Endpoints and EndpointSlices).

mod endpoints;
mod ports;
mod slices;

use serde_json::{Value, json};

use super::{
    deps::Deps,
    json::text,
    meta::{deleting, name, namespace},
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

/// The label of what is written for a headless Service.
const HEADLESS: &str = "service.kubernetes.io/headless";

/// Since this minor version slices tell of pods that are about to end.
const TERMINATING: u32 = 22;

/// Since this minor version a Service that is only a name for another leads to no pods.
const NAMES_LEAD_NOWHERE: u32 = 23;

/// Whether a Service leads to pods that are not ready as well.
fn publishes_unready(service: &Value) -> bool {
    service["spec"]["publishNotReadyAddresses"] == true
}

/// The part of a pod that its Services look at.
fn interesting(pod: &Value) -> (Value, Value, [bool; 3]) {
    let states = [pods::ready(pod), pods::ended(pod), deleting(pod)];
    (pod["metadata"]["labels"].clone(), pod["status"]["podIP"].clone(), states)
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
            return match self.deps.get(endpoints::RESOURCE, key) {
                Some(endpoints) => self.deps.delete(endpoints::RESOURCE, endpoints.value()),
                None => Ok(()),
            };
        };
        let service = stored.value();
        let selector = &service["spec"]["selector"];
        let selecting = selector.as_object().is_some_and(|s| !s.is_empty());
        let only_named =
            service["spec"]["type"] == "ExternalName" && self.deps.release().since(NAMES_LEAD_NOWHERE);
        if deleting(service) || !selecting || only_named || self.deps.namespace_ends(&key.namespace) {
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
        self.write_slices(key, service, sliced)
    }
}

/// Pods by the ports that they have, in the order in which both come.
fn grouped<'a>(
    pods: &[&'a Value],
    ports: impl Fn(&Value) -> Vec<Value>,
) -> Vec<(Vec<Value>, Vec<&'a Value>)> {
    let mut groups: Vec<(Vec<Value>, Vec<&Value>)> = Vec::new();
    for pod in pods {
        let ports = ports(pod);
        match groups.iter_mut().find(|(others, _)| *others == ports) {
            Some((_, pods)) => pods.push(pod),
            None => groups.push((ports, vec![pod])),
        }
    }
    groups
}

fn is_headless(service: &Value) -> bool {
    matches!(text(&service["spec"]["clusterIP"]), "" | "None")
}

/// The labels of what is written for a Service: its own, and whether it is headless.
fn labels(service: &Value) -> Value {
    let mut labels = service["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.remove(HEADLESS);
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), "".into());
    }
    labels.into()
}

/// The name under which a headless Service knows a pod (`ShouldSetHostname` of Kubernetes).
fn host_name<'a>(service: &Value, pod: &'a Value) -> Option<&'a str> {
    let host = text(&pod["spec"]["hostname"]);
    (!host.is_empty() && pod["spec"]["subdomain"] == name(service)).then_some(host)
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": pod["metadata"]["uid"]})
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
            // What somebody else has deleted is made again.
            endpoints::RESOURCE if event.change == Change::Deleted => queue.add(event.key.clone()),
            slices::RESOURCE if event.change == Change::Deleted => {
                if let Some(service) = slices::service_of(event.object.value()) {
                    queue.add(Key::new(&event.key.namespace, service));
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
