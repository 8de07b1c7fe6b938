//! Containers that must not run as root (`verifyRunAsNonRoot` of the kubelet).

use serde_json::Value;

use super::worker::full_name;
use crate::puller::Image;

/// Why a container that must not run as root would, or might. What it says itself comes before what its pod says
/// (`DetermineEffectiveSecurityContext`), and both before what the image says.
pub(super) fn refusal(pod: &Value, container: &Value, image: &Image) -> Option<String> {
    let contexts = [&container["securityContext"], &pod["spec"]["securityContext"]];
    let effective =
        |field: &str| contexts.iter().map(|context| &context[field]).find(|value| !value.is_null());
    if effective("runAsNonRoot")? != true {
        return None;
    }
    // Runtimes only tell a number from a name: `root` is a name like any other.
    let user = image.user.split(':').next().unwrap_or_default();
    let number = if user.is_empty() { Ok(0) } else { user.parse::<i64>() };
    let why = match (effective("runAsUser").and_then(Value::as_i64), number) {
        (Some(0), _) => "container's runAsUser breaks non-root policy".to_owned(),
        (None, Ok(0)) => "container has runAsNonRoot and image will run as root".to_owned(),
        (None, Err(_)) => format!(
            "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root"
        ),
        (Some(_), _) | (None, Ok(_)) => return None,
    };
    let name = container["name"].as_str().unwrap_or_default();
    Some(format!("{why} (pod: {:?}, container: {name})", full_name(pod)))
}
