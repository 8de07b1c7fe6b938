//! The objects that a lab makes on somebody's cluster, one function for each. When, and in which order, is the
//! plan's.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::names::{Names, PROBE, RUN};
use crate::{RegistryAccess, backend::node::agent};

/// The registry's own name for itself.
pub(crate) const REGISTRY: &str = "registry";
/// The Secret with the token of the admin API, and its key.
pub(crate) const ADMIN: (&str, &str) = ("registry-admin", "token");
/// Where in the registry's pod the admin API is served: where only a port-forward gets.
pub(crate) const ADMIN_PORT: u16 = 7879;
/// The trainee's account.
pub(crate) const TRAINEE: &str = "trainee";
/// The lab's pods on the nodes, and their container.
pub(crate) const NODES: &str = "nodes";
/// The role that trainees have in the namespaces of drills.
pub(crate) const DRILL_ROLE: &str = "admin";
/// The label by which the registry's pod is found.
const APP: &str = "app.kubernetes.io/name";
const RBAC: &str = "rbac.authorization.k8s.io/v1";
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// The namespace that everything of the lab but the drills is in.
pub(crate) fn own_namespace(names: &Names, run: &str, node_access: bool) -> Value {
    let mut metadata = names.metadata(&names.own_namespace(), None);
    if node_access {
        metadata["labels"]["pod-security.kubernetes.io/enforce"] = "privileged".into();
    }
    metadata["annotations"] = json!({RUN: run});
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
}

/// The token of the admin API.
pub(crate) fn admin_secret(names: &Names, token: &str) -> Value {
    let metadata = names.metadata(ADMIN.0, Some(&names.own_namespace()));
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": {ADMIN.1: STANDARD.encode(token)}})
}

/// The registry.
pub(crate) fn registry(names: &Names, image: &str, access: &RegistryAccess, ports: &[u16]) -> Value {
    let mut labels = names.labels();
    labels.insert(APP.into(), REGISTRY.into());
    let ports: Vec<Value> = ports
        .iter()
        .map(|port| match access {
            RegistryAccess::HostPort { .. } => json!({"name": format!("registry-{port}"), "containerPort": port, "hostPort": port, "protocol": "TCP"}),
            _ => json!({"name": format!("registry-{port}"), "containerPort": port, "protocol": "TCP"}),
        })
        .collect();
    let container = json!({
        "name": REGISTRY, "image": image, "imagePullPolicy": "IfNotPresent",
        "args": ["registry", "serve", "--admin", format!("127.0.0.1:{ADMIN_PORT}")],
        "env": [{"name": "PULLDRILL_ADMIN_TOKEN", "valueFrom": {"secretKeyRef": {"name": ADMIN.0, "key": ADMIN.1}}}],
        "ports": ports,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true, "runAsNonRoot": true, "runAsUser": 65532,
        },
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": names.metadata(REGISTRY, Some(&names.own_namespace())),
        "spec": {
            "replicas": 1, "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"automountServiceAccountToken": false, "enableServiceLinks": false, "containers": [container]},
            },
        },
    })
}

/// The selector of the registry's pods.
pub(crate) fn registry_selector(names: &Names) -> String {
    format!("{},{APP}={REGISTRY}", names.selector())
}

/// The lab's pods on these nodes, one on each. Whatever has been changed on a node by its pod is taken away when that
/// ends, however it comes to that; and when it begins, in case its forerunner could not.
pub(crate) fn nodes(names: &Names, image: &str, nodes: &[String]) -> Value {
    let mut labels = names.labels();
    labels.insert(APP.into(), NODES.into());
    let container = |name: &str, verb: &str| {
        json!({
            "name": name, "image": image, "imagePullPolicy": "IfNotPresent",
            "args": ["node", verb, "--lab", names.lab()],
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "256Mi"}},
            "securityContext": {"privileged": true, "runAsUser": 0},
            "volumeMounts": [{"name": "node", "mountPath": agent::ROOT}],
        })
    };
    // Each term can name one node.
    let term = |node: &String| json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]});
    let terms: Vec<Value> = nodes.iter().map(term).collect();
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": names.metadata(NODES, Some(&names.own_namespace())),
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}},
                    "hostNetwork": true, "automountServiceAccountToken": false, "enableServiceLinks": false,
                    "terminationGracePeriodSeconds": 30,
                    "initContainers": [container("clean", "clean")],
                    "containers": [container(NODES, "agent")],
                    "volumes": [{"name": "node", "hostPath": {"path": "/"}}],
                },
            },
        },
    })
}

/// The selector of those pods.
pub(crate) fn nodes_selector(names: &Names) -> String {
    format!("{},{APP}={NODES}", names.selector())
}

/// The way to the registry.
pub(crate) fn service(names: &Names, access: &RegistryAccess, ports: &[u16]) -> Value {
    let mut selector = names.labels();
    selector.insert(APP.into(), REGISTRY.into());
    let opens = matches!(access, RegistryAccess::NodePort { .. });
    let port = |port: &u16| {
        let mut entry =
            json!({"name": format!("registry-{port}"), "port": port, "targetPort": port, "protocol": "TCP"});
        if opens {
            entry["nodePort"] = (*port).into();
        }
        entry
    };
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": names.metadata(REGISTRY, Some(&names.own_namespace())),
        "spec": {
            "type": if opens { "NodePort" } else { "ClusterIP" },
            "selector": selector, "ports": ports.iter().map(port).collect::<Vec<_>>(),
        },
    })
}

/// Who the trainees are.
pub(crate) fn trainee(names: &Names) -> Value {
    let metadata = names.metadata(TRAINEE, Some(&names.own_namespace()));
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": false})
}

/// What trainees may see beside their namespaces: the nodes, and that these namespaces exist.
pub(crate) fn look_around(names: &Names, namespaces: &[String]) -> [Value; 2] {
    let metadata = names.metadata(&names.trainee_role(), None);
    let mut rules =
        vec![json!({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]})];
    if !namespaces.is_empty() {
        rules.push(json!({"apiGroups": [""], "resources": ["namespaces"], "resourceNames": namespaces, "verbs": ["get"]}));
    }
    [
        json!({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": metadata, "rules": rules}),
        json!({
            "apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": names.trainee_role()},
            "subjects": [subject(names)],
        }),
    ]
}

/// A drill's namespace.
pub(crate) fn drill_namespace(names: &Names, namespace: &str) -> Value {
    let mut metadata = names.metadata(namespace, None);
    metadata["labels"] = json!(names.drill_labels());
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
}

/// What a drill's namespace has in it before the drill.
pub(crate) fn drill_furniture(names: &Names, namespace: &str) -> [Value; 2] {
    let metadata = names.metadata("pulldrill", Some(namespace));
    let hard = json!({
        "pods": "40", "secrets": "60", "services": "20", "services.loadbalancers": "0", "services.nodeports": "0",
        "persistentvolumeclaims": "0",
    });
    [
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}),
        json!({
            "apiVersion": RBAC, "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": DRILL_ROLE},
            "subjects": [subject(names)],
        }),
    ]
}

/// A pod whose image shows whether a node reaches the registries, and as whom. It is removed again at once. `way` is
/// how it is reached, one of the names in [`super::probe`].
pub(crate) fn probe(names: &Names, way: &str, nth: usize, node: &str, image: &str) -> Value {
    let mut metadata = names.metadata(&format!("probe-{way}-{nth}"), Some(&names.own_namespace()));
    metadata["labels"][PROBE] = way.into();
    let container = json!({
        "name": "probe", "image": image, "imagePullPolicy": "Always",
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    });
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {
            "nodeName": node, "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false, "enableServiceLinks": false, "containers": [container],
        },
    })
}

fn subject(names: &Names) -> Value {
    json!({"kind": "ServiceAccount", "name": TRAINEE, "namespace": names.own_namespace()})
}
