//! What happened before the trainee arrived: steps on a time line that ends when the lab opens.

use jiff::SignedDuration;
use pulldrill_faults::FaultRule;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// When, counted from now: `-13h`. Without history the steps follow each other as soon as possible, in
    /// order, but the second and later ones wait until as many pods of the workload are ready as the symptom
    /// says go on running: what they break must have worked before.
    pub at: SignedDuration,
    /// What.
    #[serde(rename = "do")]
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// Creates or updates all objects of one file below the scenario's folder.
    Apply(String),
    /// Gives the workload's container another image.
    SetImage {
        /// The image reference.
        image: String,
    },
    /// Gives the workload another number of replicas.
    Scale {
        /// How many.
        replicas: u32,
    },
    /// Patches an object.
    Patch {
        /// Its resource with the group (`serviceaccounts`, `deployments.apps`).
        resource: String,
        /// Its name.
        name: String,
        /// The patch's type.
        #[serde(rename = "type")]
        patch_type: PatchType,
        /// The patch, as JSON.
        patch: String,
    },
    /// Has the registry issue a token and writes it into a `kubernetes.io/dockerconfigjson` secret of the namespace.
    IssueToken {
        /// The registry's handle.
        registry: String,
        /// The secret's name.
        secret: String,
    },
    /// Puts an image into a registry.
    Push {
        /// The registry's handle.
        registry: String,
        /// The repository.
        repository: String,
        /// The tag.
        tag: String,
        /// The id of the build.
        build: String,
    },
    /// Uses up the anonymous quota of the drill's `nat` address, for good.
    ExhaustQuota {
        /// The registry's handle.
        registry: String,
    },
    /// Lets a registry misbehave from then on, beside whatever else is wrong with it; see `docs/faults.md`.
    AddFault {
        /// The registry's handle.
        registry: String,
        /// Which fault, for whom and when.
        rule: Box<FaultRule>,
    },
    /// Ends all faults of a registry.
    ClearFaults {
        /// The registry's handle.
        registry: String,
    },
    /// Adds a rule to the nodes' egress firewall.
    BlockEgress {
        /// The rule's id on each node.
        id: String,
        /// Which nodes.
        nodes: NodeSet,
        /// What happens to packets.
        action: EgressAction,
        /// The network they go to, `a.b.c.d/n`.
        destination: String,
        /// The port they go to; any without.
        port: Option<u16>,
        /// What the rule's list shows beside it.
        comment: String,
    },
}

/// Which nodes a rule is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeSet {
    /// Every node.
    All,
    /// One node, by name.
    Node(String),
}

/// What a firewall does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EgressAction {
    /// Lets it pass.
    Allow,
    /// Loses it without a word.
    Drop,
    /// Answers with a refusal.
    Reject,
}

/// The media type of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatchType {
    /// `application/json-patch+json`
    Json,
    /// `application/merge-patch+json`
    Merge,
    /// `application/strategic-merge-patch+json`
    Strategic,
}
