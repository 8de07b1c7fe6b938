//! What a StatefulSet does next: at most one thing at a time, unless its pods are managed in parallel.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{View, identity};
use crate::{
    api::Status,
    controllers::{
        children::min_ready,
        json::{int, text},
        meta::{deleting, name},
        pods,
        wording::fill,
    },
};

/// No more pods than this are made in one go, also in parallel: they bring the set here again.
const BURST: usize = 500;

/// Whether the pass over the pods goes on.
#[derive(PartialEq, Eq)]
enum Pass {
    On,
    Done,
}

impl View<'_> {
    /// Does the next thing. Returns how many pods of the current revision have been given up for an update.
    pub(super) fn step(&self) -> Result<i64, Status> {
        if deleting(self.set) || self.deps.namespace_ends(text(&self.set["metadata"]["namespace"])) {
            return Ok(0);
        }
        let slots: BTreeMap<i64, &Value> =
            self.pods.iter().filter_map(|pod| Some((identity::ordinal(self.set, pod)?, pod))).collect();
        let first = int(&self.set["spec"]["ordinals"]["start"]);
        let end = first + self.replicas();
        let mut made = 0;
        for ordinal in first..end {
            let pod = slots.get(&ordinal).copied();
            made += usize::from(pod.is_none());
            if self.settle(ordinal, pod)? == Pass::Done || made >= BURST {
                return Ok(0);
            }
        }
        let unhealthy = slots.values().find(|pod| !healthy(pod)).map(|pod| name(pod));
        let condemned = || slots.iter().rev().filter(|(ordinal, _)| !(first..end).contains(*ordinal));
        condemned().try_for_each(|(_, pod)| self.settle_claims(pod, false))?;
        for (_, pod) in condemned() {
            if self.condemn(pod, unhealthy)? == Pass::Done {
                return Ok(0);
            }
        }
        if !self.rolls() {
            return Ok(0);
        }
        for ordinal in (first + self.partition()..end).rev() {
            let Some(pod) = slots.get(&ordinal) else { continue };
            if identity::revision(pod) != name(self.update) && !deleting(pod) {
                self.delete(pod)?;
                return Ok(i64::from(identity::revision(pod) == name(self.current)));
            }
            if !healthy(pod) {
                return Ok(0);
            }
        }
        Ok(0)
    }

    /// Sees to the pod of an ordinal that should exist.
    fn settle(&self, ordinal: i64, pod: Option<&Value>) -> Result<Pass, Status> {
        let wait = if self.in_order() { Pass::Done } else { Pass::On };
        let Some(pod) = pod else {
            self.create(ordinal)?;
            return Ok(wait);
        };
        if pods::ended(pod) && !deleting(pod) {
            let message = format!(
                "StatefulSet {}/{} is recreating failed Pod {}",
                text(&self.set["metadata"]["namespace"]),
                name(self.set),
                name(pod)
            );
            self.deps.warning(self.set, "RecreatingFailedPod", &message);
            self.delete(pod)?;
            return Ok(wait);
        }
        let settled = healthy(pod) && pods::available(pod, min_ready(self.set), self.deps.now());
        if settled || !self.in_order() {
            self.settle_claims(pod, true)?;
        }
        Ok(if settled { Pass::On } else { wait })
    }

    /// Sees to a pod that should not exist.
    fn condemn(&self, pod: &Value, unhealthy: Option<&str>) -> Result<Pass, Status> {
        let wait = if self.in_order() { Pass::Done } else { Pass::On };
        let other_is_unhealthy = unhealthy.is_some_and(|other| other != name(pod));
        if deleting(pod) || (!healthy(pod) && other_is_unhealthy && self.in_order()) {
            return Ok(wait);
        }
        self.delete(pod)?;
        Ok(wait)
    }

    fn in_order(&self) -> bool {
        self.set["spec"]["podManagementPolicy"] != "Parallel"
    }

    fn create(&self, ordinal: i64) -> Result<(), Status> {
        let pod = identity::pod_name(self.set, ordinal);
        if self.has_stale_claim(&pod) {
            return Ok(());
        }
        let revision = if self.rolls() && ordinal < self.kept_below() { self.current } else { self.update };
        let made =
            self.make_claims(&pod).and_then(|()| identity::make(self.deps, self.set, revision, ordinal));
        self.tell(self.deps.wording.create, "Create", &pod, &made);
        self.settle_claims(made?.value(), true)
    }

    /// The ordinals below this one keep the current revision.
    fn kept_below(&self) -> i64 {
        let start = int(&self.set["spec"]["ordinals"]["start"]);
        match self.set["spec"]["updateStrategy"]["rollingUpdate"]["partition"].as_i64() {
            Some(partition) => start + partition,
            None => start + int(&self.set["status"]["currentReplicas"]),
        }
    }

    fn delete(&self, pod: &Value) -> Result<(), Status> {
        let deleted = self.deps.delete("pods", pod);
        self.tell(self.deps.wording.delete, "Delete", name(pod), &deleted);
        deleted
    }

    fn tell<T>(&self, verb: &str, action: &str, pod: &str, outcome: &Result<T, Status>) {
        let values = [("verb", verb), ("pod", pod), ("set", name(self.set))];
        let message = fill(self.deps.wording.stateful_pod, &values);
        match outcome {
            Ok(_) => self.deps.normal(self.set, &format!("Successful{action}"), &message),
            Err(error) => {
                let message = message.replace("successful", &format!("failed error: {error}"));
                self.deps.warning(self.set, &format!("Failed{action}"), &message);
            }
        }
    }
}

/// Running, ready, and not on its way out.
fn healthy(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running" && pods::ready(pod) && !deleting(pod)
}
