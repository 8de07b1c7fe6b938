//! Evictions: deletions of pods that a disruption budget can refuse.

use serde_json::{Value, json};

use super::{Api, DeleteOptions, Selector, Status, User, json::text};
use crate::store::{Key, Stored};

const BUDGETS: &str = "poddisruptionbudgets.policy";
const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// After how many seconds a client may ask again while a budget has not been looked at.
const AGAIN: i64 = 10;

impl Api {
    /// Deletes a pod, unless a budget wants it to stay.
    ///
    /// # Errors
    /// 429 when the budget refuses, 500 when there is more than one, and whatever a deletion answers.
    pub fn evict(&self, who: &User, pod: &Key, options: &DeleteOptions) -> Result<(), Status> {
        let found = self.get("pods", pod)?;
        if !is_free(found.value()) {
            let budgets = self.budgets_of(found.value());
            match budgets.as_slice() {
                [] => {}
                [one] => self.spend(one, found.value(), options)?,
                _ => {
                    return Err(Status::internal(
                        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not \
                         support.",
                    ));
                }
            }
        }
        self.delete(who, "pods", pod, options).map(drop)
    }

    fn budgets_of(&self, pod: &Value) -> Vec<std::sync::Arc<Stored>> {
        let budgets = self.list(BUDGETS, Some(text(&pod["metadata"]["namespace"])));
        let covers = |budget: &std::sync::Arc<Stored>| {
            let selector = &budget.value()["spec"]["selector"];
            selector.is_object() && Selector::of_object(selector).matches(&pod["metadata"]["labels"])
        };
        budgets.into_iter().filter(covers).collect()
    }

    /// Takes one disruption from a budget, if it has one left and the pod needs one.
    fn spend(&self, budget: &Stored, pod: &Value, options: &DeleteOptions) -> Result<(), Status> {
        let ready = super::json::items(&pod["status"]["conditions"])
            .iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True");
        if !ready && unready_goes(budget.value()) {
            return Ok(());
        }
        let name = text(&pod["metadata"]["name"]).to_owned();
        let now = self.stamp();
        let key = budget.key();
        let write = super::WriteOptions { dry_run: options.dry_run, ..super::WriteOptions::default() };
        self.change(&User::controller("apiserver"), BUDGETS, key, Some("status"), &write, |budget| {
            let mut budget = budget.value().clone();
            refuse(&budget)?;
            let left = budget["status"]["disruptionsAllowed"].as_i64().unwrap_or(0);
            budget["status"]["disruptionsAllowed"] = (left - 1).into();
            super::json::default(&mut budget["status"], "disruptedPods", json!({}));
            budget["status"]["disruptedPods"][name.as_str()] = now.clone();
            Ok(budget)
        })
        .map(drop)
    }
}

/// A pod that is not at work is nothing that a budget protects.
fn is_free(pod: &Value) -> bool {
    matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed" | "Pending")
        || !pod["metadata"]["deletionTimestamp"].is_null()
}

/// Whether a running pod that is not ready may go whatever is left of the budget.
fn unready_goes(budget: &Value) -> bool {
    let status = &budget["status"];
    let (healthy, desired) = (&status["currentHealthy"], &status["desiredHealthy"]);
    budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        || desired.as_i64().unwrap_or(0) > 0 && healthy.as_i64() >= desired.as_i64()
}

/// What is to be said when nothing is left.
fn refuse(budget: &Value) -> Result<(), Status> {
    let (status, name) = (&budget["status"], text(&budget["metadata"]["name"]));
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    let refused = |cause: String, seconds: Option<i64>| {
        let mut refusal = Status::new(429, "TooManyRequests", REFUSED);
        refusal.details = json!({"causes": [{"reason": "DisruptionBudget", "message": cause}]});
        if let Some(seconds) = seconds {
            refusal.details["retryAfterSeconds"] = seconds.into();
        }
        Err(refusal)
    };
    if number("observedGeneration") < budget["metadata"]["generation"].as_i64().unwrap_or(0) {
        let cause = format!("The disruption budget {name} is still being processed by the server.");
        return refused(cause, Some(AGAIN));
    }
    if number("disruptionsAllowed") <= 0 {
        let cause = format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            number("desiredHealthy"),
            number("currentHealthy")
        );
        return refused(cause, None);
    }
    Ok(())
}
