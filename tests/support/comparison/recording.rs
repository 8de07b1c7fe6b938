//! A recording of one drill: what the cluster showed, in the order in which it showed it.
//!
//! Read from a folder (`events.jsonl`, `timeline.jsonl`, `describe.txt`) or made by a test that plays a drill.
//! It keeps what a person or a tool can see, and judges nothing.

use std::path::Path;

use anyhow::{Context, Result};
use pulldrill_clock::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The kinds of what makes pods.
pub(crate) const WORKLOADS: [&str; 4] = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"];

/// One version of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    /// When it was seen, in seconds from any fixed point.
    pub(crate) at: f64,
    /// The object.
    pub(crate) object: Value,
}

impl Version {
    /// When an event happened, in whole seconds, by the clock of who wrote it: a recorder on a busy machine sees events
    /// late, and each as late as chance has it.
    pub(super) fn happened(&self) -> f64 {
        let said = self.object["lastTimestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        said.map_or(self.at, |time| time.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64())
    }

    /// Whether an event is what came of a pull.
    pub(super) fn ends_a_pull(&self) -> bool {
        let message = self.object["message"].as_str().unwrap_or_default();
        message.starts_with("Successfully pulled image") || message.starts_with("Failed to pull image")
    }

    /// Lets an event happen so many seconds later, or earlier.
    pub(super) fn happen_later(&mut self, seconds: i64) {
        let said = self.object["lastTimestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        if let Some(time) = said {
            self.object["lastTimestamp"] = json!((time + SignedDuration::from_secs(seconds)).to_string());
        }
    }
}

/// Everything that was recorded of a drill.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recording {
    /// Every change of an event, oldest first.
    pub(crate) events: Vec<Version>,
    /// Every version of a pod, oldest first.
    pub(crate) pods: Vec<Value>,
    /// Every version of what makes pods ([`WORKLOADS`]), oldest first.
    pub(crate) workloads: Vec<Version>,
    /// What `kubectl describe pods` printed at the end.
    pub(crate) describe: String,
}

impl Recording {
    /// Reads a recording folder.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let events = versions(&dir.join("events.jsonl"))?.into_iter().map(|(_, seen)| seen).collect();
        let (mut pods, mut workloads) = (Vec::new(), Vec::new());
        for (kind, seen) in versions(&dir.join("timeline.jsonl"))? {
            match kind.as_str() {
                "Pod" => pods.push(seen.object),
                kind if WORKLOADS.contains(&kind) => workloads.push(seen),
                _ => {}
            }
        }
        let path = dir.join("describe.txt");
        let describe = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Self { events, pods, workloads, describe })
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
        let about = |e: &Version| e.object["involvedObject"].clone();
        let failed = self.events.iter().find(|e| e.object["reason"] == "Failed").map(about);
        let first = || self.events.iter().map(about).find(|object| object["kind"] == "Pod");
        failed.or_else(first)?["uid"].as_str().map(str::to_owned)
    }
}

/// The lines of a file and the kinds that they are of, without what is said of an object's end.
fn versions(path: &Path) -> Result<Vec<(String, Version)>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let seen = |mut line: Value| {
        let at = line["t"].as_f64().unwrap_or_default();
        let kind = line["kind"].as_str().unwrap_or_default().to_owned();
        (kind, Version { at, object: line["object"].take() })
    };
    Ok(lines.into_iter().filter(|line| line["type"] != "DELETED").map(seen).collect())
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
