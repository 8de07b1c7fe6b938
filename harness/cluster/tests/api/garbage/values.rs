//! Values that make little sense: by the type that a field has, or against it.

use pulldrill_cluster::schema::{Definition, Scalar, Schema, Type};
use rand::{RngExt, seq::IndexedRandom};
use serde_json::{Map, Value, json};

use pulldrill_clock::seed::Rng;

/// Longer than any name may be.
const LONG: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
);

/// What a string may be: names of parts of paths, of fields' values in this and other kinds, and of nothing.
const TEXTS: [&str; 46] = [
    "",
    "a",
    "b",
    "A",
    "default",
    "kube-system",
    "Always",
    "Never",
    "OnFailure",
    "Recreate",
    "RollingUpdate",
    "NodePort",
    "LoadBalancer",
    "ExternalName",
    "None",
    "cpu",
    "memory",
    "pods",
    "100m",
    "1Gi",
    "-1",
    "1e99999999",
    "9223372036854775808",
    "50%",
    "150%",
    "%",
    "* * * * *",
    "@every 1h",
    "0 0 31 2 *",
    "CRON_TZ=Mars/Base * * * * *",
    "2026-11-29T00:00:00Z",
    "9999999-99-99T99:99:99Z",
    "10.96.0.1",
    "10.0.0.0/8",
    "::1",
    "::/129",
    "registry.example/shop/web:1",
    "::",
    "Exists",
    "NoExecute",
    "node-1",
    "kubernetes.io/dockerconfigjson",
    "\u{0}",
    "é\u{1f600}",
    "$(A)",
    LONG,
];

/// Values that fit few fields.
const JUNK: [&str; 16] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e300",
    "9223372036854775807",
    "18446744073709551615",
    "\"\"",
    "[]",
    "{}",
    "[null]",
    "[[[[[[[[]]]]]]]]",
    "{\"\":{\"\":{}}}",
    "{\"$patch\":\"delete\"}",
    "{\"$patch\":7,\"$retainKeys\":[{}],\"$setElementOrder/x\":1,\"$deleteFromPrimitiveList/x\":null}",
];

const NUMBERS: [i64; 12] =
    [0, 1, 2, 3, -1, 80, 30080, 65536, 2_147_483_647, 2_147_483_648, i64::MAX, i64::MIN];

pub(super) fn text(rng: &mut Rng) -> &'static str {
    TEXTS.choose(rng).copied().unwrap_or_default()
}

pub(super) fn junk(rng: &mut Rng) -> Value {
    JUNK.choose(rng).and_then(|junk| serde_json::from_str(junk).ok()).unwrap_or_default()
}

fn number(rng: &mut Rng) -> i64 {
    NUMBERS.choose(rng).copied().unwrap_or_default()
}

fn scalar(rng: &mut Rng, scalar: Scalar) -> Value {
    match scalar {
        Scalar::String => text(rng).into(),
        Scalar::Bool => rng.random_bool(0.5).into(),
        Scalar::Int32 | Scalar::Int64 => number(rng).into(),
        Scalar::Bytes => (*["", "e30=", "AAAA", "x", "eyJhdXRocyI6e319"].choose(rng).unwrap_or(&"")).into(),
        Scalar::Quantity => {
            (*["1", "0", "100m", "1Gi", "-1", "1e30", "0.0000000001", "", "x", "99999999999999999999E"]
                .choose(rng)
                .unwrap_or(&"1"))
            .into()
        }
        Scalar::IntOrString if rng.random_bool(0.5) => number(rng).into(),
        Scalar::IntOrString => text(rng).into(),
        Scalar::Time | Scalar::MicroTime => (*[
            "2026-11-29T00:00:00Z",
            "2026-11-29T00:00:00.000001Z",
            "0000-00-00T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "",
        ]
        .choose(rng)
        .unwrap_or(&""))
        .into(),
        Scalar::Any => junk(rng),
    }
}

/// A value of a type, or now and then of another.
pub(super) fn of_type(rng: &mut Rng, schema: &Schema, ty: &Type, depth: u32) -> Value {
    if rng.random_bool(0.02) {
        return junk(rng);
    }
    match ty {
        Type::Scalar(kind) => scalar(rng, *kind),
        Type::List(element) => {
            (0..rng.random_range(0..3)).map(|_| of_type(rng, schema, element, depth + 1)).collect()
        }
        Type::Map(element) => {
            let entries = (0..rng.random_range(0..3))
                .map(|_| (text(rng).to_owned(), of_type(rng, schema, element, depth + 1)));
            Value::Object(entries.collect())
        }
        Type::Reference(_) => match schema.target(ty) {
            Some(Definition { items: Some(items), .. }) => {
                of_type(rng, schema, &Type::List(Box::new(items.clone())), depth)
            }
            Some(definition) => of_definition(rng, schema, definition, depth + 1),
            None => Value::Null,
        },
    }
}

/// Some of the fields of a type.
pub(super) fn of_definition(rng: &mut Rng, schema: &Schema, definition: &Definition, depth: u32) -> Value {
    let share = [0.5, 0.4, 0.3, 0.25, 0.2, 0.15].get(depth as usize).copied().unwrap_or(0.05);
    let mut fields = Map::new();
    for field in schema.fields(definition) {
        if rng.random_bool(if field.required { 0.9 } else { share }) && depth < 9 {
            fields.insert(field.name.clone(), of_type(rng, schema, &field.ty, depth));
        }
    }
    if rng.random_bool(0.02) {
        fields.insert("unheardOf".into(), junk(rng));
    }
    Value::Object(fields)
}

/// Changes a value in one place.
pub(super) fn disturb(rng: &mut Rng, value: &mut Value) {
    let deeper = rng.random_bool(0.85);
    match value {
        Value::Object(fields) if deeper && !fields.is_empty() => {
            let at = rng.random_range(0..fields.len());
            if let Some(inner) = fields.values_mut().nth(at) {
                disturb(rng, inner);
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = rng.random_range(0..items.len());
            disturb(rng, &mut items[at]);
        }
        Value::Array(items) if rng.random_bool(0.3) => {
            if let Some(first) = items.first().cloned() {
                items.push(first);
            }
        }
        Value::String(old) if rng.random_bool(0.7) => text(rng).clone_into(old),
        Value::Number(old) if rng.random_bool(0.7) => *old = number(rng).into(),
        other => *other = junk(rng),
    }
}

/// Objects that are good, of kinds for which chance would not find one; without their metadata.
pub(super) fn good(kind: &str) -> Value {
    let pod = json!({"containers": [{"name": "c", "image": "registry.example/shop/web:1", "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "value": "b"}], "resources": {"limits": {"cpu": "1"}}}]});
    let labels = json!({"app": "a"});
    let selector = json!({"matchLabels": labels});
    let template = json!({"metadata": {"labels": labels}, "spec": pod});
    let mut once = template.clone();
    once["spec"]["restartPolicy"] = "Never".into();
    match kind {
        "Pod" => json!({"spec": pod}),
        "Deployment" | "ReplicaSet" | "DaemonSet" => {
            json!({"spec": {"selector": selector, "template": template}})
        }
        "StatefulSet" => {
            json!({"spec": {"selector": selector, "template": template, "serviceName": "a", "replicas": 2}})
        }
        "ReplicationController" => json!({"spec": {"selector": labels, "template": template}}),
        "PodTemplate" => json!({"template": template}),
        "Job" => json!({"spec": {"template": once}}),
        "CronJob" => json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": once}}}}),
        "Service" => json!({"spec": {"selector": labels, "ports": [{"port": 80}]}}),
        "HorizontalPodAutoscaler" => json!({"spec": {"maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}}}),
        "PodDisruptionBudget" => json!({"spec": {"minAvailable": 1, "selector": selector}}),
        "Role" | "ClusterRole" => {
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]})
        }
        "RoleBinding" | "ClusterRoleBinding" => json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "default"}]}),
        "PersistentVolumeClaim" => json!({"spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}}}),
        "PersistentVolume" => {
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/x"}}})
        }
        "ResourceQuota" => json!({"spec": {"hard": {"pods": "50", "count/configmaps": "9"}}}),
        "LimitRange" => json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}}]}}),
        "StorageClass" => json!({"provisioner": "example.org/x"}),
        "PriorityClass" => json!({"value": 5}),
        "RuntimeClass" => json!({"handler": "runc"}),
        "Ingress" => json!({"spec": {"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}}}),
        "Event" => json!({"involvedObject": {"kind": "Pod", "name": "a", "namespace": "default"}}),
        "EndpointSlice" => json!({"addressType": "IPv4", "endpoints": []}),
        "Eviction" => json!({"metadata": {"name": "a"}}),
        "Binding" => json!({"target": {"kind": "Node", "name": "node-1"}}),
        "Scale" => json!({"spec": {"replicas": 2}}),
        "TokenRequest" => json!({"spec": {"audiences": ["x"], "expirationSeconds": 600}}),
        "Secret" => json!({"stringData": {"a": "b"}}),
        "ConfigMap" => json!({"data": {"a": "b"}}),
        "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            json!({"spec": {"user": "x", "resourceAttributes": {"verb": "get", "resource": "pods"}}})
        }
        "TokenReview" => json!({"spec": {"token": "x"}}),
        _ => json!({}),
    }
}
