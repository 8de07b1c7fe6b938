//! Claims that wait, and claims and volumes that are protected.

use serde_json::{Value, json};

use super::World;
use crate::{api::WriteOptions, store::Key};

const CLAIMS: &str = "persistentvolumeclaims";

fn claim(name: &str, class: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": class, "resources": {"requests": {"storage": "1Gi"}}}})
}

/// Makes an object that is in no namespace.
fn create_global(world: &World, resource: &str, object: Value) {
    world.api.create(&World::user(), resource, "", object, &WriteOptions::default()).unwrap();
}

fn class(world: &World, name: &str, mode: &str, default: bool) {
    create_global(
        world,
        "storageclasses.storage.k8s.io",
        json!({"metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default.to_string()}},
            "provisioner": "example.com/disk", "volumeBindingMode": mode}),
    );
}

fn user(world: &World, name: &str, claim: &str) {
    world.create(
        "pods",
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "containers": [{"name": "c", "image": "app:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]}}),
    );
}

fn told(world: &World) -> Vec<String> {
    world.events(&["persistentvolume-controller"])
}

#[tokio::test]
async fn a_claim_that_nobody_provides_for_tells_why() {
    for (dialect, waiting) in [
        (
            "k8s-1.36-containerd-2.1",
            "Waiting for a volume to be created either by the external provisioner 'example.com/disk' or manually by \
             the system administrator. If volume creation is delayed, please verify that the provisioner is running \
             and correctly registered.",
        ),
        (
            "k8s-1.20-containerd-1.7",
            "waiting for a volume to be created, either by external provisioner \"example.com/disk\" or manually \
             created by system administrator",
        ),
    ] {
        let world = World::start(dialect).await;
        let kind = "PersistentVolumeClaim";
        world.create(CLAIMS, claim("a", &Value::Null));
        world.settle().await;
        let failed = format!(
            "Normal FailedBinding {kind} no persistent volumes available for this claim and no storage class is set"
        );
        assert_eq!(told(&world), [failed.as_str()]);
        world.pass(31).await;
        assert_eq!(told(&world), [format!("{failed} x3")]);
        let made = world.get(CLAIMS, "a").unwrap();
        assert_eq!(
            (&made["status"]["phase"], &made["spec"]["volumeMode"]),
            (&json!("Pending"), &json!("Filesystem"))
        );
        world.create(CLAIMS, claim("b", &"ghost".into()));
        world.settle().await;
        assert_eq!(
            told(&world)[1],
            format!("Warning ProvisioningFailed {kind} storageclass.storage.k8s.io \"ghost\" not found")
        );
        class(&world, "now", "Immediate", false);
        class(&world, "later", "WaitForFirstConsumer", true);
        world.create(CLAIMS, claim("c", &"now".into()));
        world.settle().await;
        assert_eq!(told(&world)[2], format!("Normal ExternalProvisioning {kind} {waiting}"), "{dialect}");
        world.create(CLAIMS, claim("d", &Value::Null));
        world.settle().await;
        assert_eq!(world.get(CLAIMS, "d").unwrap()["spec"]["storageClassName"], "later", "the default one");
        let first = "waiting for first consumer to be created before binding";
        assert_eq!(told(&world)[3], format!("Normal WaitForFirstConsumer {kind} {first}"));
        user(&world, "p", "d");
        world.pass(16).await;
        assert!(told(&world)[4..].iter().any(|event| event.ends_with(waiting)), "{:?}", told(&world));
    }
}

#[tokio::test]
async fn claims_in_use_and_bound_volumes_outlive_their_deletion() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    let volume = |name: &str| {
        json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/x"}}})
    };
    create_global(&world, "persistentvolumes", volume("first"));
    world.create(CLAIMS, claim("data", &"".into()));
    user(&world, "p", "data");
    world.pass(20).await;
    world.delete(CLAIMS, "data", "Background");
    world.pass(5).await;
    let going = world.get(CLAIMS, "data").unwrap();
    assert!(going["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(going["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    world.delete("pods", "p", "Background");
    world.pass(5).await;
    assert!(world.get(CLAIMS, "data").is_none(), "its last user is gone");
    create_global(&world, "persistentvolumes", volume("v"));
    world.settle().await;
    let volume = || world.api.store().get("persistentvolumes", &Key::new("", "v"));
    let made = volume().unwrap();
    assert_eq!(made.value()["status"]["phase"], "Available");
    assert_eq!(made.value()["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    world.api.delete(&World::user(), "persistentvolumes", &Key::new("", "v"), &Default::default()).unwrap();
    world.settle().await;
    assert!(volume().is_none());
}

#[tokio::test]
async fn a_claim_gets_a_volume_that_is_there() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    world.create(CLAIMS, claim("data", &"".into()));
    world.settle().await;
    let volume = json!({"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "2Gi"}, "hostPath": {"path": "/x"}}});
    create_global(&world, "persistentvolumes", volume);
    world.settle().await;
    let bound = world.get(CLAIMS, "data").unwrap();
    let expected =
        json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"}});
    assert_eq!((&bound["status"], &bound["spec"]["volumeName"]), (&expected, &json!("v")));
    assert_eq!(bound["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"], "yes");
    let volume = || world.api.store().get("persistentvolumes", &Key::new("", "v")).unwrap().value().clone();
    assert_eq!(volume()["status"]["phase"], "Bound");
    assert_eq!(volume()["spec"]["claimRef"]["uid"], bound["metadata"]["uid"]);
    let events = told(&world).len();
    world.pass(60).await;
    assert_eq!(told(&world).len(), events, "nothing more to tell");
    world.delete(CLAIMS, "data", "Background");
    world.settle().await;
    assert_eq!(volume()["status"]["phase"], "Released");
    world.create(CLAIMS, claim("data", &"".into()));
    world.settle().await;
    assert_eq!(
        world.get(CLAIMS, "data").unwrap()["status"]["phase"],
        "Pending",
        "what was kept is not for the next"
    );
}

#[tokio::test]
async fn a_released_volume_goes_if_somebody_can_delete_it() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    let volumes = "persistentvolumes";
    create_global(&world, "namespaces", json!({"metadata": {"name": "default"}}));
    for (name, path) in [("kept", "/data"), ("gone", "/tmp/data")] {
        let volume = json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Delete", "hostPath": {"path": path}}});
        create_global(&world, volumes, volume);
        world.create(CLAIMS, claim(name, &"".into()));
        world.settle().await;
        assert_eq!(world.get(CLAIMS, name).unwrap()["spec"]["volumeName"], name);
        world.delete(CLAIMS, name, "Background");
        world.settle().await;
    }
    let volume = |name: &str| world.api.store().get(volumes, &Key::new("", name));
    assert!(volume("gone").is_none());
    let why = "host_path deleter only supports /tmp/.+ but received provided /data";
    let kept = volume("kept").unwrap();
    assert_eq!(kept.value()["status"], json!({"phase": "Failed", "message": why}));
    // What is in no namespace has its events in the first one.
    let events = world.api.list("events", Some("default"));
    let told = events.iter().filter(|event| event.value()["reason"] == "VolumeFailedDelete");
    assert_eq!(told.map(|event| event.value()["message"].clone()).collect::<Vec<_>>(), [why]);
}
