//! Which ports of a pod a Service leads to.

use serde_json::{Map, Value};

use crate::controllers::json::{int, items, text};

/// The ports that a Service leads to in one pod; those that the pod does not have are left out
/// (`getEndpointPorts` of Kubernetes).
pub(super) fn of(service: &Value, pod: &Value) -> Vec<Value> {
    let ports = items(&service["spec"]["ports"]).iter();
    ports.filter_map(|port| Some(endpoint_port(port, find(port, pod)?))).collect()
}

/// The number of a Service's port in a pod (`FindPort` of Kubernetes).
fn find(port: &Value, pod: &Value) -> Option<i64> {
    let Some(wanted) = port["targetPort"].as_str() else {
        return Some(port["targetPort"].as_i64().unwrap_or_else(|| int(&port["port"])));
    };
    let stays = |container: &&Value| container["restartPolicy"] == "Always";
    let sidecars = items(&pod["spec"]["initContainers"]).iter().filter(stays);
    let containers = items(&pod["spec"]["containers"]).iter().chain(sidecars);
    let fits = |candidate: &&Value| candidate["name"] == wanted && protocol(candidate) == protocol(port);
    let found = containers.flat_map(|container| items(&container["ports"])).find(fits)?;
    found["containerPort"].as_i64()
}

fn protocol(port: &Value) -> &str {
    port["protocol"].as_str().unwrap_or("TCP")
}

/// A port with a name, as slices have it, also if that is empty.
fn endpoint_port(port: &Value, number: i64) -> Value {
    let mut result = Map::new();
    result.insert("name".into(), text(&port["name"]).into());
    result.insert("port".into(), number.into());
    result.insert("protocol".into(), protocol(port).into());
    if port["appProtocol"].is_string() {
        result.insert("appProtocol".into(), port["appProtocol"].clone());
    }
    result.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_looked_up_in_the_pod() {
        let ports = json!([{"name": "web", "containerPort": 8080, "protocol": "TCP"},
            {"name": "dns", "containerPort": 53, "protocol": "UDP"}]);
        let sidecar = json!([{"name": "metrics", "containerPort": 9090, "protocol": "TCP"}]);
        let pod = json!({"spec": {"containers": [{"name": "c"}, {"ports": ports}],
            "initContainers": [{"ports": [{"name": "init", "containerPort": 1}]},
                {"restartPolicy": "Always", "ports": sidecar}]}});
        for (port, expected) in [
            (json!({"port": 80}), Some(80)),
            (json!({"port": 80, "targetPort": 8081}), Some(8081)),
            (json!({"port": 80, "targetPort": "web", "protocol": "TCP"}), Some(8080)),
            (json!({"port": 80, "targetPort": "web", "protocol": "UDP"}), None),
            (json!({"port": 80, "targetPort": "dns", "protocol": "UDP"}), Some(53)),
            (json!({"port": 80, "targetPort": "metrics"}), Some(9090)),
            (json!({"port": 80, "targetPort": "init"}), None),
        ] {
            assert_eq!(find(&port, &pod), expected, "{port}");
        }
        let service = json!({"spec": {"ports": [{"port": 80, "targetPort": "gone"}, {"port": 81}]}});
        assert_eq!(of(&service, &pod), [json!({"name": "", "port": 81, "protocol": "TCP"})]);
    }
}
