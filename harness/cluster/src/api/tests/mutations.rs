//! Objects with one value replaced by nonsense: refused or stored, but never a panic.

use std::sync::Arc;

use pulldrill_clock::Clock;
use serde_json::{Value, json};

use crate::{
    api::{Api, ApiOptions, User, WriteOptions, print::Printer, warnings},
    release::Release,
    schema::Schema,
    store::{Key, Store},
};

/// The pointers to all values in an object.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                pointers(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn objects() -> Vec<(&'static str, Value)> {
    let spec = json!({"serviceAccountName": "default", "imagePullSecrets": [{"name": "r"}],
        "tolerations": [{"key": "a", "operator": "Exists"}], "nodeSelector": {"a": "b"},
        "initContainers": [{"name": "i", "image": "x"}],
        "volumes": [{"name": "v", "secret": {"secretName": "s", "items": [{"key": "a", "path": "b"}]}},
            {"name": "w", "projected": {"sources": [{"downwardAPI": {"items": [{"path": "p",
                "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}}]}}]}}],
        "containers": [{"name": "c", "image": "x:1", "ports": [{"containerPort": 80}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "readinessProbe": {"httpGet": {"port": 80}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}}}]});
    let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": spec});
    let meta = json!({"name": "m", "labels": {"app": "a"}, "annotations": {"a": "b"}, "finalizers": ["x.y/z"],
        "ownerReferences": [{"kind": "A", "name": "b", "uid": "c", "apiVersion": "v1"}]});
    let selector =
        json!({"matchLabels": {"app": "a"}, "matchExpressions": [{"key": "app", "operator": "Exists"}]});
    let mut once = template.clone();
    once["spec"]["restartPolicy"] = "Never".into();
    vec![
        ("pods", json!({"metadata": meta, "spec": spec})),
        (
            "deployments.apps",
            json!({"metadata": meta, "spec": {"replicas": 1, "selector": selector, "template": template,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}}}),
        ),
        (
            "statefulsets.apps",
            json!({"metadata": meta, "spec": {"serviceName": "s", "selector": selector, "template": template,
                "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}],
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}}),
        ),
        (
            "daemonsets.apps",
            json!({"metadata": meta, "spec": {"selector": selector, "template": template,
            "updateStrategy": {"type": "RollingUpdate"}}}),
        ),
        (
            "jobs.batch",
            json!({"metadata": meta, "spec": {"template": once, "completionMode": "Indexed", "completions": 2,
                "backoffLimitPerIndex": 1, "successPolicy": {"rules": [{"succeededCount": 1}]},
                "podFailurePolicy": {"rules": [{"action": "Count", "onExitCodes": {"operator": "In", "values": [1, 2]}},
                    {"action": "Ignore", "onPodConditions": [{"type": "A"}]}]}}}),
        ),
        (
            "networkpolicies.networking.k8s.io",
            json!({"metadata": meta, "spec": {"podSelector": {}, "egress": [{"ports": [{"port": 80}]}]}}),
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            json!({"metadata": meta, "spec": {"maxReplicas": 3, "behavior": {"scaleUp": {"selectPolicy": "Min"}},
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "m"}}}),
        ),
        ("configmaps", json!({"metadata": meta, "data": {"a": "b"}, "binaryData": {"c": "QQ=="}})),
        (
            "cronjobs.batch",
            json!({"metadata": meta, "spec": {"schedule": "* * * * *", "timeZone": "UTC",
                "jobTemplate": {"metadata": {}, "spec": {"template": once}}}}),
        ),
        (
            "secrets",
            json!({"metadata": meta, "type": "Opaque", "data": {"a": "YQ=="}, "stringData": {"b": "c"}}),
        ),
        (
            "services",
            json!({"metadata": meta, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}],
            "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 9}}}}),
        ),
        ("namespaces", json!({"metadata": {"name": "new"}, "spec": {"finalizers": ["kubernetes"]}})),
        (
            "serviceaccounts",
            json!({"metadata": meta, "imagePullSecrets": [{"name": "r"}], "secrets": [{"name": "t"}]}),
        ),
        (
            "events",
            json!({"metadata": meta, "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"},
                "source": {"component": "c"}, "count": 1, "series": {"count": 1}}),
        ),
        (
            "rolebindings.rbac.authorization.k8s.io",
            json!({"metadata": meta, "roleRef": {"kind": "Role", "name": "r"},
                "subjects": [{"kind": "User", "name": "u"}]}),
        ),
    ]
}

#[test]
fn nonsense_anywhere_is_refused_or_stored_but_never_a_panic() {
    let clock = Clock::held_at("2026-11-22T12:00:00Z".parse().unwrap());
    let options = ApiOptions { admission: true, service_accounts: true, ..ApiOptions::default() };
    let api = Api::with_options(Arc::new(Store::new(100)), clock.clone(), options);
    let (me, stored) = (User::controller("test"), WriteOptions::default());
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    api.create(&me, "namespaces", "", json!({"metadata": {"name": "default"}}), &stored).unwrap();
    api.create(&me, "serviceaccounts", "default", json!({"metadata": {"name": "default"}}), &stored).unwrap();
    let nonsense =
        [json!(null), json!(5), json!("x"), json!([]), json!({}), json!([null]), json!({"a": null})];
    let (mut tried, mut accepted) = (0, 0);
    for (store, object) in objects() {
        let resource = api.resource(store).unwrap();
        let namespace = if resource.namespaced { "default" } else { "" };
        let made = api.create(&me, store, namespace, object.clone(), &stored);
        let made = made.unwrap_or_else(|status| panic!("{store}: {status}"));
        let key = Key::of(made.value());
        let mut all = Vec::new();
        pointers(&object, "", &mut all);
        for (pointer, odd) in all.iter().flat_map(|p| nonsense.iter().map(move |n| (p, n))) {
            let mut object = object.clone();
            *object.pointer_mut(pointer).unwrap() = odd.clone();
            let fits = Schema::embedded().check_types(&resource.stored_in, &resource.kind, &object);
            if fits.is_err() {
                continue;
            }
            tried += 1;
            let updated = api.update(&me, store, &key, None, &object, &dry);
            warnings::about(&resource, &object);
            if object.is_object() {
                object["metadata"]["name"] = "other".into();
            }
            let created = api.create(&me, store, namespace, object, &dry);
            for made in [created, updated].into_iter().flatten() {
                accepted += 1;
                Printer::new(&resource, &clock, Release::default()).cells(made.value());
            }
        }
    }
    assert!(tried > 500 && accepted > 100, "{tried} {accepted}");
}
