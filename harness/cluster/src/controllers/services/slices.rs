//! EndpointSlices: the addresses behind a Service, one slice for each set of ports.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Services, grouped, host_name, labels, ports, publishes_unready, target};
use crate::{
    api::Status,
    controllers::{
        json::{pruned, text},
        meta::{controller_of, controller_reference, deleting, label, uid},
        pods,
    },
    store::{Key, Stored},
};

pub(super) const RESOURCE: &str = "endpointslices.discovery.k8s.io";

/// The label with the name of a slice's Service.
const SERVICE: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";

/// The Service of a slice, if it is one of the controller's.
pub(super) fn service_of(slice: &Value) -> Option<&str> {
    let labels = &slice["metadata"]["labels"];
    (labels[MANAGED_BY] == MANAGER).then(|| text(&labels[SERVICE]))
}

impl Services {
    /// Brings the slices of a Service up to date. One whose ports nobody has any more is used for others before a
    /// new one is made (`finalize` of Kubernetes); where there is no pod, an empty one without ports stands.
    pub(super) fn write_slices(&self, key: &Key, service: &Value, behind: &[&Value]) -> Result<(), Status> {
        let mut groups = grouped(behind, |pod| ports::of(service, pod));
        if groups.is_empty() {
            groups.push((Vec::new(), Vec::new()));
        }
        let mut present = self.deps.list(RESOURCE, Some(&key.namespace));
        present.retain(|slice| service_of(slice.value()) == Some(&key.name) && !deleting(slice.value()));
        let mut missing = Vec::new();
        for (ports, pods) in groups {
            let wanted = slice(key, service, &ports, &pods);
            let fits = |slice: &Arc<Stored>| same(slice.value(), &wanted, "ports");
            match present.iter().position(fits) {
                Some(at) => self.update_slice(&present.remove(at), &wanted)?,
                None => missing.push(wanted),
            }
        }
        let own =
            |slice: &Arc<Stored>| controller_of(slice.value()).is_some_and(|r| r["uid"] == uid(service));
        for wanted in missing {
            match present.iter().position(own) {
                Some(at) => self.update_slice(&present.remove(at), &wanted)?,
                None => drop(self.deps.create(RESOURCE, &key.namespace, wanted)?),
            }
        }
        present.iter().try_for_each(|slice| self.deps.delete(RESOURCE, slice.value()))
    }

    fn update_slice(&self, present: &Stored, wanted: &Value) -> Result<(), Status> {
        let fields = ["ports", "endpoints"];
        let labels = &wanted["metadata"]["labels"];
        let same_labels = present.value()["metadata"]["labels"] == *labels;
        if same_labels && fields.into_iter().all(|field| same(present.value(), wanted, field)) {
            return Ok(());
        }
        let written = self.deps.edit(RESOURCE, present.key(), |stored| {
            fields.into_iter().for_each(|field| stored[field] = wanted[field].clone());
            stored["metadata"]["labels"] = labels.clone();
        });
        written.map(drop)
    }
}

fn same(a: &Value, b: &Value, field: &str) -> bool {
    pruned(&a[field]) == pruned(&b[field])
}

fn slice(key: &Key, service: &Value, ports: &[Value], pods: &[&Value]) -> Value {
    let endpoints: Vec<Value> = pods.iter().map(|pod| endpoint(service, pod)).collect();
    let mut slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"generateName": format!("{}-", key.name), "labels": labels(service),
            "ownerReferences": [controller_reference(service)]},
        "ports": ports, "endpoints": endpoints});
    label(&mut slice, SERVICE, &key.name);
    label(&mut slice, MANAGED_BY, MANAGER);
    slice
}

fn endpoint(service: &Value, pod: &Value) -> Value {
    let (serving, terminating) = (pods::ready(pod), deleting(pod));
    let ready = publishes_unready(service) || serving && !terminating;
    let mut endpoint = json!({"addresses": [pod["status"]["podIP"]], "nodeName": pod["spec"]["nodeName"],
        "targetRef": target(pod),
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating}});
    if let Some(host) = host_name(service, pod) {
        endpoint["hostname"] = host.into();
    }
    endpoint
}
