//! The columns of pods: how a pod's many states become one word.

use pulldrill_clock::Timestamp;
use serde_json::Value;

use super::{age, cells::Context, time};
use crate::api::json::{items, text};

/// Since this minor version there are gates before the scheduler,
const GATES: u32 = 26;
/// and since this one sidecars.
const SIDECARS: u32 = 28;
/// Recorded were 1.20, which does none of this, and 1.36: to show containers that have begun although an initial one
/// is broken again, to say that a pod is over although it is being deleted, and not to let one container's success
/// hide another's failure.
const YOUNGER: u32 = 24;

/// What the columns of a pod show.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// `ready/total`.
    pub(super) ready: String,
    /// The one word.
    pub(super) status: String,
    /// How often containers were restarted.
    pub(super) restart_count: i64,
    last_restart: Option<Timestamp>,
}

impl Summary {
    /// The restarts with the time of the last one.
    pub(super) fn restarts(&self, context: &Context) -> String {
        match self.last_restart {
            Some(at) if self.restart_count > 0 => {
                format!("{} ({} ago)", self.restart_count, age::short(context.now.duration_since(at)))
            }
            _ => self.restart_count.to_string(),
        }
    }

    fn count(&mut self, container: &Value) {
        self.restart_count += container["restartCount"].as_i64().unwrap_or(0);
        let ended = time(&container["lastState"]["terminated"]["finishedAt"]);
        self.last_restart = self.last_restart.max(ended);
    }
}

/// Sums a pod up.
pub(super) fn summary(pod: &Value, context: &Context) -> Summary {
    let mut summary = Summary { status: first_word(pod, context), ..Summary::default() };
    let mut ready = 0;
    let sidecars = Sidecars::of(pod, context);
    let mut sidecar_summary = Summary::default();
    let decided = initial(pod, &sidecars, &mut summary, &mut sidecar_summary, &mut ready);
    if !decided || context.release.since(YOUNGER) && condition(pod, "Initialized") {
        summary.restart_count = sidecar_summary.restart_count;
        summary.last_restart = sidecar_summary.last_restart;
        main(pod, context, &mut summary, &mut ready);
    }
    if pod["metadata"]["deletionTimestamp"].is_string() {
        let phase = text(&pod["status"]["phase"]);
        if pod["status"]["reason"] == "NodeLost" {
            summary.status = "Unknown".into();
        } else if !context.release.since(YOUNGER) || !matches!(phase, "Succeeded" | "Failed") {
            summary.status = "Terminating".into();
        }
    }
    let total = items(&pod["spec"]["containers"]).len() + sidecars.0.len();
    summary.ready = format!("{ready}/{total}");
    summary
}

/// Before any container is looked at.
fn first_word(pod: &Value, context: &Context) -> String {
    let gated = |c: &Value| c["type"] == "PodScheduled" && c["reason"] == "SchedulingGated";
    if context.release.since(GATES) && items(&pod["status"]["conditions"]).iter().any(gated) {
        return "SchedulingGated".into();
    }
    match text(&pod["status"]["reason"]) {
        "" => text(&pod["status"]["phase"]).to_owned(),
        reason => reason.to_owned(),
    }
}

fn condition(pod: &Value, kind: &str) -> bool {
    items(&pod["status"]["conditions"]).iter().any(|c| c["type"] == kind && c["status"] == "True")
}

/// The initial containers that go on running beside the others.
struct Sidecars<'a>(Vec<&'a str>);

impl<'a> Sidecars<'a> {
    fn of(pod: &'a Value, context: &Context) -> Self {
        let initial = items(&pod["spec"]["initContainers"]).iter();
        let lasting = initial.filter(|c| context.release.since(SIDECARS) && c["restartPolicy"] == "Always");
        Self(lasting.map(|c| text(&c["name"])).collect())
    }
}

/// Looks at the initial containers. True when one of them decides the word.
fn initial(
    pod: &Value,
    sidecars: &Sidecars<'_>,
    summary: &mut Summary,
    sidecar_summary: &mut Summary,
    ready: &mut usize,
) -> bool {
    let total = items(&pod["spec"]["initContainers"]).len();
    for (index, container) in items(&pod["status"]["initContainerStatuses"]).iter().enumerate() {
        summary.count(container);
        let sidecar = sidecars.0.contains(&text(&container["name"]));
        if sidecar {
            sidecar_summary.count(container);
        }
        let (terminated, waiting) = (&container["state"]["terminated"], &container["state"]["waiting"]);
        if terminated["exitCode"] == 0 {
            continue;
        }
        if sidecar && container["started"] == true {
            *ready += usize::from(container["ready"] == true);
            continue;
        }
        summary.status = if terminated.is_object() {
            format!("Init:{}", ending(terminated))
        } else {
            match text(&waiting["reason"]) {
                "" | "PodInitializing" => format!("Init:{index}/{total}"),
                reason => format!("Init:{reason}"),
            }
        };
        return true;
    }
    false
}

/// How a container ended.
fn ending(terminated: &Value) -> String {
    match text(&terminated["reason"]) {
        "" => match terminated["signal"].as_i64().unwrap_or(0) {
            0 => format!("ExitCode:{}", terminated["exitCode"].as_i64().unwrap_or(0)),
            signal => format!("Signal:{signal}"),
        },
        reason => reason.to_owned(),
    }
}

/// Looks at the main containers, from the last to the first.
fn main(pod: &Value, context: &Context, summary: &mut Summary, ready: &mut usize) {
    let mut running = false;
    let mut error = None;
    for container in items(&pod["status"]["containerStatuses"]).iter().rev() {
        summary.count(container);
        let state = &container["state"];
        let waiting = text(&state["waiting"]["reason"]);
        if !waiting.is_empty() {
            summary.status = waiting.to_owned();
        } else if state["terminated"].is_object() {
            summary.status = ending(&state["terminated"]);
            if context.release.since(YOUNGER) && state["terminated"]["exitCode"] != 0 {
                error = Some(summary.status.clone());
            }
        } else if container["ready"] == true && state["running"].is_object() {
            running = true;
            *ready += 1;
        }
    }
    if summary.status == "Completed" {
        if running && condition(pod, "Ready") {
            summary.status = "Running".into();
        } else if let Some(error) = error {
            summary.status = error;
        } else if running {
            summary.status = "NotReady".into();
        }
    }
}

/// How many of a pod's own conditions of readiness hold.
pub(super) fn readiness_gates(pod: &Value) -> String {
    let gates = items(&pod["spec"]["readinessGates"]);
    if gates.is_empty() {
        return "<none>".into();
    }
    let open = gates.iter().filter(|g| condition(pod, text(&g["conditionType"]))).count();
    format!("{open}/{}", gates.len())
}
