//! A pod's status as its kubelet writes it, made from what the kubelet knows.

use jiff::Timestamp;
use pulldrill_clock::Clock;
use serde_json::{Value, json};

use super::{
    container::{Container, Ended, Slot},
    deadline, restart,
    worker::Worker,
};
use crate::dialect::Dialect;

/// What a status is made from.
pub(super) struct View<'a> {
    pub(super) worker: &'a Worker,
    pub(super) clock: &'a Clock,
    pub(super) dialect: &'a Dialect,
    pub(super) host: &'a str,
    /// Whether the pod's address is known to the status yet.
    pub(super) address: bool,
}

impl View<'_> {
    /// The status of `pod`, keeping what others wrote into the present one.
    pub(super) fn status(&self, pod: &Value) -> Value {
        let spec = &pod["spec"];
        let init = self.containers(spec, "initContainers");
        let mut app = self.containers(spec, "containers");
        let added = self.containers(spec, "ephemeralContainers");
        let mut status = pod["status"].clone();
        if !status.is_object() {
            status = json!({});
        }
        if self.dialect.pods.observed_generation {
            status["observedGeneration"] = pod["metadata"]["generation"].clone();
        }
        status["phase"] = json!(self.phase(spec));
        if self.worker.overdue {
            status["reason"] = json!(deadline::REASON);
            status["message"] = json!(deadline::MESSAGE);
        }
        status["conditions"] = self.conditions(pod);
        status["hostIP"] = json!(self.host);
        if status["startTime"].is_null() {
            status["startTime"] = json!(self.time(self.worker.since));
        }
        let address = self.worker.sandbox.as_ref().filter(|_| self.address).map(|s| s.address.as_str());
        if let Some(address) = address {
            status["podIP"] = json!(address);
            status["podIPs"] = json!([{"ip": address}]);
        }
        if self.dialect.pods.host_ips {
            status["hostIPs"] = json!([{"ip": self.host}]);
        }
        if self.dialect.pods.resources && status["resources"].is_null() {
            status["resources"] = json!({});
        }
        if !init.is_empty() {
            status["initContainerStatuses"] = json!(init);
        }
        if !added.is_empty() {
            status["ephemeralContainerStatuses"] = json!(added);
        }
        // A real kubelet lists them by name, whatever their order in the spec (seen on 1.20); not so the first ones.
        app.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
        status["containerStatuses"] = json!(app);
        status
    }

    pub(super) fn time(&self, at: Timestamp) -> String {
        pulldrill_clock::stamp(self.clock.shown(at))
    }

    pub(super) fn slot(&self, container: &Value) -> Option<&Slot> {
        self.worker.slots.get(container["name"].as_str()?)
    }

    fn containers(&self, spec: &Value, list: &str) -> Vec<Value> {
        let pending = if has_any(spec, "initContainers") { "PodInitializing" } else { "ContainerCreating" };
        let all = spec[list].as_array().into_iter().flatten();
        all.map(|container| self.container(container, pending, list)).collect()
    }

    fn container(&self, spec: &Value, pending: &str, list: &str) -> Value {
        let slot = self.slot(spec);
        let current = slot.and_then(|s| s.current.as_ref());
        let name = spec["name"].as_str().unwrap_or_default();
        // One that could not be started again waits; that it ended is then the state before.
        let stuck = current.filter(|c| c.ended.is_some() && self.worker.waiting.contains_key(name));
        let state = match current.filter(|_| stuck.is_none()) {
            Some(Container { ended: Some(ended), .. }) => self.terminated(current, ended),
            Some(running) => json!({"running": {"startedAt": self.time(running.started)}}),
            None => match self.worker.waiting.get(name) {
                Some(waiting) => {
                    json!({"waiting": {"reason": waiting.reason, "message": waiting.message}})
                }
                None => json!({"waiting": {"reason": pending}}),
            },
        };
        let last = stuck.or_else(|| slot.and_then(|s| s.last.as_ref()));
        let last_state = last.and_then(|c| Some(self.terminated(last, c.ended.as_ref()?)));
        let running = current.filter(|c| c.ended.is_none());
        let mut out = json!({
            "name": name,
            "state": state,
            "lastState": last_state.unwrap_or_else(|| json!({})),
            "ready": list != "ephemeralContainers" && self.is_ready(spec, list == "initContainers"),
            "restartCount": slot.map_or(0, |s| s.restarts),
            "image": current.map_or_else(|| spec["image"].as_str().unwrap_or_default(), |c| &c.image.reference),
            "imageID": current.map_or("", |c| &c.image.repo_digest),
            "started": running.is_some(),
        });
        if let Some(container) = current {
            out["containerID"] = json!(container.id);
        }
        let is_told = match list {
            // No probe ever tells.
            "ephemeralContainers" => false,
            "initContainers" => self.dialect.pods.init_started,
            _ => true,
        };
        if let Some(fields) = out.as_object_mut().filter(|_| !is_told) {
            fields.remove("started");
        }
        self.decorate(&mut out, spec, current.is_some());
        out
    }

    /// What only some versions write, of a container that is there, though it may have ended.
    fn decorate(&self, out: &mut Value, spec: &Value, exists: bool) {
        if self.dialect.pods.volume_mounts {
            let mounts = spec["volumeMounts"].as_array().into_iter().flatten();
            let mounts: Vec<Value> = mounts.map(mount).collect();
            if !mounts.is_empty() {
                out["volumeMounts"] = json!(mounts);
            }
        }
        if exists && self.dialect.pods.resources {
            let resources = &spec["resources"];
            out["resources"] = if resources.is_object() { resources.clone() } else { json!({}) };
            if resources["requests"].is_object() {
                out["allocatedResources"] = resources["requests"].clone();
            }
        }
        if exists && self.dialect.pods.user {
            out["user"] = json!({"linux": {"uid": 0, "gid": 0, "supplementalGroups": [0]}});
        }
    }

    fn terminated(&self, container: Option<&Container>, ended: &Ended) -> Value {
        let mut state = json!({
            "exitCode": ended.code,
            "reason": ended.reason(),
            "finishedAt": self.time(ended.at),
        });
        if let Some(failure) = &ended.failure {
            state["message"] = json!(failure);
        }
        if let Some(container) = container {
            if ended.failure.is_none() && !container.message.is_empty() {
                state["message"] = json!(container.message);
            }
            state["startedAt"] = json!(self.time(container.started));
            state["containerID"] = json!(container.id);
        }
        json!({"terminated": state})
    }

    /// Whether a container does what it is there for: an init container has ended well, another one runs
    /// and has had its time to get ready.
    pub(super) fn is_ready(&self, container: &Value, init: bool) -> bool {
        let Some(slot) = self.slot(container) else { return false };
        if init && !restart::is_sidecar(container) {
            slot.ended().is_some_and(|(_, ended)| ended.code == 0)
        } else {
            slot.running().is_some_and(|c| c.ready_at <= self.clock.now())
        }
    }
}

fn has_any(spec: &Value, list: &str) -> bool {
    spec[list].as_array().is_some_and(|all| !all.is_empty())
}

fn mount(mount: &Value) -> Value {
    let mut out = json!({"name": mount["name"], "mountPath": mount["mountPath"]});
    if mount["readOnly"] == true {
        out["readOnly"] = json!(true);
        out["recursiveReadOnly"] = json!("Disabled");
    }
    out
}
