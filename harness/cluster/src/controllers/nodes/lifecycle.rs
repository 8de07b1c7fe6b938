//! Nodes that no longer show that they live: their conditions become unknown, and they are tainted.
//!
//! A kubelet of this cluster renews its Lease less often than a real one, as long as its machine is on; so that is
//! asked first, and the Lease says only since when a machine that is off has not been heard of.

use std::collections::HashSet;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Alive;
use crate::{
    api::Status,
    controllers::{
        deps::Deps,
        json::{condition, items, text, time},
        meta::{deleting, name},
        pods,
        timers::Timers,
    },
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const RESOURCE: &str = "nodes";
const LEASES: &str = "leases.coordination.k8s.io";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// That of a node that somebody has cordoned.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// Labels of nodes, and the names that they had before.
const OLDER_LABELS: [(&str, &str); 2] =
    [("kubernetes.io/arch", "beta.kubernetes.io/arch"), ("kubernetes.io/os", "beta.kubernetes.io/os")];
/// How many seconds a kubelet may keep what it has read; more than none in clusters of hundreds of nodes.
const TTL: &str = "node.alpha.kubernetes.io/ttl";
/// The conditions of which nothing is known when the kubelet is silent.
const CONDITIONS: [&str; 4] = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];
/// How late a look at the nodes notices that one has been silent for too long: looks are five seconds apart.
const LATE: SignedDuration = SignedDuration::from_secs(3);

/// Watches over nodes.
pub(crate) struct Lifecycle {
    deps: Deps,
    alive: Alive,
    /// Whether it has begun: nodes that are there by then are no news.
    begun: bool,
    /// The nodes that it knows.
    known: HashSet<Key>,
    timers: Timers,
}

impl Lifecycle {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps, alive: Alive) -> Self {
        Self { deps, alive, begun: false, known: HashSet::new(), timers: Timers::default() }
    }

    fn sync(&mut self, key: &Key, context: &Context) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        self.complete(key, stored.value())?;
        match (self.alive)(&key.name) {
            // What its owner says of its health is right.
            None => return self.taint(key, &[UNSCHEDULABLE]),
            Some(false) if ready(stored.value()) != "Unknown" => {
                let lease = self.deps.get(LEASES, &Key::new("kube-node-lease", &key.name));
                let sign = lease.and_then(|lease| time(&lease.value()["spec"]["renewTime"]));
                let grace = SignedDuration::from_secs(self.deps.wording.node_grace_seconds);
                let noticed = sign.map(|at| at + grace + LATE).filter(|at| *at > self.deps.now());
                if let Some(at) = noticed {
                    self.timers.at_shown(key, at, context);
                    return Ok(());
                }
                self.give_up(key, stored.value())?;
            }
            Some(_) => {}
        }
        self.taint(key, &[NOT_READY, UNREACHABLE, UNSCHEDULABLE])
    }

    /// Gives a node the older names of its labels, and says how long its kubelet may keep what it has read.
    fn complete(&self, key: &Key, node: &Value) -> Result<(), Status> {
        let lacks = |node: &Value| {
            let labels = &node["metadata"]["labels"];
            let older = OLDER_LABELS
                .iter()
                .any(|(name, older)| labels[*name].is_string() && labels[*older] != labels[*name]);
            older || node["metadata"]["annotations"][TTL].is_null()
        };
        if deleting(node) || !lacks(node) {
            return Ok(());
        }
        let completed = self.deps.edit(RESOURCE, key, |node| {
            for (name, older) in OLDER_LABELS {
                if let Some(value) = node["metadata"]["labels"].get(name).cloned() {
                    node["metadata"]["labels"][older] = value;
                }
            }
            if node["metadata"]["annotations"][TTL].is_null() {
                node["metadata"]["annotations"][TTL] = "0".into();
            }
        });
        completed.map(drop)
    }

    /// Tells of nodes that join and leave.
    fn meet(&mut self, event: &Event) {
        if &*event.resource != RESOURCE {
            return;
        }
        let (node, name) = (event.object.value(), &event.key.name);
        if event.change == Change::Deleted {
            if self.known.remove(&event.key) {
                let message = format!("Node {name} event: Removing Node {name} from Controller");
                self.deps.normal(node, "RemovingNode", &message);
            }
        } else if self.known.insert(event.key.clone()) && self.begun {
            let message = format!("Node {name} event: Registered Node {name} in Controller");
            self.deps.normal(node, "RegisteredNode", &message);
        }
    }

    /// Nothing has been heard of a node for too long.
    fn give_up(&self, key: &Key, node: &Value) -> Result<(), Status> {
        let now = self.deps.stamp();
        self.deps.edit_sub(RESOURCE, key, "status", |node| {
            for condition in node["status"]["conditions"].as_array_mut().into_iter().flatten() {
                if CONDITIONS.contains(&text(&condition["type"])) {
                    condition["status"] = "Unknown".into();
                    condition["reason"] = "NodeStatusUnknown".into();
                    condition["message"] = "Kubelet stopped posting node status.".into();
                    condition["lastTransitionTime"] = now.as_str().into();
                }
            }
        })?;
        self.deps.normal(node, "NodeNotReady", &format!("Node {} status is now: NodeNotReady", key.name));
        for pod in self.deps.pods_on(&key.name) {
            let pod = pod.value();
            if pods::ready(pod) {
                self.deps.edit_sub("pods", &Key::of(pod), "status", |pod| {
                    for condition in pod["status"]["conditions"].as_array_mut().into_iter().flatten() {
                        if condition["type"] == "Ready" && condition["status"] == "True" {
                            condition["status"] = "False".into();
                            condition["lastTransitionTime"] = now.as_str().into();
                        }
                    }
                })?;
                self.deps.warning(pod, "NodeNotReady", "Node is not ready");
            }
        }
        Ok(())
    }

    /// Gives a node those of these taints that its condition asks for, and takes the others away.
    fn taint(&self, key: &Key, ours: &[&str]) -> Result<(), Status> {
        let Some(stored) = self.deps.get(RESOURCE, key) else { return Ok(()) };
        let wanted = match ready(stored.value()) {
            "True" => None,
            "False" => Some(NOT_READY),
            _ => Some(UNREACHABLE),
        };
        // When no node is ready the fault is elsewhere, and no pod is made to go.
        let any_ready = self.deps.list(RESOURCE, None).iter().any(|node| ready(node.value()) == "True");
        let now = self.deps.stamp();
        let cordoned = stored.value()["spec"]["unschedulable"] == true;
        let effects: &[&str] = if any_ready { &["NoSchedule", "NoExecute"] } else { &["NoSchedule"] };
        let mut wanted: Vec<(&str, &str)> =
            wanted.into_iter().flat_map(|key| effects.iter().map(move |effect| (key, *effect))).collect();
        wanted.extend(cordoned.then_some((UNSCHEDULABLE, "NoSchedule")));
        wanted.retain(|(key, _)| ours.contains(key));
        let fits = |taint: &Value| {
            !ours.contains(&text(&taint["key"]))
                || wanted.contains(&(text(&taint["key"]), text(&taint["effect"])))
        };
        self.deps
            .edit(RESOURCE, key, |node| {
                let mut taints = items(&node["spec"]["taints"]).to_vec();
                taints.retain(fits);
                for (key, effect) in &wanted {
                    if !taints.iter().any(|t| t["key"] == *key && t["effect"] == *effect) {
                        taints.push(json!({"key": key, "effect": effect, "timeAdded": now}));
                    }
                }
                if taints.is_empty() {
                    if let Some(spec) = node["spec"].as_object_mut() {
                        spec.remove("taints");
                    }
                } else {
                    node["spec"]["taints"] = taints.into();
                }
            })
            .map(drop)
    }
}

/// The status of the condition Ready.
fn ready(node: &Value) -> &str {
    condition(node, "Ready").map_or("Unknown", |c| text(&c["status"]))
}

impl Controller for Lifecycle {
    fn name(&self) -> &'static str {
        "node-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        self.meet(event);
        match &*event.resource {
            RESOURCE if event.change != Change::Deleted => {
                queue.add(event.key.clone());
                // Whether others are ready matters for those that are not.
                let changed =
                    event.previous.as_ref().is_none_or(|b| ready(b.value()) != ready(event.object.value()));
                for other in self.deps.list(RESOURCE, None).iter().filter(|_| changed) {
                    if ready(other.value()) != "True" && !deleting(other.value()) {
                        queue.add(Key::new("", name(other.value())));
                    }
                }
            }
            LEASES => queue.add(Key::new("", &event.key.name)),
            _ => {}
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        self.begun = true;
        let outcome = self.sync(key, context);
        self.timers.outcome(key, &outcome, context);
    }
}
