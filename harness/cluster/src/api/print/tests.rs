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
