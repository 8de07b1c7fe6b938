//! Creating, changing and deleting by the rules of the API, below HTTP.

use std::sync::Arc;

use pulldrill_clock::Clock;
use serde_json::{Value, json};

use crate::{
    api::{Api, ApiOptions, DeleteOptions, User, WriteOptions},
    release::Release,
    store::{Key, Store},
};

fn api() -> Api {
    let clock = Clock::held_at("2026-11-22T12:00:00Z".parse().unwrap());
    let options = ApiOptions { admission: true, service_accounts: true, ..ApiOptions::default() };
    let api = Api::with_options(Arc::new(Store::new(1000)), clock, options);
    create(&api, "namespaces", "", json!({"metadata": {"name": "ns"}}));
    create(&api, "serviceaccounts", "ns", json!({"metadata": {"name": "default"}}));
    api
}

fn me() -> User {
    User::controller("test")
}

fn create(api: &Api, resource: &str, namespace: &str, object: Value) -> Value {
    api.create(&me(), resource, namespace, object, &WriteOptions::default()).unwrap().value().clone()
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}})
}

#[test]
fn a_new_object_has_identity_and_defaults() {
    let api = api();
    let made = create(
        &api,
        "pods",
        "ns",
        json!({"metadata": {"generateName": "web-"},
        "spec": {"containers": [{"name": "c", "image": "x"}]}, "status": {"phase": "Running"}}),
    );
    let name = made["metadata"]["name"].as_str().unwrap();
    assert_eq!(name.len(), "web-".len() + 5);
    assert_eq!(made["metadata"]["creationTimestamp"], "2026-11-22T12:00:00Z");
    assert_eq!(made["metadata"]["namespace"], "ns");
    assert_eq!(made["status"]["phase"], "Pending");
    assert_eq!(made["spec"]["serviceAccountName"], "default");
    assert_eq!(made["spec"]["tolerations"].as_array().unwrap().len(), 2);
    assert_eq!(made["spec"]["containers"][0]["volumeMounts"][0]["readOnly"], true);
    let refused = api.create(&me(), "pods", "ghost", pod("a"), &WriteOptions::default()).unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), (404, "namespaces \"ghost\" not found"));
}

#[test]
fn pull_secrets_come_from_the_account_only_when_the_pod_has_none() {
    let api = api();
    let key = Key::new("ns", "default");
    api.modify(&me(), "serviceaccounts", &key, None, |account| {
        account["imagePullSecrets"] = json!([{"name": "regcred"}]);
    })
    .unwrap();
    assert_eq!(
        create(&api, "pods", "ns", pod("a"))["spec"]["imagePullSecrets"],
        json!([{"name": "regcred"}])
    );
    let mut own = pod("b");
    own["spec"]["imagePullSecrets"] = json!([{"name": "mine"}]);
    assert_eq!(create(&api, "pods", "ns", own)["spec"]["imagePullSecrets"], json!([{"name": "mine"}]));
    let mut ghost = pod("q");
    ghost["spec"]["serviceAccountName"] = "ghost".into();
    let refused = api.create(&me(), "pods", "ns", ghost, &WriteOptions::default()).unwrap_err();
    assert_eq!(
        refused.message,
        "pods \"q\" is forbidden: error looking up service account ns/ghost: serviceaccount \"ghost\" not found"
    );
}

#[test]
fn spec_and_status_are_written_apart_and_generations_count_specs() {
    let api = api();
    let key = Key::new("ns", "a");
    let template =
        json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    create(
        &api,
        "deployments.apps",
        "ns",
        json!({"metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template}}),
    );
    let change = |object: &mut Value| {
        object["spec"]["replicas"] = 3.into();
        object["status"]["replicas"] = 3.into();
    };
    let spec = api.modify(&me(), "deployments.apps", &key, None, change).unwrap();
    assert_eq!(spec.value()["metadata"]["generation"], 2);
    assert!(spec.value()["status"]["replicas"].is_null());
    let status = api.modify(&me(), "deployments.apps", &key, Some("status"), change).unwrap();
    assert_eq!(status.value()["status"]["replicas"], 3);
    assert_eq!(status.value()["metadata"]["generation"], 2);
    let again = api.modify(&me(), "deployments.apps", &key, Some("status"), change).unwrap();
    assert_eq!(again.revision(), status.revision());
    let scaled = api
        .modify(&me(), "deployments.apps", &key, Some("scale"), |d| d["spec"]["replicas"] = 5.into())
        .unwrap();
    assert_eq!(scaled.value()["metadata"]["generation"], 3);
    let stale = spec.value().clone();
    let refused = api.update(&me(), "deployments.apps", &key, None, &stale, &WriteOptions::default());
    assert_eq!(refused.unwrap_err().reason, "Conflict");
    let refused = api.modify(&me(), "deployments.apps", &key, None, |d| {
        d["spec"]["selector"] = json!({"matchLabels": {"app": "z"}});
    });
    let message = refused.unwrap_err().message;
    assert!(
        message
            .contains("spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"z\"}}: field is immutable")
    );
}

#[test]
fn only_the_image_of_a_pod_can_change() {
    let api = api();
    create(&api, "pods", "ns", pod("a"));
    let key = Key::new("ns", "a");
    let image = |p: &mut Value| p["spec"]["containers"][0]["image"] = "y:2".into();
    api.modify(&me(), "pods", &key, None, image).unwrap();
    let more = |p: &mut Value| p["spec"]["ephemeralContainers"] = json!([{"name": "d", "image": "b"}]);
    api.modify(&me(), "pods", &key, Some("ephemeralcontainers"), more).unwrap();
    api.modify(&me(), "pods", &key, None, |p| p["metadata"]["labels"] = json!({"a": "b"})).unwrap();
    let refused = api.modify(&me(), "pods", &key, None, |p| p["spec"]["hostname"] = "h".into()).unwrap_err();
    assert!(refused.message.contains("spec: Forbidden: pod updates may not change fields other than"));
}

#[test]
fn a_copy_of_a_pod_mounts_the_credentials_that_it_has_brought_along() {
    for release in [Release::default(), Release::minor(20)] {
        let clock = Clock::held_at("2026-11-22T12:00:00Z".parse().unwrap());
        let options =
            ApiOptions { admission: true, service_accounts: true, release, ..ApiOptions::default() };
        let api = Api::with_options(Arc::new(Store::new(1000)), clock, options);
        create(&api, "namespaces", "", json!({"metadata": {"name": "ns"}}));
        let account = json!({"metadata": {"name": "default"}, "secrets": [{"name": "default-token-abcde"}]});
        create(&api, "serviceaccounts", "ns", account);
        let mut copy = create(&api, "pods", "ns", pod("a"));
        let volumes = copy["spec"]["volumes"].clone();
        copy["metadata"] = json!({"name": "copy"});
        copy["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "debugger", "image": "y:1"}));
        let copy = create(&api, "pods", "ns", copy);
        assert_eq!((volumes.as_array().unwrap().len(), &copy["spec"]["volumes"]), (1, &volumes));
        let mounts = &copy["spec"]["containers"][1]["volumeMounts"];
        assert_eq!(mounts[0]["name"], volumes[0]["name"], "{release:?}");
    }
}

#[test]
fn pods_on_nodes_get_their_grace_and_finalizers_hold() {
    let api = api();
    create(&api, "pods", "ns", pod("a"));
    let key = Key::new("ns", "a");
    let bound = api.modify(&me(), "pods", &key, Some("binding"), |p| p["spec"]["nodeName"] = "node-1".into());
    assert_eq!(bound.unwrap().value()["metadata"]["generation"], 1, "nobody has asked for anything else");
    let going = api.delete(&me(), "pods", &key, &DeleteOptions::default()).unwrap();
    assert_eq!(going.value()["metadata"]["deletionTimestamp"], "2026-11-22T12:00:30Z");
    assert_eq!(going.value()["metadata"]["deletionGracePeriodSeconds"], 30);
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    api.delete(&me(), "pods", &key, &now).unwrap();
    assert!(api.get("pods", &key).is_err());
    let mut held = pod("b");
    held["metadata"]["finalizers"] = json!(["example.org/hold"]);
    create(&api, "pods", "ns", held);
    let key = Key::new("ns", "b");
    api.delete(&me(), "pods", &key, &now).unwrap();
    assert!(api.get("pods", &key).unwrap().value()["metadata"]["deletionTimestamp"].is_string());
    api.modify(&me(), "pods", &key, None, |p| p["metadata"]["finalizers"] = json!([])).unwrap();
    assert!(api.get("pods", &key).is_err());
}

#[test]
fn a_namespace_goes_when_it_is_finalized_and_takes_nothing_new_meanwhile() {
    let api = api();
    let key = Key::new("", "ns");
    let going = api.delete(&me(), "namespaces", &key, &DeleteOptions::default()).unwrap();
    assert_eq!(going.value()["status"]["phase"], "Terminating");
    let refused = api.create(
        &me(),
        "configmaps",
        "ns",
        json!({"metadata": {"name": "late"}}),
        &WriteOptions::default(),
    );
    assert_eq!(
        refused.unwrap_err().message,
        "configmaps \"late\" is forbidden: unable to create new content in namespace ns because it is being terminated"
    );
    api.modify(&me(), "namespaces", &key, Some("finalize"), |n| n["spec"]["finalizers"] = json!([])).unwrap();
    assert!(api.get("namespaces", &key).is_err());
}

#[test]
fn a_dry_run_changes_nothing() {
    let api = api();
    let before = api.store().revision();
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let made = api.create(&me(), "pods", "ns", pod("a"), &dry).unwrap();
    assert!(made.value()["metadata"]["uid"].is_string());
    assert_eq!(api.store().revision(), before);
    assert!(api.get("pods", &Key::new("ns", "a")).is_err());
}

#[test]
fn a_pod_needs_the_runtime_class_that_it_names() {
    let api = api();
    let mut named = pod("a");
    named["spec"]["runtimeClassName"] = "slow".into();
    let refused = api.create(&me(), "pods", "ns", named.clone(), &WriteOptions::default()).unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (403, "pods \"a\" is forbidden: pod rejected: RuntimeClass \"slow\" not found")
    );
    let cost = json!({"cpu": "250m"});
    let class = json!({"metadata": {"name": "slow"}, "handler": "slow", "overhead": {"podFixed": cost},
        "scheduling": {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "slow", "operator": "Exists"}]}});
    create(&api, "runtimeclasses.node.k8s.io", "", class);
    let refused = |field: &str, value: Value| {
        let mut pod = named.clone();
        pod["spec"][field] = value;
        api.create(&me(), "pods", "ns", pod, &WriteOptions::default()).unwrap_err().message
    };
    assert_eq!(
        refused("nodeSelector", json!({"disk": "hdd"})),
        "pods \"a\" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[disk] = ssd; \
         pod.spec.nodeSelector[disk] = hdd"
    );
    assert_eq!(
        refused("overhead", json!({"cpu": "1"})),
        "pods \"a\" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
    );
    let mut without = pod("a");
    without["spec"]["overhead"] = cost.clone();
    let refused = api.create(&me(), "pods", "ns", without, &WriteOptions::default()).unwrap_err();
    assert_eq!(
        refused.message,
        "pods \"a\" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
    );
    let made = create(&api, "pods", "ns", named);
    assert_eq!((&made["spec"]["overhead"], &made["spec"]["nodeSelector"]), (&cost, &json!({"disk": "ssd"})));
    assert!(
        made["spec"]["tolerations"]
            .as_array()
            .unwrap()
            .contains(&json!({"key": "slow", "operator": "Exists"}))
    );
}

#[test]
fn a_pod_has_the_priority_of_its_class_and_no_other() {
    let api = api();
    let with = |field: &str, value: Value| {
        let mut pod = pod("a");
        pod["spec"][field] = value;
        api.create(&me(), "pods", "ns", pod, &WriteOptions { dry_run: true, ..WriteOptions::default() })
            .map(|made| made.value()["spec"].clone())
            .map_err(|status| status.message)
    };
    assert_eq!(with("priority", json!(0)).unwrap()["preemptionPolicy"], "PreemptLowerPriority");
    assert_eq!(
        with("priority", json!(5)).unwrap_err(),
        "pods \"a\" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority admission \
         controller computed 0 from the given PriorityClass name"
    );
    assert_eq!(
        with("priorityClassName", "none".into()).unwrap_err(),
        "pods \"a\" is forbidden: no PriorityClass with name none was found"
    );
    let class = |name: &str, value: i64| json!({"metadata": {"name": name}, "value": value, "globalDefault": true, "preemptionPolicy": "Never"});
    create(&api, "priorityclasses.scheduling.k8s.io", "", class("usual", 7));
    let spec = with("hostNetwork", json!(false)).unwrap();
    assert_eq!(
        (&spec["priorityClassName"], &spec["priority"], &spec["preemptionPolicy"]),
        (&json!("usual"), &json!(7), &json!("Never"))
    );
    let (resource, options) = ("priorityclasses.scheduling.k8s.io", WriteOptions::default());
    let second = api.create(&me(), resource, "", class("other", 1), &options).unwrap_err();
    assert_eq!(
        second.message,
        "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is already marked as default. Only \
         one default can exist"
    );
}

#[test]
fn what_is_immutable_stays_so() {
    let api = api();
    let secret = json!({"metadata": {"name": "s"}, "immutable": true, "data": {"a": "Yg=="}});
    create(&api, "secrets", "ns", secret);
    let change = |field: &str, value: Value| {
        let change = |secret: &mut Value| secret[field] = value.clone();
        api.modify(&me(), "secrets", &Key::new("ns", "s"), None, change)
            .map(drop)
            .map_err(|status| status.message)
    };
    let told = |field: &str| {
        Err(format!(
            "Secret \"s\" is invalid: {field}: Forbidden: field is immutable when `immutable` is set"
        ))
    };
    assert_eq!(change("immutable", json!(false)), told("immutable"));
    assert_eq!(change("immutable", Value::Null), told("immutable"));
    assert_eq!(change("data", json!({})), told("data"));
    let typed = Err("Secret \"s\" is invalid: type: Invalid value: \"x\": field is immutable".to_owned());
    assert_eq!(change("type", "x".into()), typed);
}

#[test]
fn a_replicationcontroller_takes_its_labels_and_selector_from_its_template() {
    let api = api();
    let template =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let object = |selector: Value| json!({"metadata": {"name": "r"}, "spec": {"selector": selector, "template": template}});
    let made = create(&api, "replicationcontrollers", "ns", object(json!({})));
    assert_eq!(
        (&made["metadata"]["labels"], &made["spec"]["selector"]),
        (&json!({"a": "b"}), &json!({"a": "b"}))
    );
    let refused = |object: Value| {
        let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
        api.create(&me(), "replicationcontrollers", "ns", object, &dry).unwrap_err().message
    };
    assert_eq!(
        refused(object(json!({"a": "c"}))),
        "ReplicationController \"r\" is invalid: spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: \
         `selector` does not match template `labels`"
    );
    let bare = json!({"metadata": {"name": "r"}, "spec": {"template": {"spec": template["spec"]}}});
    assert_eq!(refused(bare), "ReplicationController \"r\" is invalid: spec.selector: Required value");
}

#[test]
fn a_replaced_pod_keeps_what_it_was_given() {
    let clock = Clock::held_at("2026-11-22T12:00:00Z".parse().unwrap());
    let api = Api::with_options(Arc::new(Store::new(100)), clock, ApiOptions::default());
    let made = create(&api, "pods", "ns", pod("a"));
    assert_eq!(
        (&made["spec"]["priority"], &made["spec"]["preemptionPolicy"]),
        (&json!(0), &json!("PreemptLowerPriority"))
    );
    let mut again = pod("a");
    again["metadata"]["labels"] = json!({"a": "b"});
    again["metadata"]["resourceVersion"] = json!("0");
    let key = Key::new("ns", "a");
    let replaced = api.update(&me(), "pods", &key, None, &again, &WriteOptions::default()).unwrap();
    assert_eq!(replaced.value()["spec"], made["spec"]);
    assert_eq!(replaced.value()["metadata"]["labels"]["a"], "b");
}
