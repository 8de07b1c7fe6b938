//! Checks: what is scored, as a closed list of predicates with parameters.
//!
//! Words used below: a *replica* is a pod of the drill's workload (by the owner chain up to the
//! object that existed when the drill opened); the *baseline* is the state at that moment; the
//! *content* of a replica is the image configuration digest and the layer diff ids that the registry
//! served for the digest in the replica's status, whatever the manifest around them; *evidence* is an
//! entry of the pull log with a 2xx status.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// One check: a line of the score sheet and what it means for the drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// Its id, unique in the scenario. Trainees see it.
    pub id: String,
    /// What it asks for. Trainees see it.
    pub title: String,
    /// What it is worth.
    pub points: u32,
    /// What it is part of.
    pub category: Category,
    /// Whether the drill is unsolved without it.
    pub required: bool,
    /// The predicate.
    pub test: CheckKind,
    /// What is still missing, as long as it fails. Trainees see it.
    pub message: String,
}

/// The part of the score a check belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Naming the cause.
    Diagnose,
    /// Making it run again, rightly.
    Repair,
    /// Keeping it from happening again.
    Prevent,
}

/// The predicates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum CheckKind {
    /// An accepted cause has been named as the diagnosis.
    Diagnosed,
    /// The workload is the object it was when the drill opened (same kind, name and UID), wants at
    /// least as many replicas as `workload.replicas` says, and at least that many are ready; all of
    /// them are on its current template (no old replica, none waiting, the controller has observed
    /// the latest generation).
    WorkloadRunning,
    /// At least one replica is ready, and every replica that runs has the content of a build in `accepted`.
    AcceptedContent,
    /// For every running replica, evidence shows that one of these registries served its content
    /// (the manifest) to the node that it runs on, and the replica's image names that registry.
    /// When doesn't matter: a rollback to an image that the node still has counts.
    ServedByRegistry {
        /// The handles of the registries.
        registries: Vec<String>,
    },
    /// For every replica that became ready after the drill opened, evidence from after the opening shows a
    /// manifest request of the replica's node for its repository under a named identity, one
    /// of `users`; at least one replica is of that kind.
    PulledWith {
        /// The handle of the registry.
        registry: String,
        /// User names; when empty, any but the anonymous one.
        #[serde(default)]
        users: Vec<String>,
    },
    /// Of the workload's container, `imagePullPolicy` is not looser than at the baseline:
    /// `Always` may not become `IfNotPresent`, nothing may become `Never`.
    PolicyKept,
    /// Each of `others` is the object it was (same UID), wants as many replicas as at the baseline,
    /// and has as many ready. Passes when there are none.
    OthersUnharmed,
    /// The default ServiceAccount of the namespace lists a `kubernetes.io/dockerconfigjson` secret that
    /// exists and whose entry for the registry's host holds credentials that the registry accepts now.
    ServiceAccountHasSecret {
        /// The handle of the registry.
        registry: String,
    },
    /// The template's image is given by digest, and the digest is that of accepted content.
    DigestPinned,
    /// Every pull secret that the workload's template or its ServiceAccount names, as far as it has an entry for the registry, holds
    /// a token that the registry accepts for at least this much longer; there is one.
    SecretFresh {
        /// The handle of the registry.
        registry: String,
        /// How much longer.
        remaining: SignedDuration,
    },
    /// A CronJob of the namespace that isn't suspended has a schedule without a gap longer than this.
    RefresherScheduled {
        /// The longest gap.
        within: SignedDuration,
    },
    /// Each node still has every egress rule of the baseline, and each rule added since is an
    /// `allow` for one port and a destination of at most this many addresses.
    EgressMinimal {
        /// How many addresses.
        addresses: u32,
    },
}
