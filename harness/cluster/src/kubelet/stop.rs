//! The end of a pod: its containers are stopped, its last status written, and the object removed.

use serde_json::{Value, json};

use super::{
    Kubelet, What,
    container::Slot,
    worker::{Stage, Worker},
};
use crate::{api::DeleteOptions, dialect::Text, engine::Context, recorder::Kind, store::Key};

/// How long a container takes to stop when asked, in milliseconds.
const STOP: std::ops::Range<u64> = 300..1200;
/// How long a pod without running containers takes to go.
const NOTHING_TO_STOP: std::ops::Range<u64> = 150..700;
/// How long it takes to clear away what is left.
const CLEAR: std::ops::Range<u64> = 500..1050;

impl Kubelet {
    /// Begins to stop a pod that is being deleted, or whose time is over. Why its containers waited is forgotten.
    pub(super) fn stop(&self, worker: &mut Worker, key: &Key, pod: &Value, context: &Context) {
        worker.stage = Stage::Stopping;
        worker.dirty = false;
        worker.due = None;
        worker.reap(self.clock.now());
        if self.dialect.pods.terminal_status {
            worker.waiting.clear();
            self.write_status(worker, key, worker.sandbox.is_some());
        }
        let any = self.say_killing(worker, pod);
        let time = if any { STOP } else { NOTHING_TO_STOP };
        self.pause(worker, key, time, What::Stopped, context);
    }

    /// The containers have stopped.
    pub(super) fn stopped(&self, worker: &mut Worker, key: &Key, context: &Context) {
        let now = self.clock.now();
        self.runtime.remove_pod(&worker.uid);
        let mut any = false;
        for container in worker.slots.values_mut().filter_map(|slot| slot.current.as_mut()) {
            container.kill(now);
            any = true;
        }
        let tells = self.dialect.pods.terminal_status;
        if tells {
            worker.terminal = true;
            if let Some(sandbox) = &mut worker.sandbox {
                sandbox.ready = false;
            }
        }
        // Nobody deletes it: it stays, and has failed.
        if worker.pod.value()["metadata"]["deletionTimestamp"].is_null() {
            worker.terminal = true;
            worker.overdue = true;
            worker.stage = Stage::Idle;
            self.write_status(worker, key, worker.sandbox.is_some());
            return;
        }
        if any || tells {
            self.write_status(worker, key, worker.sandbox.is_some());
        }
        self.pause(worker, key, CLEAR, What::Removed, context);
    }

    /// Nothing is left: the object can go.
    pub(super) fn removed(&self, worker: &mut Worker, key: &Key) {
        if self.dialect.pods.terminal_status {
            self.write_unknown(worker, key);
        }
        worker.stage = Stage::Gone;
        self.logs.forget(&worker.uid, worker.slots.keys());
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            uid: Some(worker.uid.clone()),
            ..DeleteOptions::default()
        };
        if let Err(status) = self.api.delete(&self.node.user, "pods", key, &options) {
            tracing::debug!(%key, %status, "pod not removed");
        }
    }

    /// The object has gone before its containers had.
    pub(super) fn lost(&self, worker: &Worker) {
        if !matches!(worker.stage, Stage::Stopping | Stage::Gone) {
            self.say_killing(worker, worker.pod.value());
            self.runtime.remove_pod(&worker.uid);
            self.logs.forget(&worker.uid, worker.slots.keys());
        }
    }

    /// Announces that the running containers are stopped. True when there are any.
    fn say_killing(&self, worker: &Worker, pod: &Value) -> bool {
        let mut any = false;
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            for container in pod["spec"][list].as_array().into_iter().flatten() {
                let name = container["name"].as_str().unwrap_or_default();
                if worker.slots.get(name).and_then(Slot::running).is_some() {
                    any = true;
                    let path = format!("spec.{list}{{{name}}}");
                    let message = self.dialect.text(Text::Killing, &[("container", name)]);
                    self.recorder.event(pod, Some(&path), Kind::Normal, "Killing", &message);
                }
            }
        }
        any
    }

    /// Says of the containers that never were that nobody knows how they ended.
    fn write_unknown(&self, worker: &Worker, key: &Key) {
        let unknown = json!({"terminated": {
            "exitCode": 137,
            "reason": "ContainerStatusUnknown",
            "message": "The container could not be located when the pod was terminated",
            "startedAt": null,
            "finishedAt": null,
        }});
        let written = self.api.modify(&self.node.user, "pods", key, Some("status"), |pod| {
            if pod["metadata"]["uid"] != worker.uid.as_str() {
                return;
            }
            let mut any = false;
            for container in pod["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
                if !container["state"]["waiting"].is_null() {
                    container["state"] = unknown.clone();
                    any = true;
                }
            }
            if any {
                pod["status"]["phase"] = json!("Failed");
            }
        });
        if let Err(status) = written {
            tracing::debug!(%key, %status, "last status not written");
        }
    }
}
