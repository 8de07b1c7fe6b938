//! Table rows and ages as a real server prints them.

use serde_json::json;

use super::*;
use crate::resources::Resources;

const NEW: Release = Release::minor(36);
const OLD: Release = Release::minor(20);

fn row(store: &str, object: &Value, release: Release) -> Vec<String> {
    let clock = Clock::held_at("2026-11-22T12:00:00Z".parse().unwrap());
    let resource = Resources::default().stored(store).unwrap();
    let cells = Printer::new(&resource, &clock, release).cells(object);
    cells.iter().map(|c| c.as_str().map_or_else(|| c.to_string(), str::to_owned)).collect()
}

fn pod(containers: &Value, phase: &str) -> Value {
    let names: Vec<Value> =
        containers.as_array().unwrap().iter().map(|c| json!({"name": c["name"], "image": "x"})).collect();
    json!({"metadata": {"name": "p", "creationTimestamp": "2026-11-22T11:57:00Z"},
        "spec": {"containers": names}, "status": {"phase": phase, "containerStatuses": containers}})
}

fn waiting(name: &str, reason: &str) -> Value {
    json!({"name": name, "restartCount": 0, "ready": false, "state": {"waiting": {"reason": reason}}})
}

#[test]
fn every_cell_is_known() {
    for (store, columns) in COLUMNS.iter() {
        for column in columns.iter().filter(|c| !c.cell.starts_with('.')) {
            let context = cells::Context { now: Timestamp::UNIX_EPOCH, release: Release::default() };
            let object = json!({"metadata": {"name": "a"}});
            assert!(!cells::cell(&column.cell, &object, &context).is_null(), "{store}: {}", column.cell);
        }
    }
    assert!(COLUMNS.len() > 20);
}

#[test]
fn the_earliest_broken_container_names_the_status() {
    let running = json!({"name": "z", "restartCount": 0, "ready": true, "state": {"running": {}}});
    let broken = pod(&json!([waiting("a", "ImagePullBackOff"), running]), "Pending");
    assert_eq!(row("pods", &broken, NEW)[..5], ["p", "1/2", "ImagePullBackOff", "0", "3m"]);
    let mut initial = pod(&json!([waiting("a", "PodInitializing")]), "Pending");
    initial["spec"]["initContainers"] = json!([{"name": "i", "image": "x"}]);
    initial["status"]["initContainerStatuses"] = json!([waiting("i", "ErrImagePull")]);
    assert_eq!(row("pods", &initial, NEW)[2], "Init:ErrImagePull");
    let mut going = broken;
    going["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z".into();
    assert_eq!(row("pods", &going, NEW)[2], "Terminating");
}

#[test]
fn restarts_tell_when() {
    let crashed = json!({"name": "a", "restartCount": 3, "ready": true, "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-11-22T11:55:00Z"}}});
    let crashed = pod(&json!([crashed]), "Running");
    assert_eq!(row("pods", &crashed, NEW)[3], "3 (5m ago)");
    assert_eq!(row("pods", &crashed, OLD)[3], "3");
    let ended = pod(
        &json!([{"name": "a", "restartCount": 0, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]),
        "Succeeded",
    );
    assert_eq!(row("pods", &ended, NEW)[2], "Completed");
}

#[test]
fn other_kinds() {
    let event = json!({"metadata": {"name": "p.1"}, "type": "Warning", "reason": "Failed", "message": " m\n",
        "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{a}"}, "count": 4,
        "source": {"component": "kubelet", "host": "node-1"},
        "firstTimestamp": "2026-11-22T11:00:00Z", "lastTimestamp": "2026-11-22T11:59:50Z"});
    assert_eq!(
        row("events", &event, NEW),
        [
            "10s",
            "Warning",
            "Failed",
            "pod/p",
            "spec.containers{a}",
            "kubelet, node-1",
            "m",
            "60m",
            "4",
            "p.1"
        ]
    );
    let service = json!({"metadata": {"name": "s"}, "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1",
        "ports": [{"port": 443, "protocol": "TCP"}]}});
    assert_eq!(row("services", &service, NEW)[..5], ["s", "ClusterIP", "10.96.0.1", "<none>", "443/TCP"]);
    let account = json!({"metadata": {"name": "a"}});
    assert_eq!(row("serviceaccounts", &account, OLD).len(), 3);
    assert_eq!(row("serviceaccounts", &account, NEW).len(), 2);
}

#[test]
fn volumes_and_claims_show_what_they_are() {
    let meta = json!({"name": "data", "creationTimestamp": "2026-11-22T11:57:00Z"});
    let mut claim = json!({"metadata": meta, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
        "volumeMode": "Filesystem", "resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": "Pending"}});
    let unbound = ["data", "Pending", "", "", "", "fast", "<unset>", "3m", "Filesystem"];
    assert_eq!(row("persistentvolumeclaims", &claim, NEW), unbound);
    assert_eq!(
        row("persistentvolumeclaims", &claim, OLD),
        ["data", "Pending", "", "", "", "fast", "3m", "Filesystem"]
    );
    claim["spec"]["volumeName"] = "v1".into();
    claim["status"] = json!({"phase": "Bound", "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
        "capacity": {"storage": "2Gi"}});
    assert_eq!(row("persistentvolumeclaims", &claim, NEW)[1..5], ["Bound", "v1", "2Gi", "RWO,RWX"]);
    let mut volume = json!({"metadata": meta, "spec": {"accessModes": ["ReadOnlyMany"], "capacity": {"storage": "1Gi"},
        "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "shop", "name": "data"}},
        "status": {"phase": "Bound"}});
    let shown = ["data", "1Gi", "ROX", "Retain", "Bound", "shop/data", "", "<unset>", "", "3m", "<unset>"];
    assert_eq!(row("persistentvolumes", &volume, NEW), shown);
    volume["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z".into();
    assert_eq!(row("persistentvolumes", &volume, NEW)[4], "Terminating");
    let mut class = json!({"metadata": meta, "provisioner": "rancher.io/local-path"});
    class["metadata"]["annotations"] = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    assert_eq!(
        row("storageclasses.storage.k8s.io", &class, NEW),
        ["data (default)", "rancher.io/local-path", "Delete", "Immediate", "false", "3m"]
    );
}

#[test]
fn quotas_tell_what_is_used_and_limits_apart() {
    let quota = json!({"metadata": {"name": "q", "creationTimestamp": "2026-11-22T11:57:00Z"}, "status": {
        "hard": {"pods": "3", "requests.cpu": "1", "limits.memory": "1Gi", "cpu": "2"},
        "used": {"pods": "1", "requests.cpu": "100m", "limits.memory": "64Mi"}}});
    let requests = "cpu: 0/2, pods: 1/3, requests.cpu: 100m/1";
    let limits = "limits.memory: 64Mi/1Gi";
    assert_eq!(row("resourcequotas", &quota, NEW), ["q", requests, limits, "3m"]);
    assert_eq!(row("resourcequotas", &quota, OLD), ["q", "3m", requests, limits]);
    let bare = json!({"metadata": {"name": "q"}});
    assert_eq!(row("resourcequotas", &bare, NEW), ["q", "", "", "<unknown>"]);
}

#[test]
fn ways_to_pods_are_short() {
    let rule = |host: &str| json!({"host": host});
    let ingress =
        |rules: Value, tls: Value| json!({"metadata": {"name": "i"}, "spec": {"rules": rules, "tls": tls}});
    let shown = |rules: Value, tls: Value| {
        row("ingresses.networking.k8s.io", &ingress(rules, tls), NEW)[1..5].to_vec()
    };
    assert_eq!(shown(json!([{"http": {}}]), Value::Null), ["<none>", "*", "", "80"]);
    assert_eq!(
        shown(json!([rule("a"), rule("b")]), json!([{"hosts": ["a"]}])),
        ["<none>", "a,b", "", "80, 443"]
    );
    let five = json!([rule("a"), rule("b"), rule("c"), rule("d"), {"http": {}}]);
    assert_eq!(shown(five, Value::Null)[1], "a,b,c + 2 more...");
    let three = json!([rule("a"), rule("b"), rule("c")]);
    assert_eq!(shown(three, Value::Null)[1], "a,b,c");
    let endpoint = |ip: &str| json!({"addresses": [ip]});
    let slice = json!({"metadata": {"name": "s"}, "addressType": "IPv4", "ports": [{"port": 80}, {"name": "x"}, {}],
        "endpoints": [endpoint("10.0.0.1"), endpoint("10.0.0.2"), endpoint("10.0.0.3"), endpoint("10.0.0.4")]});
    assert_eq!(
        row("endpointslices.discovery.k8s.io", &slice, NEW)[1..4],
        ["IPv4", "80,x,*", "10.0.0.1,10.0.0.2,10.0.0.3 + 1 more..."]
    );
    let policy = json!({"metadata": {"name": "n"}, "spec": {"podSelector": {}}});
    assert_eq!(row("networkpolicies.networking.k8s.io", &policy, NEW)[1], "<none>");
}

#[test]
fn bindings_name_whom_they_bind() {
    let binding = json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"}, "subjects": [
        {"kind": "User", "name": "ann"}, {"kind": "User", "name": "bob"}, {"kind": "Group", "name": "ops"},
        {"kind": "ServiceAccount", "name": "ci", "namespace": "shop"}]});
    let cells = row("rolebindings.rbac.authorization.k8s.io", &binding, NEW);
    assert_eq!(cells[1], "Role/r");
    assert_eq!(cells[3..], ["ann, bob", "ops", "shop/ci"]);
}
