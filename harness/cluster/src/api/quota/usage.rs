//! What one object counts for.

use serde_json::Value;

use crate::api::{
    json::{items, text},
    quantity::{Amounts, Quantity, of_pod},
};

/// Kinds that quotas know by their plain names, besides `count/…`.
const PLAIN: [&str; 7] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];

/// Whether objects of a resource can count for any of these names.
pub(super) fn concerns(resource: &str, hard: &Amounts) -> bool {
    let counted = format!("count/{resource}");
    hard.keys().any(|name| {
        *name == counted
            || name == resource
            || match resource {
                "pods" => compute(name).is_some() || name.starts_with("requests."),
                "services" => name.starts_with("services."),
                "persistentvolumeclaims" => name == "requests.storage" || name.contains(STORAGE_CLASS),
                _ => false,
            }
    })
}

const STORAGE_CLASS: &str = ".storageclass.storage.k8s.io/";

/// What an object counts for, by name.
pub(super) fn of(resource: &str, object: &Value) -> Amounts {
    let mut amounts = Amounts::from([(format!("count/{resource}"), Quantity::of(1))]);
    let ended = resource == "pods" && matches!(text(&object["status"]["phase"]), "Succeeded" | "Failed");
    if ended {
        return amounts;
    }
    if PLAIN.contains(&resource) {
        amounts.insert(resource.to_owned(), Quantity::of(1));
    }
    match resource {
        "pods" => pod(object, &mut amounts),
        "services" => service(object, &mut amounts),
        "persistentvolumeclaims" => claim(object, &mut amounts),
        _ => {}
    }
    amounts
}

/// Which list of a container a name is about, and which resource there.
pub(super) fn compute(name: &str) -> Option<(&'static str, &str)> {
    const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
    let (list, what) = match name.split_once('.') {
        Some(("requests", what)) => ("requests", what),
        Some(("limits", what)) => ("limits", what),
        _ => ("requests", name),
    };
    COMPUTE.contains(&what).then_some((list, what))
}

fn pod(pod: &Value, amounts: &mut Amounts) {
    for (list, prefix) in [("requests", "requests."), ("limits", "limits.")] {
        for (name, amount) in of_pod(pod, list) {
            amounts.insert(format!("{prefix}{name}"), amount);
            if list == "requests" && compute(&name).is_some() {
                amounts.insert(name, amount);
            }
        }
    }
}

fn service(service: &Value, amounts: &mut Amounts) {
    let ports = i64::try_from(items(&service["spec"]["ports"]).len()).unwrap_or(i64::MAX);
    match text(&service["spec"]["type"]) {
        "NodePort" => drop(amounts.insert("services.nodeports".into(), Quantity::of(ports))),
        "LoadBalancer" => {
            amounts.insert("services.nodeports".into(), Quantity::of(ports));
            amounts.insert("services.loadbalancers".into(), Quantity::of(1));
        }
        _ => {}
    }
}

fn claim(claim: &Value, amounts: &mut Amounts) {
    let storage = Quantity::read(&claim["spec"]["resources"]["requests"]["storage"]).unwrap_or_default();
    amounts.insert("requests.storage".into(), storage);
    let class = text(&claim["spec"]["storageClassName"]);
    if !class.is_empty() {
        amounts.insert(format!("{class}{STORAGE_CLASS}requests.storage"), storage);
        amounts.insert(format!("{class}{STORAGE_CLASS}persistentvolumeclaims"), Quantity::of(1));
    }
}
