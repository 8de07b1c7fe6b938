//! How many pods a Job has, and which: `manageJob` of Kubernetes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{View, end::End, indexed, let_go, per_index::Record, tally};
use crate::{
    api::Status,
    controllers::{
        json::int,
        meta::{deleting, name},
        pods,
        replicaset::{create_pod_from, delete_pod},
        timers::Timers,
    },
    engine::Context,
    store::Key,
};

/// No more pods than this are made in one go.
const BURST: usize = 500;

impl View<'_> {
    /// How many pods should be active now.
    fn wanted(&self) -> i64 {
        let parallelism = self.job["spec"]["parallelism"].as_i64().unwrap_or(1);
        match self.job["spec"]["completions"].as_i64() {
            Some(completions) => parallelism.min(completions - self.succeeded()).max(0),
            // Without a number, the first success says that the work is done.
            None if self.succeeded() > 0 => i64::try_from(self.active().count()).unwrap_or(0),
            None => parallelism,
        }
    }

    pub(super) fn manage(&self, key: &Key, timers: &mut Timers, context: &Context) -> Result<(), Status> {
        let active: Vec<&Value> = self.active().collect();
        let leaving: Vec<&Value> = self.leaving().filter(|_| self.policy.waits).collect();
        let wanted = usize::try_from(self.wanted()).unwrap_or(0);
        let excess = active.len().saturating_sub(wanted);
        active.iter().take(excess).try_for_each(|pod| self.withdraw(pod))?;
        let missing = wanted.saturating_sub(active.len() + leaving.len()).min(BURST);
        if missing == 0 {
            return Ok(());
        }
        let now = context.clock.now();
        if self.policy.limit_per_index.is_none()
            && let Some(left) = self.failures.left(now)
        {
            timers.after(key, left, context);
            return Ok(());
        }
        if !indexed::is_indexed(self.job) {
            return (0..missing)
                .try_for_each(|_| create_pod_from(self.deps, self.job, self.fresh()).map(drop));
        }
        let mut taken: BTreeSet<i64> =
            active.into_iter().chain(leaving).filter_map(indexed::index_of).collect();
        taken.extend(self.tally.failed_indexes.iter().flatten());
        let completions = int(&self.job["spec"]["completions"]);
        for index in indexed::missing(completions, &self.tally.indexes, &taken, missing) {
            let record = self.tally.waiting.get(&index);
            if let Some(left) = record.and_then(|record| self.failures.left_for(record, now)) {
                timers.after(key, left, context);
                continue;
            }
            let mut pod = self.fresh();
            indexed::number(&mut pod, self.job, index, self.deps.wording.job_criteria);
            if self.policy.limit_per_index.is_some() {
                record.unwrap_or(&Record::default()).note(&mut pod);
            }
            create_pod_from(self.deps, self.job, pod)?;
        }
        Ok(())
    }

    fn fresh(&self) -> Value {
        let mut pod = pods::from_template(&self.job["spec"]["template"], self.job);
        pod["metadata"]["generateName"] = format!("{}-", name(self.job)).into();
        if self.deps.wording.job_criteria {
            tally::hold(&mut pod);
        }
        pod
    }

    /// Deletes a pod that is not to count as a failure.
    fn withdraw(&self, pod: &Value) -> Result<(), Status> {
        if tally::held(pod) {
            let_go(self.deps, &Key::of(pod))?;
        }
        delete_pod(self.deps, self.job, pod)
    }

    pub(super) fn suspend(&self) -> Result<(), Status> {
        self.active().try_for_each(|pod| self.withdraw(pod))
    }

    /// Deletes what still runs: as failures, unless the Job has succeeded without it.
    pub(super) fn stop(&self, end: &End) -> Result<(), Status> {
        if end.good {
            return self.suspend();
        }
        self.active().try_for_each(|pod| delete_pod(self.deps, self.job, pod))
    }

    /// The pods that are still on their way out.
    pub(super) fn leaving(&self) -> impl Iterator<Item = &Value> {
        self.pods.iter().filter(|pod| deleting(pod) && !pods::ended(pod))
    }
}
