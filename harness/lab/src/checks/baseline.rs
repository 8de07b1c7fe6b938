//! What there was when the drill opened.

use std::collections::{BTreeMap, BTreeSet};

use pulldrill_clock::Timestamp;
use pulldrill_scenarios::Variant;
use serde_json::Value;

use super::evidence::{Evidence, Rule};
use crate::observe::{
    Snapshot, Workload,
    snapshot::uid,
    workload::{is_leaving, is_ready},
};

/// The state that repairs are compared with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Baseline {
    /// When the drill opened.
    pub at: Timestamp,
    /// The workload's uid.
    pub workload_uid: String,
    /// The pull policy of its container.
    pub pull_policy: String,
    /// Its pod template's spec.
    pub template: Value,
    /// The uids of its pods that were ready.
    pub ready_pods: BTreeSet<String>,
    /// The other workloads of the scenario.
    pub others: Vec<Other>,
    /// Every node's egress rules.
    pub egress: BTreeMap<String, Vec<Rule>>,
}

/// Another workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// Its plural resource name, with group.
    pub resource: &'static str,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// How many replicas it wanted.
    pub wanted: i64,
    /// How many were ready.
    pub ready: usize,
}

impl Baseline {
    /// Records what there is now.
    #[must_use]
    pub(crate) fn take(
        variant: &Variant,
        snapshot: &Snapshot,
        evidence: &dyn Evidence,
        at: Timestamp,
    ) -> Self {
        let spec = &variant.workload;
        let mut baseline = Self { at, egress: evidence.egress(), ..Self::default() };
        if let Some(workload) = Workload::find(snapshot, spec.kind.resource(), &spec.name) {
            baseline.workload_uid = workload.uid().to_owned();
            baseline.pull_policy = pull_policy(workload.template(), &spec.container).to_owned();
            baseline.template = workload.template().clone();
            baseline.ready_pods = ready_pods(&workload, snapshot);
        }
        for other in &variant.others {
            let resource = other.kind.resource();
            if let Some(workload) = Workload::find(snapshot, resource, &other.name) {
                baseline.others.push(Other {
                    resource: workload.resource(),
                    name: other.name.clone(),
                    uid: workload.uid().to_owned(),
                    wanted: workload.wanted(),
                    ready: ready_pods(&workload, snapshot).len(),
                });
            }
        }
        baseline
    }
}

/// The uids of the ready pods of a workload.
pub(super) fn ready_pods(workload: &Workload, snapshot: &Snapshot) -> BTreeSet<String> {
    let pods = workload.pods(snapshot);
    let ready = pods.iter().map(|pod| pod.value()).filter(|pod| is_ready(pod) && is_leaving(pod).is_none());
    ready.map(|pod| uid(pod).to_owned()).collect()
}

/// The pull policy of a container of a pod template.
pub(super) fn pull_policy<'a>(template: &'a Value, container: &str) -> &'a str {
    container_of(template, container).and_then(|c| c["imagePullPolicy"].as_str()).unwrap_or_default()
}

/// A container of a pod template.
pub(super) fn container_of<'a>(template: &'a Value, container: &str) -> Option<&'a Value> {
    template["containers"].as_array().into_iter().flatten().find(|c| c["name"] == container)
}
