//! Endpoints: the addresses behind a Service in one object, in subsets that have the same ports.

use serde_json::{Value, json};

use super::{Services, grouped, host_name, is_headless, labels, ports, publishes_unready, target};
use crate::{
    api::Status,
    controllers::{
        json::{items, pruned, text},
        pods,
    },
    store::Key,
};

pub(super) const RESOURCE: &str = "endpoints";

/// The label of what the controller has written, since 1.33.
const MANAGED_BY: (&str, &str) = ("endpoints.kubernetes.io/managed-by", "endpoint-controller");
const MANAGED_SINCE: u32 = 33;

impl Services {
    /// Writes the Endpoints of a Service, if they differ.
    pub(super) fn write_endpoints(
        &self,
        key: &Key,
        service: &Value,
        behind: &[&Value],
    ) -> Result<(), Status> {
        let (subsets, mut labels) = (subsets(service, behind), labels(service));
        if self.deps.release().since(MANAGED_SINCE) {
            labels[MANAGED_BY.0] = MANAGED_BY.1.into();
        }
        let Some(present) = self.deps.get(RESOURCE, key) else {
            let object = json!({"apiVersion": "v1", "kind": "Endpoints",
                "metadata": {"name": key.name, "labels": labels}, "subsets": subsets});
            return self.deps.create(RESOURCE, &key.namespace, object).map(drop);
        };
        let present = present.value();
        if pruned(&present["subsets"]) == pruned(&subsets) && present["metadata"]["labels"] == labels {
            return Ok(());
        }
        let written = self.deps.edit(RESOURCE, key, |stored| {
            stored["subsets"] = subsets.clone();
            stored["metadata"]["labels"] = labels.clone();
        });
        written.map(drop)
    }
}

/// The pods of a Service by the ports that it leads to in them (`RepackSubsets` of Kubernetes). A pod that has
/// none is left out, except where a headless Service has no ports at all.
fn subsets(service: &Value, behind: &[&Value]) -> Value {
    let portless = items(&service["spec"]["ports"]).is_empty() && is_headless(service);
    let named_only = |mut port: Value| {
        if text(&port["name"]).is_empty()
            && let Some(fields) = port.as_object_mut()
        {
            fields.remove("name");
        }
        port
    };
    let groups = grouped(behind, |pod| ports::of(service, pod).into_iter().map(named_only).collect());
    let groups = groups.into_iter().filter(|(ports, _)| portless || !ports.is_empty());
    let subset = |(ports, pods): (Vec<Value>, Vec<&Value>)| {
        let mut subset = json!({});
        for (field, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            let listed = |pod: &&&Value| (publishes_unready(service) || pods::ready(pod)) == ready;
            let addresses: Vec<Value> = pods.iter().filter(listed).map(|pod| address(service, pod)).collect();
            if !addresses.is_empty() {
                subset[field] = addresses.into();
            }
        }
        if !ports.is_empty() {
            subset["ports"] = ports.into();
        }
        subset
    };
    groups.map(subset).collect::<Vec<Value>>().into()
}

fn address(service: &Value, pod: &Value) -> Value {
    let mut address =
        json!({"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target(pod)});
    if let Some(host) = host_name(service, pod) {
        address["hostname"] = host.into();
    }
    address
}
