//! What follows when a pod's containers have stopped: its last status is written, and the object removed.

use serde_json::{Value, json};

use super::{
    Kubelet, What,
    container::Slot,
    restart,
    stop::Cause,
    sync,
    worker::{Stage, Worker},
};
use crate::{api::DeleteOptions, engine::Context, store::Key};

/// How long it takes to clear away what is left, in milliseconds.
const CLEAR: std::ops::Range<u64> = 500..1050;

/// Whether what a pod is there for has ended for good: each of its containers, or an init container without which they
/// never begin (`computePodActions` of the kubelet, which then kills the pod).
pub(super) fn is_over(worker: &Worker, spec: &Value) -> bool {
    let policy = restart::policy_of(spec);
    let ended = |container: &Value, list: &str| {
        let slot = worker.slots.get(container["name"].as_str().unwrap_or_default());
        let ended = slot.and_then(Slot::ended).map(|(_, ended)| ended);
        ended.filter(|ended| !restart::is_restarted(container, list, policy, ended)).map(|ended| ended.code)
    };
    let list = |list: &str| spec[list].as_array().map(Vec::as_slice).unwrap_or_default();
    let containers = list("containers");
    let failed =
        list("initContainers").iter().any(|c| ended(c, "initContainers").is_some_and(|code| code != 0));
    failed || !containers.is_empty() && containers.iter().all(|c| ended(c, "containers").is_some())
}

impl Kubelet {
    /// The containers have stopped.
    pub(super) fn stopped(&self, worker: &mut Worker, key: &Key, cause: Cause, context: &Context) {
        let now = self.clock.now();
        self.runtime.remove_pod(&worker.uid);
        let mut any = false;
        for container in worker.slots.values_mut().filter_map(|slot| slot.current.as_mut()) {
            container.kill(now);
            any = true;
        }
        let tells = self.dialect.pods.terminal_status;
        let deleting = !worker.pod.value()["metadata"]["deletionTimestamp"].is_null();
        let finished = cause == Cause::Finished && !deleting;
        if let Some(sandbox) = worker.sandbox.as_mut().filter(|_| tells || finished) {
            sandbox.ready = false;
        }
        if finished {
            worker.stage = Stage::Idle;
            worker.due = Some(sync::tick(now, self.relist));
            return;
        }
        worker.terminal |= tells;
        // Nobody deletes it: it stays, and has failed.
        if !deleting {
            worker.terminal = true;
            worker.overdue = true;
            worker.stage = Stage::Idle;
            self.write_status(worker, key, worker.sandbox.is_some());
            return;
        }
        if any || tells {
            self.write_status(worker, key, worker.sandbox.is_some());
        }
        worker.stage = Stage::Clearing;
        self.pause(worker, key, CLEAR, What::Removed, context);
    }

    /// Nothing is left: the object can go.
    pub(super) fn removed(&self, worker: &mut Worker, key: &Key) {
        if self.dialect.pods.terminal_status && !worker.finished {
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
        match worker.stage {
            Stage::Clearing | Stage::Gone => return,
            Stage::Stopping(_) => {}
            Stage::Idle | Stage::Syncing(_) => self.say_killing(worker, worker.pod.value()),
        }
        self.runtime.remove_pod(&worker.uid);
        self.logs.forget(&worker.uid, worker.slots.keys());
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
