//! What a kubelet that has been started again learns of its pods from their statuses: the containers that ran are gone.

use std::sync::Arc;

use pulldrill_clock::Timestamp;
use serde_json::Value;

use super::{
    Kubelet,
    container::{Container, Ended, START_ERROR, Slot, UNKNOWN},
    restart,
    worker::Worker,
};
use crate::puller::{Image, Reference};

/// The exit code of a container that nobody saw end.
const UNSEEN: i32 = 255;

impl Kubelet {
    /// Fills in since when the pod is on the node, and the containers that it had when machine or kubelet ended.
    pub(super) fn remember(&self, worker: &mut Worker, pod: &Value) {
        let status = &pod["status"];
        if let Some(since) = self.lab_time(&status["startTime"]) {
            worker.since = since;
        }
        for (list, statuses) in [
            ("containers", "containerStatuses"),
            ("initContainers", "initContainerStatuses"),
            ("ephemeralContainers", "ephemeralContainerStatuses"),
        ] {
            for status in status[statuses].as_array().into_iter().flatten() {
                let name = status["name"].as_str().unwrap_or_default();
                let mut specs = pod["spec"][list].as_array().into_iter().flatten();
                let Some(spec) = specs.find(|spec| spec["name"] == name) else { continue };
                if let Some(mut slot) = self.slot_of(spec, status) {
                    self.revive(&mut slot, &pod["spec"], spec, list);
                    worker.slots.insert(name.to_owned(), slot);
                }
            }
        }
    }

    /// Lets what nobody saw end run once more, though its pod does not want that, when only the process that simulates
    /// the machine was ended: in the cluster nothing has happened that a pod could fail for.
    fn revive(&self, slot: &mut Slot, pod: &Value, container: &Value, list: &str) {
        let policy = restart::policy_of(pod);
        let lost = slot
            .ended()
            .is_some_and(|(_, ended)| ended.unseen && !restart::is_restarted(container, list, policy, ended));
        if lost && !self.rebooted && list != "ephemeralContainers" {
            slot.last = slot.current.take();
        }
    }

    /// The lab time of a time that an object shows now.
    fn lab_time(&self, shown: &Value) -> Option<Timestamp> {
        let shown: Timestamp = shown.as_str()?.parse().ok()?;
        self.clock.now().checked_sub(self.clock.shown_now().duration_since(shown)).ok()
    }

    fn slot_of(&self, spec: &Value, status: &Value) -> Option<Slot> {
        let now = self.clock.now();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let restarts = u32::try_from(status["restartCount"].as_u64()?).ok()?;
        let running = &status["state"]["running"];
        // What waits to be started again tells of its last run as of the one before.
        let ended = [&status["state"]["terminated"], &status["lastState"]["terminated"]];
        let (state, ended) = if running.is_object() {
            (running, Ended { unseen: true, ..Ended::with(UNSEEN, now) })
        } else {
            let state = ended.into_iter().find(|state| state.is_object())?;
            let code = i32::try_from(state["exitCode"].as_i64()?).ok()?;
            let failure = (state["reason"] == START_ERROR).then(|| text(&state["message"]));
            let at = self.lab_time(&state["finishedAt"]).unwrap_or(now);
            (state, Ended { code, at, failure, unseen: state["reason"] == UNKNOWN })
        };
        let reference = Reference::parse(status["image"].as_str()?).ok()?;
        let unknown = || Image { reference: reference.to_string(), ..Image::default() };
        let message = if ended.failure.is_some() { String::new() } else { text(&state["message"]) };
        let id = state["containerID"].as_str().or(status["containerID"].as_str());
        let current = Container {
            id: id.unwrap_or_default().to_owned(),
            spec_image: text(&spec["image"]),
            image: self.puller.image(&reference).unwrap_or_else(|| Arc::new(unknown())),
            started: self.lab_time(&state["startedAt"])?,
            ready_at: now,
            exits_at: None,
            code: None,
            term: None,
            ended: Some(ended),
            message,
        };
        Some(Slot { current: Some(current), last: None, restarts })
    }
}
