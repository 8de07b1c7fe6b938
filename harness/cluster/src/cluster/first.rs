//! What a cluster has before anybody comes: its first objects, and the certificate that it shows.

mod api_services;
mod flow_control;

use std::net::{IpAddr, Ipv4Addr};

use pulldrill_tls::{Authority, Identity, TlsError};
use serde_json::{Value, json};

use super::ClusterError;
use crate::{
    api::{self, Api, User, WriteOptions},
    release::Release,
    store::Key,
};

/// The address of the `kubernetes` Service.
const SERVICE_ADDRESS: &str = "10.96.0.1";

/// Where the control plane would be on the nodes' network, and its port: what is behind that Service.
const CONTROL_PLANE: &str = "172.18.0.254";
const CONTROL_PLANE_PORT: u16 = 6443;

/// Since this minor version all parts of the control plane say that they are well in the same way.
const ETCD_SAYS_OK: u32 = 22;

/// The namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// The priorities that parts of the cluster have: name, value, and what it is for, in the words of Kubernetes.
const PRIORITY_CLASSES: [(&str, i64, &str); 2] = [
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
];

const API_SERVICES: &str = "apiservices.apiregistration.k8s.io";

/// The certificate of an API server.
pub(super) fn server_identity(authority: &Authority, address: IpAddr) -> Result<Identity, TlsError> {
    // The first is the common name: were it the authority's own, OpenSSL would take the certificate for a
    // self-signed one.
    let names = ["kube-apiserver", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
    let names: Vec<String> = names.map(str::to_owned).to_vec();
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    addresses.extend(SERVICE_ADDRESS.parse::<IpAddr>());
    if !addresses.contains(&address) && !address.is_unspecified() {
        addresses.push(address);
    }
    authority.server(&names, &addresses)
}

/// Makes what is there before anybody comes, unless it is there from a former life.
pub(super) fn first_objects(api: &Api, authority: &str, release: Release) -> Result<(), ClusterError> {
    let who = User::controller("apiserver");
    let create = |resource: &str, namespace: &str, object: Value| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match api.create(&who, resource, namespace, object, &WriteOptions::default()) {
            Err(status) if status.reason != "AlreadyExists" => {
                Err(ClusterError::FirstObjects { object: name, reason: status.message })
            }
            _ => Ok(()),
        }
    };
    let say = |resource: &str, name: &str, status: &Value| {
        let key = Key::new("", name);
        let said =
            api.modify(&who, resource, &key, Some("status"), |object| object["status"] = status.clone());
        said.map(drop)
            .map_err(|status| ClusterError::FirstObjects { object: name.to_owned(), reason: status.message })
    };
    let now = api.stamp();
    for name in NAMESPACES {
        create("namespaces", "", json!({"metadata": {"name": name}}))?;
    }
    for (resource, object) in api::first_objects(release) {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        create(resource, &namespace, object)?;
    }
    for service in api_services::all(api.resources()) {
        let name = service["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        create(API_SERVICES, "", service)?;
        say(API_SERVICES, &name, &api_services::status(&now))?;
    }
    for (resource, object) in flow_control::all(release) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let status = flow_control::status(&object, &now);
        create(resource, "", object)?;
        if let Some(status) = status {
            say(resource, &name, &status)?;
        }
    }
    for (name, value, what) in PRIORITY_CLASSES {
        let class = json!({"metadata": {"name": name}, "value": value, "description": what});
        create("priorityclasses.scheduling.k8s.io", "", class)?;
    }
    create(
        "configmaps",
        "kube-system",
        json!({"metadata": {"name": "extension-apiserver-authentication"}, "data": {"client-ca-file": authority}}),
    )?;
    // The controller that publishes it in every namespace takes it from here.
    create(
        "configmaps",
        "kube-system",
        json!({"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": authority}}),
    )?;
    create(
        "services",
        "default",
        json!({"metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {"clusterIP": SERVICE_ADDRESS, "clusterIPs": [SERVICE_ADDRESS],
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": CONTROL_PLANE_PORT}]}}),
    )?;
    let etcd = if release.since(ETCD_SAYS_OK) { "ok" } else { r#"{"health":"true"}"# };
    for (name, message) in [("scheduler", "ok"), ("controller-manager", "ok"), ("etcd-0", etcd)] {
        let healthy = json!({"type": "Healthy", "status": "True", "message": message});
        create("componentstatuses", "", json!({"metadata": {"name": name}, "conditions": [healthy]}))?;
    }
    let port = json!({"name": "https", "port": CONTROL_PLANE_PORT, "protocol": "TCP"});
    create(
        "endpoints",
        "default",
        json!({"metadata": {"name": "kubernetes", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": CONTROL_PLANE}], "ports": [port]}]}),
    )?;
    create(
        "endpointslices.discovery.k8s.io",
        "default",
        json!({"metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": "IPv4", "ports": [port],
            "endpoints": [{"addresses": [CONTROL_PLANE], "conditions": {"ready": true}}]}),
    )
}
