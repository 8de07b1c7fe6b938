//! The cluster's own controllers, as parts of the engine.
//!
//! Each looks at the stored objects and writes through the API like any other client. They share small
//! helpers: [`children`] (who owns what), [`pods`] (readiness and ranking), [`deps`] (access), [`timers`].
//! The scheduler and the kubelets are parts of their own; [`all`] includes the former, not the latter.

mod children;
mod deployment;
pub(crate) mod deps;
mod hash;
pub(crate) mod json;
pub(crate) mod meta;
mod names;
pub(crate) mod pods;
mod replicaset;
pub(crate) mod selector;
mod service_account;
pub(crate) mod timers;
pub(crate) mod wording;

use std::sync::Arc;

use deps::Deps;

use crate::{api::Api, dialect::Dialect, engine::Controller, scheduler::Scheduler};

/// Every controller of the cluster and its scheduler, in the order in which they get to act on an event.
#[must_use]
pub fn all(api: &Arc<Api>, dialect: &Arc<Dialect>, seed: u64) -> Vec<Box<dyn Controller>> {
    let deps = |name| Deps::new(api, dialect, seed, name);
    vec![
        Box::new(service_account::DefaultAccounts::new(deps("service-account-controller"))),
        Box::new(service_account::RootCertificates::new(deps("root-ca-cert-publisher"))),
        Box::new(deployment::Deployments::new(deps("deployment-controller"))),
        Box::new(replicaset::ReplicaSets::new(deps("replicaset-controller"))),
        Box::new(Scheduler::new(Deps::scheduler(api, dialect, seed, "default-scheduler"), seed)),
    ]
}

#[cfg(test)]
mod tests;
