//! What a kubelet that has been started again learns of its pods from their statuses: the containers that ran are gone.

use std::sync::Arc;

use pulldrill_clock::Timestamp;
use serde_json::Value;

use super::{
    Kubelet,
    container::{Container, Ended, Slot},
    worker::Worker,
};
use crate::puller::{Image, Reference};

/// The exit code of a container that nobody saw end.
const UNSEEN: i32 = 255;

impl Kubelet {
    /// Fills in the containers that a pod had when the machine was switched off.
    pub(super) fn remember(&self, worker: &mut Worker, pod: &Value) {
        let now = self.clock.now();
        for (list, statuses) in
            [("containers", "containerStatuses"), ("initContainers", "initContainerStatuses")]
        {
            for status in pod["status"][statuses].as_array().into_iter().flatten() {
                let name = status["name"].as_str().unwrap_or_default();
                let mut specs = pod["spec"][list].as_array().into_iter().flatten();
                let Some(spec) = specs.find(|spec| spec["name"] == name) else { continue };
                if let Some(slot) = self.slot_of(spec, status, now) {
                    worker.slots.insert(name.to_owned(), slot);
                }
            }
        }
    }

    fn slot_of(&self, spec: &Value, status: &Value, now: Timestamp) -> Option<Slot> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let restarts = u32::try_from(status["restartCount"].as_u64()?).ok()?;
        let (running, ended) = (&status["state"]["running"], &status["state"]["terminated"]);
        let container = |state: &Value, ended: Ended| {
            let reference = Reference::parse(status["image"].as_str()?).ok()?;
            let unknown = || Image { reference: reference.to_string(), ..Image::default() };
            let image = self.puller.image(&reference).unwrap_or_else(|| Arc::new(unknown()));
            Some(Container {
                id: text(&status["containerID"]),
                spec_image: text(&spec["image"]),
                image,
                started: state["startedAt"].as_str()?.parse().ok()?,
                ready_at: now,
                exits_at: None,
                code: None,
                term: None,
                ended: Some(ended),
            })
        };
        let current = if running.is_object() {
            container(running, Ended { code: UNSEEN, at: now, failure: None })
        } else if ended.is_object() {
            let code = i32::try_from(ended["exitCode"].as_i64()?).ok()?;
            let at = ended["finishedAt"].as_str().and_then(|at| at.parse().ok()).unwrap_or(now);
            container(ended, Ended { code, at, failure: None })
        } else {
            None
        };
        current.is_some().then_some(Slot { current, last: None, restarts })
    }
}
