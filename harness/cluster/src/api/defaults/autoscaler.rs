//! Defaults of HorizontalPodAutoscalers.

use serde_json::{Value, json};

use crate::api::json::{default, is_nothing};

/// Without a target of its own an autoscaler keeps processors at 80 percent.
/// (`SetDefaults_HorizontalPodAutoscaler` in Kubernetes' autoscaling defaults.)
pub(super) fn autoscaler(object: &mut Value) {
    default(object, "spec", json!({}));
    let spec = &mut object["spec"];
    default(spec, "minReplicas", 1);
    if is_nothing(&spec["metrics"]) {
        spec["metrics"] = json!([{"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": 80}}}]);
    }
    if spec["behavior"].is_object() {
        rules(&mut spec["behavior"]);
    }
}

/// How fast it goes up and down, when anything is said of that at all.
fn rules(behavior: &mut Value) {
    let step = |kind: &str, value: i64| json!({"type": kind, "value": value, "periodSeconds": 15});
    let (up, down) = (json!([step("Pods", 4), step("Percent", 100)]), json!([step("Percent", 100)]));
    for (direction, policies) in [("scaleUp", up), ("scaleDown", down)] {
        default(behavior, direction, json!({}));
        let rules = &mut behavior[direction];
        default(rules, "selectPolicy", "Max");
        default(rules, "policies", policies);
    }
    default(&mut behavior["scaleUp"], "stabilizationWindowSeconds", 0);
}
