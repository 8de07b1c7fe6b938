//! ClusterRoles that are made of others: keeps their rules what the roles they select have.

use serde_json::Value;

use super::{deps::Deps, timers::Timers};
use crate::{
    api::{Status, aggregated},
    engine::{Context, Controller, Queue},
    store::{Event, Key},
};

const ROLES: &str = "clusterroles.rbac.authorization.k8s.io";

/// Gathers rules.
pub(crate) struct Aggregation {
    deps: Deps,
    timers: Timers,
}

impl Aggregation {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }

    fn sync(&self, key: &Key) -> Result<(), Status> {
        let Some(role) = self.deps.get(ROLES, key) else { return Ok(()) };
        let all = self.deps.list(ROLES, None);
        let all = all.iter().map(|role| role.value());
        match aggregated(role.value(), all).map(Value::from) {
            Some(rules) if rules != role.value()["rules"] => {
                self.deps.edit(ROLES, key, |role| role["rules"] = rules.clone()).map(drop)
            }
            _ => Ok(()),
        }
    }
}

impl Controller for Aggregation {
    fn name(&self) -> &'static str {
        "clusterrole-aggregation-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        if &*event.resource != ROLES {
            return;
        }
        // Whoever gathers may gather from this one now, or no longer.
        for role in self.deps.list(ROLES, None) {
            if role.value()["aggregationRule"].is_object() {
                queue.add(role.key().clone());
            }
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key);
        self.timers.outcome(key, &outcome, context);
    }
}
