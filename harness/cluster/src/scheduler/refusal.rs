//! What is said of a pod that no node takes.

use std::collections::BTreeMap;

use super::fit::Misfit;
use crate::controllers::wording::{Wording, fill};

/// The reasons of all nodes, counted.
pub(super) struct Refusal {
    nodes: usize,
    reasons: BTreeMap<String, usize>,
    /// What speaks against every node.
    general: Option<String>,
    /// Nodes where it could help that other pods went.
    curable: usize,
}

impl Refusal {
    /// Nothing said yet about that many nodes.
    pub(super) fn new(nodes: usize) -> Self {
        Self { nodes, reasons: BTreeMap::new(), general: None, curable: 0 }
    }

    /// Takes in why one node won't do.
    pub(super) fn add(&mut self, misfits: &[Misfit], wording: &Wording) {
        self.curable += usize::from(misfits.iter().all(Misfit::is_curable));
        for reason in misfits.iter().flat_map(|misfit| words(misfit, wording)) {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    /// Takes in why no node will do, whichever it is.
    pub(super) fn add_to_all(&mut self, reason: &str, wording: &Wording) {
        if wording.counts_general_reasons {
            self.reasons.insert(reason.to_owned(), self.nodes);
        } else {
            self.general = Some(reason.to_owned());
        }
    }

    /// Whether it could help anywhere that other pods went.
    pub(super) fn is_curable(&self) -> bool {
        self.curable > 0
    }

    /// The whole sentence.
    pub(super) fn message(&self, wording: &Wording) -> String {
        if self.nodes == 0 {
            return "no nodes available to schedule pods".to_owned();
        }
        let hopeless = self.nodes - self.curable.min(self.nodes);
        let [tried, hopeless] = [(wording.no_victims, self.curable), (wording.no_help, hopeless)];
        let preemption = listed([tried, hopeless].into_iter().filter(|(_, n)| *n > 0));
        let nodes = self.nodes.to_string();
        let tail = fill(wording.no_fit_tail, &[("nodes", &nodes), ("preemption", &preemption)]);
        format!("{}{tail}", self.reasons())
    }

    /// The sentence where room is made by making other pods go.
    pub(super) fn message_for_now(&self) -> String {
        format!("{}.", self.reasons())
    }

    fn reasons(&self) -> String {
        let reasons = match &self.general {
            Some(reason) => reason.clone(),
            None => listed(self.reasons.iter().map(|(reason, n)| (reason.as_str(), *n))),
        };
        format!("0/{} nodes are available: {reasons}", self.nodes)
    }
}

/// `1 reason, 2 others`: sorted as texts, each with its number in front.
fn listed<'a>(reasons: impl Iterator<Item = (&'a str, usize)>) -> String {
    let mut listed: Vec<String> = reasons.map(|(reason, n)| format!("{n} {reason}")).collect();
    listed.sort();
    listed.join(", ")
}

fn words(misfit: &Misfit, wording: &Wording) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    let many = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    match misfit {
        Misfit::Unschedulable => one("node(s) were unschedulable"),
        Misfit::Affinity => one(wording.node_affinity),
        Misfit::Taint { key, value, .. } => vec![fill(wording.taint, &[("key", key), ("value", value)])],
        Misfit::Ports => one("node(s) didn't have free ports for the requested pod ports"),
        Misfit::TooManyPods => one("Too many pods"),
        Misfit::Insufficient(resource) | Misfit::NeverEnough(resource) => {
            vec![format!("Insufficient {resource}")]
        }
        Misfit::PodAffinity => many(wording.pod_affinity),
        Misfit::PodAntiAffinity => many(wording.pod_anti_affinity),
        Misfit::ExistingAntiAffinity => many(wording.existing_anti_affinity),
        Misfit::Spread => one("node(s) didn't match pod topology spread constraints"),
        Misfit::SpreadLabel => {
            one("node(s) didn't match pod topology spread constraints (missing required label)")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_says_it_in_its_own_way() {
        let say = |dialect: &str, nodes: &[&[Misfit]]| {
            let wording = Wording::of(dialect);
            let mut refusal = Refusal::new(nodes.len());
            nodes.iter().for_each(|misfits| refusal.add(misfits, wording));
            refusal.message(wording)
        };
        let taint = Misfit::Taint { key: "a".into(), value: "b".into(), no_execute: false };
        let cpu = Misfit::Insufficient("cpu".into());
        let (old, middle, new) =
            ("k8s-1.20-containerd-1.7", "k8s-1.31-cri-o-1.31", "k8s-1.36-containerd-2.1");
        let both: [&[Misfit]; 2] = [&[taint], &[cpu.clone(), Misfit::Insufficient("memory".into())]];
        assert_eq!(
            say(old, &both),
            "0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had taint {a: b}, that the pod \
             didn't tolerate."
        );
        assert_eq!(
            say(middle, &both),
            "0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had untolerated taint {a: b}. \
             preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not \
             helpful for scheduling."
        );
        assert_eq!(
            say(new, &[std::slice::from_ref(&cpu), std::slice::from_ref(&cpu)]),
            "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: \
             2 No preemption victims found for incoming pod."
        );
        assert_eq!(
            say(old, &[&[Misfit::PodAntiAffinity]]),
            "0/1 nodes are available: 1 node(s) didn't match pod affinity/anti-affinity, 1 node(s) didn't match pod \
             anti-affinity rules."
        );
        assert_eq!(say(new, &[]), "no nodes available to schedule pods");
    }
}
