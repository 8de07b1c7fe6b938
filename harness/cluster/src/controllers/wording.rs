//! What differs between releases in the texts and fields that controllers write.

use pulldrill_clock::cron::Grammar;

/// The controllers' side of a dialect.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wording {
    /// `{direction}`, `{name}`, `{old}`, `{new}`.
    pub(crate) scaled: &'static str,
    /// `{verb}`, `{pod}`, `{set}`; the two verbs follow.
    pub(crate) stateful_pod: &'static str,
    /// How an event about a StatefulSet's pod says "create".
    pub(crate) create: &'static str,
    /// How an event about a StatefulSet's pod says "delete".
    pub(crate) delete: &'static str,
    /// `status.terminatingReplicas` of ReplicaSets and Deployments.
    pub(crate) terminating_replicas: bool,
    /// The label `apps.kubernetes.io/pod-index`.
    pub(crate) pod_index_label: bool,
    /// `status.availableReplicas` of StatefulSets, always written.
    pub(crate) stateful_available: bool,
    /// Jobs announce their end with a condition of its own, count ready pods and track pods with finalizers.
    pub(crate) job_criteria: bool,
    /// The unit of the number in the name of a CronJob's Job, in seconds.
    pub(crate) cron_name_unit: i64,
    /// How schedules are read.
    pub(crate) cron: Grammar,
    /// What the event about an ended Job of a CronJob calls its state.
    pub(crate) cron_state: &'static str,
    /// A CronJob's Job says when it was meant to run; the CronJob remembers the last success.
    pub(crate) cron_stamps: bool,
    /// `status.conditions` of PodDisruptionBudgets.
    pub(crate) budget_conditions: bool,
    /// For how many seconds a node may be silent before nothing is known of it.
    pub(crate) node_grace_seconds: i64,
    /// Who makes pods go because of taints.
    pub(crate) taint_component: &'static str,
    /// The condition `DisruptionTarget` of pods that are made to go.
    pub(crate) disruption_target: bool,
    /// Each ServiceAccount has a token in a Secret.
    pub(crate) token_secrets: bool,
    /// What a claim waits for when others make volumes of its class: `{provisioner}`.
    pub(crate) external_provisioning: &'static str,
    /// No node matches a pod's node selector or affinity.
    pub(crate) node_affinity: &'static str,
    /// A taint that is not tolerated: `{key}`, `{value}`.
    pub(crate) taint: &'static str,
    /// A pod's wish to be with others has nobody to be with.
    pub(crate) pod_affinity: &'static [&'static str],
    /// A pod's wish not to be with others can't be met.
    pub(crate) pod_anti_affinity: &'static [&'static str],
    /// That of a pod that is there already can't.
    pub(crate) existing_anti_affinity: &'static [&'static str],
    /// Whether what speaks against every node is counted as if it were the nodes' own.
    pub(crate) counts_general_reasons: bool,
    /// What a pod is told that has to go for a more important one: `{namespace}`, `{name}`, `{uid}`, `{node}`.
    pub(crate) preempted: &'static str,
    /// What follows the reasons when no node fits: `{nodes}`, and `{preemption}` made of the next two.
    pub(crate) no_fit_tail: &'static str,
    /// No pod could be made to go.
    pub(crate) no_victims: &'static str,
    /// Nothing would be won if one went.
    pub(crate) no_help: &'static str,
}

const V1_20: Wording = Wording {
    scaled: "Scaled {direction} replica set {name} to {new}",
    stateful_pod: "{verb} Pod {pod} in StatefulSet {set} successful",
    create: "create",
    delete: "delete",
    terminating_replicas: false,
    pod_index_label: false,
    stateful_available: false,
    job_criteria: false,
    cron_name_unit: 1,
    cron: Grammar::V1,
    cron_state: "status",
    cron_stamps: false,
    budget_conditions: false,
    node_grace_seconds: 40,
    taint_component: "node-controller",
    disruption_target: false,
    token_secrets: true,
    external_provisioning: "waiting for a volume to be created, either by external provisioner \"{provisioner}\" or \
                            manually created by system administrator",
    node_affinity: "node(s) didn't match Pod's node affinity",
    taint: "node(s) had taint {{key}: {value}}, that the pod didn't tolerate",
    pod_affinity: &[
        "node(s) didn't match pod affinity/anti-affinity",
        "node(s) didn't match pod affinity rules",
    ],
    pod_anti_affinity: &[
        "node(s) didn't match pod affinity/anti-affinity",
        "node(s) didn't match pod anti-affinity rules",
    ],
    existing_anti_affinity: &[
        "node(s) didn't match pod affinity/anti-affinity",
        "node(s) didn't satisfy existing pods anti-affinity rules",
    ],
    counts_general_reasons: true,
    preempted: "Preempted by {namespace}/{name} on node {node}",
    no_fit_tail: ".",
    no_victims: "",
    no_help: "",
};

const V1_36: Wording = Wording {
    scaled: "Scaled {direction} replica set {name} from {old} to {new}",
    stateful_pod: "{verb} Pod {pod} in StatefulSet {set} successful",
    create: "Create",
    delete: "Delete",
    terminating_replicas: true,
    pod_index_label: true,
    stateful_available: true,
    job_criteria: true,
    cron_name_unit: 60,
    cron: Grammar::V3,
    cron_state: "condition",
    cron_stamps: true,
    budget_conditions: true,
    node_grace_seconds: 50,
    taint_component: "taint-eviction-controller",
    disruption_target: true,
    token_secrets: false,
    external_provisioning: "Waiting for a volume to be created either by the external provisioner '{provisioner}' or \
                            manually by the system administrator. If volume creation is delayed, please verify that \
                            the provisioner is running and correctly registered.",
    node_affinity: "node(s) didn't match Pod's node affinity/selector",
    taint: "node(s) had untolerated taint(s)",
    pod_affinity: &["node(s) didn't match pod affinity rules"],
    pod_anti_affinity: &["node(s) didn't match pod anti-affinity rules"],
    existing_anti_affinity: &["node(s) didn't satisfy existing pods anti-affinity rules"],
    counts_general_reasons: false,
    preempted: "Preempted by pod {uid} on node {node}",
    no_fit_tail: ". no new claims to deallocate, preemption: 0/{nodes} nodes are available: {preemption}.",
    no_victims: "No preemption victims found for incoming pod",
    no_help: "Preemption is not helpful for scheduling",
};

/// Not recorded, but read in sources and seen in others' clusters.
const V1_31: Wording = Wording {
    scaled: V1_20.scaled,
    node_grace_seconds: 40,
    terminating_replicas: false,
    taint: "node(s) had untolerated taint {{key}: {value}}",
    no_fit_tail: ". preemption: 0/{nodes} nodes are available: {preemption}.",
    create: V1_20.create,
    delete: V1_20.delete,
    ..V1_36
};

impl Wording {
    /// The wording of a dialect such as `k8s-1.36-containerd-2.1`: that of the newest release in the
    /// table that is not newer than it.
    pub(crate) fn of(dialect: &str) -> &'static Self {
        let minor =
            dialect.strip_prefix("k8s-1.").and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        match minor {
            Some(..31) => &V1_20,
            Some(31..36) => &V1_31,
            _ => &V1_36,
        }
    }
}

/// Puts values into the `{names}` of a text.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_their_own_words() {
        let values = [("direction", "up"), ("name", "web-1"), ("old", "0"), ("new", "3")];
        let say = |dialect| fill(Wording::of(dialect).scaled, &values);
        assert_eq!(say("k8s-1.20-containerd-1.7"), "Scaled up replica set web-1 to 3");
        assert_eq!(say("k8s-1.36-containerd-2.1"), "Scaled up replica set web-1 from 0 to 3");
        assert_eq!(Wording::of("k8s-1.36-containerd-2.1-transfer"), &V1_36);
        let middle = Wording::of("k8s-1.31-cri-o-1.31");
        assert_eq!(say("k8s-1.31-cri-o-1.31"), "Scaled up replica set web-1 to 3");
        assert!(!middle.token_secrets && middle.job_criteria && !middle.terminating_replicas);
        let taint = fill(V1_20.taint, &[("key", "a"), ("value", "b")]);
        assert_eq!(taint, "node(s) had taint {a: b}, that the pod didn't tolerate");
    }
}
