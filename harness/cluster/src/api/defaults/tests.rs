//! What an object gets that its author left out.

use serde_json::json;

use super::*;
use crate::resources::Resources;

fn defaulted(store: &str, mut object: Value) -> Value {
    apply(&Resources::default().stored(store).unwrap(), &mut object);
    object
}

#[test]
fn the_pull_policy_follows_the_tag() {
    for (image, policy) in [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("localhost:5000/nginx", "Always"),
        ("localhost:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:00", "IfNotPresent"),
    ] {
        let pod = defaulted("pods", json!({"spec": {"containers": [{"name": "a", "image": image}]}}));
        assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], policy, "{image}");
    }
}

#[test]
fn a_pod_gets_its_class_and_requests() {
    let pod = defaulted(
        "pods",
        json!({"spec": {"containers": [{"name": "a", "image": "x:1",
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]}}),
    );
    assert_eq!(pod["status"]["qosClass"], "Guaranteed");
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"]["cpu"], "1");
    assert_eq!(pod["spec"]["restartPolicy"], "Always");
}

#[test]
fn plain_strings_become_data_of_a_secret() {
    let secret = defaulted("secrets", json!({"stringData": {"a": "b"}, "data": {"c": "ZA=="}}));
    assert_eq!(secret["data"], json!({"a": "Yg==", "c": "ZA=="}));
    assert_eq!(secret["type"], "Opaque");
    assert!(secret.get("stringData").is_none());
}

#[test]
fn a_deployment_without_a_strategy_rolls() {
    let made = defaulted("deployments.apps", json!({"spec": {"template": {"spec": {"containers": []}}}}));
    assert_eq!(made["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
    let made = defaulted("deployments.apps", json!({"spec": {"strategy": {"type": "Recreate"}}}));
    assert_eq!(made["spec"]["strategy"], json!({"type": "Recreate"}));
    assert_eq!(made["spec"]["replicas"], 1);
}

#[test]
fn ports_of_slices_have_a_name_and_a_protocol() {
    let ports = json!([{"port": 80}, {"name": "dns", "protocol": "UDP"}]);
    let slice = defaulted("endpointslices.discovery.k8s.io", json!({ "ports": ports }));
    let expected = json!([{"name": "", "port": 80, "protocol": "TCP"}, {"name": "dns", "protocol": "UDP"}]);
    assert_eq!(slice["ports"], expected);
    let none = defaulted("endpointslices.discovery.k8s.io", json!({"ports": null}));
    assert_eq!(none["ports"], serde_json::Value::Null);
}

#[test]
fn limits_and_replacement_of_a_job_follow_its_policies() {
    let plain = defaulted("jobs.batch", json!({"spec": {}}));
    assert_eq!(
        [&plain["spec"]["backoffLimit"], &plain["spec"]["podReplacementPolicy"]],
        [&json!(6), &json!("TerminatingOrFailed")]
    );
    let rules = json!([{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]);
    let spec = json!({"backoffLimitPerIndex": 1, "podFailurePolicy": {"rules": rules}});
    let job = defaulted("jobs.batch", json!({ "spec": spec }));
    assert_eq!(
        [&job["spec"]["backoffLimit"], &job["spec"]["podReplacementPolicy"]],
        [&json!(i32::MAX), &json!("Failed")]
    );
    assert_eq!(job["spec"]["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["status"], "True");
}

#[test]
fn claims_of_a_stateful_set_are_whole_and_stay_unless_it_is_said_otherwise() {
    let spec = json!({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]});
    let set = defaulted("statefulsets.apps", json!({ "spec": spec }));
    let policy = json!({"whenDeleted": "Retain", "whenScaled": "Delete"});
    assert_eq!(set["spec"]["persistentVolumeClaimRetentionPolicy"], policy);
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}, "status": {"phase": "Pending"}});
    assert_eq!(set["spec"]["volumeClaimTemplates"], json!([claim]));
    let plain = defaulted("statefulsets.apps", json!({"spec": {}}));
    let both = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
    assert_eq!(plain["spec"]["persistentVolumeClaimRetentionPolicy"], both);
}

#[test]
fn what_is_left_out_is_filled_in() {
    let pod = |spec: Value| json!({"spec": spec});
    let container = |more: Value| json!({"containers": [more]});
    let volume = |more: Value| json!({"volumes": [more]});
    let env = |source: Value| container(json!({"env": [{"valueFrom": source}]}));
    let from = "/spec/containers/0/env/0/valueFrom";
    let hook = container(
        json!({"lifecycle": {"preStop": {"httpGet": {"port": 80}}, "postStart": {"httpGet": {"path": "/x"}}}}),
    );
    let claim = json!({"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}});
    let policy = |spec: Value| json!({"spec": spec});
    let ports = json!([{"ports": [{"port": 80}]}]);
    let behavior = json!({"spec": {"behavior": {"scaleUp": {"selectPolicy": "Min"}}}});
    let item = json!({"items": [{"fieldRef": {"fieldPath": "metadata.name"}}, {"resourceFieldRef": {"resource": "limits.cpu"}}]});
    let projected =
        json!({"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}, {"downwardAPI": item}]}});
    let per_index = json!({"spec": {"backoffLimitPerIndex": 1, "podFailurePolicy": {"rules": [{"onPodConditions": [{"type": "A"}]}]}}});
    for (store, object, place, value) in [
        (
            "pods",
            pod(hook.clone()),
            "/spec/containers/0/lifecycle/preStop/httpGet",
            json!({"port": 80, "path": "/", "scheme": "HTTP"}),
        ),
        (
            "pods",
            pod(hook),
            "/spec/containers/0/lifecycle/postStart/httpGet",
            json!({"path": "/x", "scheme": "HTTP"}),
        ),
        (
            "pods",
            pod(container(json!({"livenessProbe": {"grpc": {"port": 1}}}))),
            "/spec/containers/0/livenessProbe/grpc/service",
            json!(""),
        ),
        ("pods", pod(env(json!({"fieldRef": {}}))), &format!("{from}/fieldRef/apiVersion"), json!("v1")),
        (
            "pods",
            pod(env(json!({"resourceFieldRef": {}}))),
            &format!("{from}/resourceFieldRef/divisor"),
            json!("0"),
        ),
        (
            "pods",
            pod(volume(json!({"name": "v", "downwardAPI": item}))),
            "/spec/volumes/0/downwardAPI/items/0/fieldRef/apiVersion",
            json!("v1"),
        ),
        (
            "pods",
            pod(volume(json!({"name": "v", "downwardAPI": item}))),
            "/spec/volumes/0/downwardAPI/items/1/resourceFieldRef/divisor",
            json!("0"),
        ),
        (
            "pods",
            pod(volume(projected.clone())),
            "/spec/volumes/0/projected/sources/0/serviceAccountToken/expirationSeconds",
            json!(3600),
        ),
        (
            "pods",
            pod(volume(projected)),
            "/spec/volumes/0/projected/sources/1/downwardAPI/items/0/fieldRef/apiVersion",
            json!("v1"),
        ),
        (
            "pods",
            pod(volume(claim)),
            "/spec/volumes/0/ephemeral/volumeClaimTemplate/spec/volumeMode",
            json!("Filesystem"),
        ),
        (
            "pods",
            pod(volume(json!({"name": "v", "image": {"reference": "a:1"}}))),
            "/spec/volumes/0/image/pullPolicy",
            json!("IfNotPresent"),
        ),
        (
            "pods",
            pod(volume(json!({"name": "v", "iscsi": {}}))),
            "/spec/volumes/0/iscsi",
            json!({"iscsiInterface": "default"}),
        ),
        (
            "pods",
            pod(volume(json!({"name": "v", "rbd": {"pool": "p"}}))),
            "/spec/volumes/0/rbd",
            json!({"pool": "p", "user": "admin", "keyring": "/etc/ceph/keyring"}),
        ),
        (
            "persistentvolumes",
            pod(json!({"azureDisk": {}})),
            "/spec/azureDisk",
            json!({"cachingMode": "ReadWrite", "kind": "Shared", "fsType": "ext4", "readOnly": false}),
        ),
        (
            "persistentvolumes",
            pod(json!({"scaleIO": {}})),
            "/spec/scaleIO",
            json!({"storageMode": "ThinProvisioned", "fsType": "xfs"}),
        ),
        ("networkpolicies.networking.k8s.io", policy(json!({})), "/spec/policyTypes", json!(["Ingress"])),
        (
            "networkpolicies.networking.k8s.io",
            policy(json!({"egress": ports})),
            "/spec/policyTypes",
            json!(["Ingress", "Egress"]),
        ),
        (
            "networkpolicies.networking.k8s.io",
            policy(json!({"egress": ports})),
            "/spec/egress/0/ports/0/protocol",
            json!("TCP"),
        ),
        (
            "services",
            pod(json!({"sessionAffinity": "ClientIP"})),
            "/spec/sessionAffinityConfig",
            json!({"clientIP": {"timeoutSeconds": 10_800}}),
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            behavior.clone(),
            "/spec/behavior/scaleUp",
            json!({"selectPolicy": "Min",
            "stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15}]}),
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            behavior,
            "/spec/behavior/scaleDown",
            json!({"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}),
        ),
        ("jobs.batch", per_index.clone(), "/spec/backoffLimit", json!(2_147_483_647)),
        ("jobs.batch", per_index.clone(), "/spec/podReplacementPolicy", json!("Failed")),
        ("jobs.batch", per_index, "/spec/podFailurePolicy/rules/0/onPodConditions/0/status", json!("True")),
    ] {
        assert_eq!(defaulted(store, object).pointer(place), Some(&value), "{place}");
    }
}

#[test]
fn a_job_keeps_the_selector_and_labels_that_it_came_with() {
    let mut job = json!({"metadata": {"name": "j", "uid": "u"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"job-name": "other"}}}}});
    generate(&Resources::default().stored("jobs.batch").unwrap(), &mut job);
    let label = "batch.kubernetes.io/controller-uid";
    assert_eq!(job["spec"]["selector"]["matchLabels"], json!({"a": "b", (label): "u"}));
    let labels = &job["spec"]["template"]["metadata"]["labels"];
    assert!(labels["job-name"] == "other" && labels[label] == "u", "{labels}");
}
