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
