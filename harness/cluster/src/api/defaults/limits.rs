//! Defaults of LimitRanges: what they say of containers completes itself.

use serde_json::{Value, json};

use crate::api::json::{default, items_mut};

/// Which list is completed from which, in this order.
const COMPLETED: [(&str, &str); 3] =
    [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")];

/// Defaults of a LimitRange (`SetDefaults_LimitRangeItem` in Kubernetes' core defaults).
pub(super) fn limit_range(object: &mut Value) {
    for item in items_mut(&mut object["spec"], "limits").filter(|item| item["type"] == "Container") {
        for (list, source) in COMPLETED {
            let source = item[source].clone();
            default(item, list, json!({}));
            for (name, quantity) in source.as_object().into_iter().flatten() {
                default(&mut item[list], name, quantity.clone());
            }
        }
        if let Some(fields) = item.as_object_mut() {
            fields.retain(|_, list| !crate::api::json::is_nothing(list));
        }
    }
}
