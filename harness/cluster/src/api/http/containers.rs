//! Which container of a pod a request means.

use serde_json::Value;

use crate::api::{
    Status,
    json::{items, text},
};

/// The name of the container that is meant; one that is not named is the only one.
///
/// # Errors
/// 400 when there are several, or none of that name.
pub(super) fn choose(pod: &Value, wanted: &str) -> Result<String, Status> {
    let pod_name = text(&pod["metadata"]["name"]);
    let names = |list: &str| -> Vec<&str> {
        items(&pod["spec"][list]).iter().map(|container| text(&container["name"])).collect()
    };
    let [all, initial, ephemeral] = ["containers", "initContainers", "ephemeralContainers"].map(names);
    if wanted.is_empty() {
        if let [only] = all.as_slice() {
            return Ok((*only).to_owned());
        }
        let mut choices = format!("choose one of: [{}]", all.join(" "));
        for (kind, list) in [("init", &initial), ("ephemeral", &ephemeral)] {
            if !list.is_empty() {
                choices += &format!(" or one of the {kind} containers: [{}]", list.join(" "));
            }
        }
        let message = format!("a container name must be specified for pod {pod_name}, {choices}");
        return Err(Status::bad_request(message));
    }
    if all.iter().chain(&initial).chain(&ephemeral).any(|name| *name == wanted) {
        return Ok(wanted.to_owned());
    }
    Err(Status::bad_request(format!("container {wanted} is not valid for pod {pod_name}")))
}

/// The status of a container.
pub(super) fn status<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        .iter()
        .flat_map(|list| items(&pod["status"][*list]))
        .find(|status| status["name"] == container)
}
