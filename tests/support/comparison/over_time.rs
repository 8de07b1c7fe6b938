//! Ways to spoil a recording that only [`super::compare_whole`] can tell: how pods and workloads went on.

use serde_json::{Value, json};

use super::{
    mutations::Mutation,
    recording::{Recording, Version},
};

pub(super) const OVER_TIME: &[Mutation] = &[
    ("a pod's condition changed", |r| {
        for condition in r.pods.iter_mut().flat_map(conditions) {
            if condition["type"] == "ContainersReady" {
                condition["status"] = json!("Unknown");
            }
        }
    }),
    ("a word changed in a pod's condition", |r| {
        for condition in r.pods.iter_mut().flat_map(conditions) {
            reword(condition, "unready", "unhealthy");
        }
    }),
    ("a condition of the first look at a pod left out", |r| {
        let unfinished = |pod: &Value| pod["status"]["containerStatuses"].is_null();
        for pod in r.pods.iter_mut().filter(|pod| unfinished(pod)) {
            drop(pod["status"].as_object_mut().and_then(|status| status.remove("conditions")));
        }
    }),
    ("another class of a pod", |r| {
        for pod in &mut r.pods {
            pod["status"]["qosClass"] = json!("Guaranteed");
        }
    }),
    ("a container that was restarted", |r| {
        for pod in &mut r.pods {
            for container in list(pod, "/status/containerStatuses") {
                container["restartCount"] = json!(1);
            }
        }
    }),
    ("a container of another image", |r| {
        for pod in &mut r.pods {
            for container in list(pod, "/status/containerStatuses") {
                container["image"] = json!("example.test/another:1");
            }
        }
    }),
    ("a pull that took longer", |r| {
        let long = |(one, next): (&Version, &Version)| {
            let about = |seen: &Version| seen.object["involvedObject"].clone();
            let took = next.happened() - one.happened();
            one.object["reason"] == "Pulling"
                && next.ends_a_pull()
                && about(one) == about(next)
                && took > 10.0
        };
        if let Some(at) = r.events.iter().zip(r.events.iter().skip(1)).position(long) {
            r.events[at].happen_later(-9);
        }
    }),
    ("as many pods as a Deployment has", |r| count(r, "Deployment", "updatedReplicas")),
    ("as many pods as a ReplicaSet has", |r| count(r, "ReplicaSet", "replicas")),
    ("as many pods as a StatefulSet has", |r| count(r, "StatefulSet", "readyReplicas")),
    ("as many pods as a DaemonSet has", |r| count(r, "DaemonSet", "updatedNumberScheduled")),
    ("what a controller has seen", |r| {
        for Version { object, .. } in &mut r.workloads {
            object["status"]["observedGeneration"] = json!(0);
        }
    }),
    ("the replicas that are wanted", |r| {
        for Version { object, .. } in &mut r.workloads {
            object["spec"]["replicas"] = json!(7);
        }
    }),
    ("a word changed in a workload's condition", |r| {
        for condition in r.workloads.iter_mut().flat_map(|seen| conditions(&mut seen.object)) {
            reword(condition, "progress", "go on");
        }
    }),
    ("a workload's passing condition left out", |r| {
        let passing = |seen: &Version| seen.object.to_string().contains("NewReplicaSetCreated");
        r.workloads.retain(|seen| !passing(seen));
    }),
    ("a workload's last state left out", |r| {
        let resting = r.workloads.iter().map(|seen| seen.at).fold(0.0, f64::max) - 5.0;
        r.workloads.retain(|seen| seen.at < resting);
    }),
    ("a ReplicaSet left out", |r| {
        let set = r.workloads.iter().rfind(|seen| seen.object["kind"] == "ReplicaSet");
        if let Some(uid) = set.map(|seen| seen.object["metadata"]["uid"].clone()) {
            r.workloads.retain(|seen| seen.object["metadata"]["uid"] != uid);
        }
    }),
];

fn count(recording: &mut Recording, kind: &str, field: &str) {
    let of_kind = recording.workloads.iter_mut().filter(|seen| seen.object["kind"] == kind);
    for status in of_kind.map(|seen| &mut seen.object["status"]).filter(|status| status[field].is_u64()) {
        status[field] = json!(9);
    }
}

fn list<'a>(object: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    object.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

fn conditions(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    list(object, "/status/conditions")
}

fn reword(condition: &mut Value, find: &str, with: &str) {
    if let Some(message) = condition["message"].as_str() {
        condition["message"] = json!(message.replace(find, with));
    }
}
