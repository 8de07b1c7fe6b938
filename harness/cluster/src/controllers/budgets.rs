//! PodDisruptionBudgets: how many of the pods that they select may go, for evictions to ask.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    deployment::share,
    deps::Deps,
    json::{int, text, time},
    meta::{controller_of, deleting, name, namespace, since},
    pods,
    timers::Timers,
};
use crate::{
    api::{Selector, Status},
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const RESOURCE: &str = "poddisruptionbudgets.policy";
/// After how long an eviction that led to nothing is forgotten.
const FORGOTTEN: SignedDuration = SignedDuration::from_mins(2);
/// Whose number of replicas tells how many pods there should be: kind, resource.
const SCALED: [(&str, &str); 4] = [
    ("Deployment", "deployments.apps"),
    ("ReplicaSet", "replicasets.apps"),
    ("ReplicationController", "replicationcontrollers"),
    ("StatefulSet", "statefulsets.apps"),
];

/// Keeps the status of budgets.
pub(crate) struct Budgets {
    deps: Deps,
    timers: Timers,
}

impl Budgets {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }

    fn sync(&mut self, key: &Key, context: &Context) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        let budget = stored.value();
        if deleting(budget) {
            return Ok(());
        }
        let selector = &budget["spec"]["selector"];
        let wanted = Selector::of_object(selector);
        let found = self.deps.list("pods", Some(&key.namespace));
        let found: Vec<&Value> = found
            .iter()
            .map(|pod| pod.value())
            .filter(|pod| selector.is_object() && wanted.matches(&pod["metadata"]["labels"]))
            .collect();
        if found.is_empty() {
            self.deps.normal(budget, "NoPods", "No matching pods found");
        }
        let (expected, desired) = self.demand(budget, &found);
        let disrupted = self.disrupted(budget, &found);
        let healthy = found
            .iter()
            .filter(|pod| !deleting(pod) && pods::ready(pod) && disrupted.get(name(pod)).is_none());
        let healthy = i64::try_from(healthy.count()).unwrap_or(i64::MAX);
        let allowed = if expected <= 0 { 0 } else { (healthy - desired).max(0) };
        let mut status = json!({"currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": expected,
            "disruptionsAllowed": allowed, "observedGeneration": budget["metadata"]["generation"]});
        if let Some(oldest) = disrupted.as_object().and_then(|all| all.values().filter_map(time).min()) {
            status["disruptedPods"] = disrupted;
            self.timers.at_shown(key, oldest + FORGOTTEN + SignedDuration::from_secs(1), context);
        }
        if self.deps.wording.budget_conditions {
            status["conditions"] = json!([self.condition(budget, allowed > 0)]);
        }
        self.deps.write_status(RESOURCE, key, &status).map(drop)
    }

    /// How many pods there should be, and how many have to be healthy.
    fn demand(&self, budget: &Value, found: &[&Value]) -> (i64, i64) {
        let spec = &budget["spec"];
        let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
        if !spec["maxUnavailable"].is_null() {
            let expected = self.expected(found);
            return (expected, (expected - share(&spec["maxUnavailable"], expected, true)).max(0));
        }
        match &spec["minAvailable"] {
            Value::Null => (count, 1),
            Value::Number(least) => (count, least.as_i64().unwrap_or(0)),
            percent => {
                let expected = self.expected(found);
                (expected, share(percent, expected, true))
            }
        }
    }

    /// The replicas of the workloads behind the pods, each once.
    fn expected(&self, found: &[&Value]) -> i64 {
        let mut workloads = std::collections::BTreeMap::new();
        for pod in found {
            if let Some((uid, replicas)) = self.workload(pod) {
                workloads.insert(uid, replicas);
            }
        }
        workloads.values().sum()
    }

    fn workload(&self, object: &Value) -> Option<(String, i64)> {
        let owner = controller_of(object)?;
        let (kind, resource) = SCALED.iter().find(|(kind, _)| owner["kind"] == *kind)?;
        let found = self.deps.get(resource, &Key::new(namespace(object), text(&owner["name"])))?;
        let above = (*kind == "ReplicaSet").then(|| self.workload(found.value())).flatten();
        let own =
            || (text(&owner["uid"]).to_owned(), found.value()["spec"]["replicas"].as_i64().unwrap_or(1));
        Some(above.unwrap_or_else(own))
    }

    /// The pods whose eviction has been allowed and that are still to go.
    fn disrupted(&self, budget: &Value, found: &[&Value]) -> Value {
        let still = |name_: &str, at: &Value| {
            let there = found.iter().any(|pod| name(pod) == name_ && !deleting(pod));
            there && time(at).is_some_and(|at| at + FORGOTTEN >= self.deps.now())
        };
        let noted = budget["status"]["disruptedPods"].as_object().into_iter().flatten();
        noted.filter(|(name, at)| still(name, at)).map(|(name, at)| (name.clone(), at.clone())).collect()
    }

    fn condition(&self, budget: &Value, allowed: bool) -> Value {
        let (status, reason) =
            if allowed { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
        let before = &budget["status"]["conditions"];
        let since = since(before, "DisruptionAllowed", status, &self.deps.stamp());
        json!({"type": "DisruptionAllowed", "status": status, "reason": reason, "message": "",
            "observedGeneration": int(&budget["metadata"]["generation"]), "lastTransitionTime": since})
    }
}

impl Controller for Budgets {
    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        match &*event.resource {
            RESOURCE if event.change != Change::Deleted => queue.add(event.key.clone()),
            "pods" | "deployments.apps" | "replicasets.apps" | "statefulsets.apps" => {
                for budget in self.deps.list(RESOURCE, Some(&event.key.namespace)) {
                    queue.add(budget.key().clone());
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key, context);
        self.timers.outcome(key, &outcome, context);
    }
}
