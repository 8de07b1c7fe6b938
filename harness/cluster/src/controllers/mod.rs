//! The cluster's own controllers, as parts of the engine.
//!
//! Each looks at the stored objects and writes through the API like any other client. They share small
//! helpers: `children` and `ownership` (who owns what), `pods` (readiness and ranking), `deps` (access), `timers`.
//! The scheduler and the kubelets are parts of their own.

mod aggregation;
mod api_services;
mod budgets;
mod certificates;
mod children;
mod claims;
mod cronjob;
mod daemonset;
mod deployment;
pub(crate) mod deps;
mod event_expiry;
mod garbage;
mod hash;
mod job;
pub(crate) mod json;
pub(crate) mod meta;
mod namespaces;
pub(crate) mod nodes;
mod ownership;
pub(crate) mod pods;
mod quotas;
mod replicaset;
mod revisions;
pub(crate) mod selector;
mod service_account;
mod services;
mod statefulset;
pub(crate) mod timers;
mod tokens;
pub(crate) mod wording;

use std::sync::Arc;

use deps::Deps;
use ownership::Ownership;
use wording::Wording;

use crate::{
    api::{Api, SigningAuthority},
    dialect::Dialect,
    engine::Controller,
    scheduler::Scheduler,
};

/// Every controller of the cluster, in the order in which they get to act on an event.
#[must_use]
pub fn all(api: &Arc<Api>, dialect: &Arc<Dialect>) -> Vec<Box<dyn Controller>> {
    let ownership = Ownership::default();
    let deps = |name| Deps::new(api, dialect, name).sharing(&ownership);
    let replicas = |of: &'static replicaset::Kind| -> Box<dyn Controller> {
        Box::new(replicaset::ReplicaSets::new(deps(of.controller), of))
    };
    let mut all: Vec<Box<dyn Controller>> =
        vec![Box::new(service_account::DefaultAccounts::new(deps("service-account-controller")))];
    if api.options().service_accounts {
        // Before anything that makes pods: in old releases they mount the token.
        all.push(Box::new(tokens::Tokens::new(deps("tokens-controller"))));
    }
    let rest: Vec<Box<dyn Controller>> = vec![
        Box::new(service_account::RootCertificates::new(deps("root-ca-cert-publisher"))),
        Box::new(namespaces::Namespaces::new(deps("namespace-controller"))),
        Box::new(garbage::Garbage::new(deps("generic-garbage-collector"))),
        Box::new(aggregation::Aggregation::new(deps("clusterrole-aggregation-controller"))),
        Box::new(api_services::ApiServices::new(deps("apiservice-available-controller"))),
        Box::new(event_expiry::EventExpiry::new(deps("event-expiry"))),
        Box::new(deployment::Deployments::new(deps("deployment-controller"))),
        replicas(&replicaset::REPLICA_SETS),
        replicas(&replicaset::REPLICATION_CONTROLLERS),
        Box::new(statefulset::StatefulSets::new(deps("statefulset-controller"))),
        Box::new(daemonset::DaemonSets::new(deps("daemonset-controller"))),
        Box::new(job::Jobs::new(deps("job-controller"))),
        Box::new(cronjob::CronJobs::new(deps("cronjob-controller"))),
        Box::new(services::Services::new(deps("endpoint-controller"))),
        Box::new(claims::Claims::new(deps("persistentvolume-controller"))),
        Box::new(budgets::Budgets::new(deps("disruption-controller"))),
        Box::new(nodes::Evictions::new(deps(Wording::of(&dialect.id).taint_component))),
        Box::new(nodes::Orphans::new(deps("pod-garbage-collector"))),
        Box::new(quotas::Quotas::new(deps("resourcequota-controller"))),
    ];
    all.extend(rest);
    all
}

/// Those that have to do with requests for certificates, which `authority` signs.
#[must_use]
pub(crate) fn certificates(
    api: &Arc<Api>,
    dialect: &Arc<Dialect>,
    authority: &SigningAuthority,
) -> Vec<Box<dyn Controller>> {
    let deps = || Deps::new(api, dialect, "certificate-controller");
    vec![
        Box::new(certificates::Approving::new(deps())),
        Box::new(certificates::Signing::new(deps(), authority.clone())),
        Box::new(certificates::Cleaner::new(deps())),
    ]
}

/// Who watches over the nodes, and learns from `alive` whose machines are on.
#[must_use]
pub(crate) fn node_lifecycle(
    api: &Arc<Api>,
    dialect: &Arc<Dialect>,
    alive: nodes::Alive,
) -> Box<dyn Controller> {
    Box::new(nodes::Lifecycle::new(Deps::new(api, dialect, "node-controller"), alive))
}

/// The scheduler, which acts after the controllers.
#[must_use]
pub fn scheduler(api: &Arc<Api>, dialect: &Arc<Dialect>, seed: u64) -> Box<dyn Controller> {
    Box::new(Scheduler::new(Deps::scheduler(api, dialect, "default-scheduler"), seed))
}

#[cfg(test)]
mod tests;
