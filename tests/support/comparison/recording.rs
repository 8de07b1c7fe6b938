//! A recording of one drill: what the cluster showed, in the order in which it showed it.
//!
//! Read from a folder (`events.jsonl`, `timeline.jsonl`, `describe.txt`) or made by a test that plays a drill.
//! It keeps what a person or a tool can see, and judges nothing.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// One version of an Event object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EventChange {
    /// Seconds, from any fixed point.
    pub(crate) at: f64,
    /// The object.
    pub(crate) object: Value,
}

/// Everything that was recorded of a drill.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recording {
    /// Every change of an event, oldest first.
    pub(crate) events: Vec<EventChange>,
    /// Every version of a pod, oldest first.
    pub(crate) pods: Vec<Value>,
    /// What `kubectl describe pods` printed at the end.
    pub(crate) describe: String,
}

impl Recording {
    /// Reads a recording folder.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let events = lines(&dir.join("events.jsonl"))?
            .into_iter()
            .filter(|line| line["type"] != "DELETED")
            .map(|line| EventChange { at: seconds(&line), object: line["object"].clone() })
            .collect();
        let pods = lines(&dir.join("timeline.jsonl"))?
            .into_iter()
            .filter(|line| line["kind"] == "Pod" && line["type"] != "DELETED")
            .map(|line| line["object"].clone())
            .collect();
        let path = dir.join("describe.txt");
        let describe = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Self { events, pods, describe })
    }

    /// The pod whose image could not be pulled.
    #[allow(dead_code, reason = "not every test program asks")]
    pub(crate) fn failing_pod(&self) -> Option<String> {
        let failed = self.events.iter().find(|e| e.object["reason"] == "Failed")?;
        failed.object["involvedObject"]["name"].as_str().map(str::to_owned)
    }

    /// The uid of the pod that the recording is about: the one whose image could not be pulled, or, where all
    /// went well, the first one. (A name is not enough: a StatefulSet gives it to one pod after the other.)
    pub(crate) fn pod_in_question(&self) -> Option<String> {
        let about = |e: &EventChange| e.object["involvedObject"].clone();
        let failed = self.events.iter().find(|e| e.object["reason"] == "Failed").map(about);
        let first = || self.events.iter().map(about).find(|object| object["kind"] == "Pod");
        failed.or_else(first)?["uid"].as_str().map(str::to_owned)
    }
}

fn seconds(line: &Value) -> f64 {
    line["t"].as_f64().unwrap_or_default()
}

fn lines(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The statuses of a pod's containers, init containers first.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let list = |field: &str| pod["status"][field].as_array().into_iter().flatten();
    list("initContainerStatuses").chain(list("containerStatuses"))
}

/// What `kubectl get pods` shows as STATUS for a pod that waits or runs.
pub(crate) fn status_column(pod: &Value) -> String {
    let status = &pod["status"];
    let inits = status["initContainerStatuses"].as_array().map_or(&[][..], Vec::as_slice);
    let is_done = |c: &&Value| c["state"]["terminated"]["exitCode"] == 0;
    let done = inits.iter().take_while(is_done).count();
    if let Some(init) = inits.get(done) {
        return match init["state"]["waiting"]["reason"].as_str() {
            Some(reason) if reason != "PodInitializing" => format!("Init:{reason}"),
            _ => format!("Init:{done}/{}", inits.len()),
        };
    }
    let waiting = containers(pod).find_map(|c| c["state"]["waiting"]["reason"].as_str());
    waiting.or(status["phase"].as_str()).unwrap_or("<none>").to_owned()
}
