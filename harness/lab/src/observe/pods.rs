//! A pod as `kubectl get pods` shows it.

use jiff::Timestamp;
use serde_json::Value;

use super::workload::is_leaving;
use crate::view::PodView;

/// The view of a pod; `shown_now` is the time that its stamps are compared with.
#[must_use]
pub(crate) fn view(pod: &Value, shown_now: Timestamp) -> PodView {
    let statuses = list(&pod["status"]["containerStatuses"]);
    let ready = statuses.iter().filter(|status| status["ready"] == true).count();
    let containers = list(&pod["spec"]["containers"]);
    let restarts = statuses.iter().filter_map(|status| status["restartCount"].as_i64()).sum();
    PodView {
        name: text(&pod["metadata"]["name"]),
        ready: format!("{ready}/{}", containers.len()),
        status: status(pod),
        restarts,
        age_seconds: seconds_since(&pod["metadata"]["creationTimestamp"], shown_now),
        node: pod["spec"]["nodeName"].as_str().map(Into::into),
        image: containers.first().map(|container| text(&container["image"])).unwrap_or_default(),
        message: waiting(pod).and_then(|waiting| waiting["message"].as_str()).map(Into::into),
        next_retry_seconds: None,
    }
}

/// The STATUS column.
#[must_use]
pub(crate) fn status(pod: &Value) -> String {
    if is_leaving(pod).is_some() {
        return "Terminating".into();
    }
    let init = list(&pod["status"]["initContainerStatuses"]);
    let done = init.iter().filter(|status| status["state"]["terminated"]["exitCode"] == 0).count();
    if let Some(status) = init.iter().find(|status| !init_is_over(status)) {
        return match reason_of(&status["state"]) {
            Some(reason) if reason != "PodInitializing" => format!("Init:{reason}"),
            _ => format!("Init:{done}/{}", list(&pod["spec"]["initContainers"]).len()),
        };
    }
    let waiting = list(&pod["status"]["containerStatuses"]).iter().find_map(|s| reason_of(&s["state"]));
    if let Some(reason) = waiting {
        return reason.to_owned();
    }
    match pod["status"]["reason"].as_str() {
        Some(reason) => reason.to_owned(),
        None => text(&pod["status"]["phase"]),
    }
}

/// The waiting state of the container that the status column is about.
#[must_use]
pub(crate) fn waiting(pod: &Value) -> Option<&Value> {
    let init = list(&pod["status"]["initContainerStatuses"]).iter();
    let containers = list(&pod["status"]["containerStatuses"]).iter();
    init.chain(containers).map(|status| &status["state"]["waiting"]).find(|state| state.is_object())
}

/// The reason why a pod waits, for example `ImagePullBackOff`.
#[must_use]
pub(crate) fn waiting_reason(pod: &Value) -> &str {
    waiting(pod).and_then(|waiting| waiting["reason"].as_str()).unwrap_or_default()
}

/// Whether a pod waits for an image that could not be pulled.
#[must_use]
pub(crate) fn is_stuck_on_image(pod: &Value) -> bool {
    matches!(
        waiting_reason(pod),
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName" | "ImageInspectError"
    )
}

/// Seconds from a stamp to `now`; 0 when there is no stamp.
#[must_use]
pub(crate) fn seconds_since(stamp: &Value, now: Timestamp) -> i64 {
    let at = stamp.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    at.map_or(0, |at| now.duration_since(at).as_secs().max(0))
}

fn init_is_over(status: &Value) -> bool {
    status["state"]["terminated"]["exitCode"] == 0 || status["started"] == true
}

fn reason_of(state: &Value) -> Option<&str> {
    state["waiting"]["reason"].as_str().or_else(|| state["terminated"]["reason"].as_str())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn waiting_pod(reason: &str) -> Value {
        json!({"metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "a/b:1"}]},
            "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": reason, "message": "m"}}}]}})
    }

    #[test]
    fn the_status_is_the_one_that_kubectl_prints() {
        let mut pod = waiting_pod("ErrImagePull");
        assert_eq!(status(&pod), "ErrImagePull");
        assert!(is_stuck_on_image(&pod));
        pod["status"]["containerStatuses"][0]["state"] = json!({"running": {}});
        pod["status"]["phase"] = "Running".into();
        assert_eq!(status(&pod), "Running");
        pod["status"]["initContainerStatuses"] =
            json!([{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]);
        assert_eq!(status(&pod), "Init:ImagePullBackOff");
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        assert_eq!(status(&pod), "Terminating");
    }

    #[test]
    fn a_view_says_what_a_person_wants_to_know_first() {
        let view = view(&waiting_pod("ImagePullBackOff"), "2026-01-01T00:01:30Z".parse().unwrap());
        assert_eq!((view.ready.as_str(), view.age_seconds), ("0/1", 90));
        assert_eq!(view.message.as_deref(), Some("m"));
    }
}
