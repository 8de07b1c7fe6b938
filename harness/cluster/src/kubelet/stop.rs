//! The end of a pod: its containers are stopped, its last status written, and the object removed.

use serde_json::Value;

use super::{
    Kubelet, What,
    container::{Ended, Slot},
    worker::{Stage, Worker},
};
use crate::{api::DeleteOptions, dialect::Text, engine::Context, recorder::Kind, store::Key};

/// How long a container takes to stop when asked, in milliseconds.
const STOP: std::ops::Range<u64> = 300..1200;
/// How long a pod without running containers takes to go.
const NOTHING_TO_STOP: std::ops::Range<u64> = 150..700;

impl Kubelet {
    /// Begins to stop a pod that is being deleted.
    pub(super) fn stop(&self, worker: &mut Worker, key: &Key, pod: &Value, context: &Context) {
        worker.stage = Stage::Stopping;
        worker.dirty = false;
        worker.due = None;
        worker.reap(self.clock.now());
        let mut any = false;
        for list in ["containers", "initContainers"] {
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
        let time = if any { STOP } else { NOTHING_TO_STOP };
        self.pause(worker, key, time, What::Stopped, context);
    }

    /// The containers have stopped.
    pub(super) fn stopped(&self, worker: &mut Worker, key: &Key) {
        let now = self.clock.now();
        for container in worker.slots.values_mut().filter_map(|slot| slot.current.as_mut()) {
            container.ended.get_or_insert(Ended { code: 0, at: now });
        }
        self.write_status(worker, key, worker.sandbox.is_some());
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
}
