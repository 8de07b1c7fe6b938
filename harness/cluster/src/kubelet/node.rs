//! What a node is: its name, its addresses, its Node object and its sign of life.

use std::{net::Ipv4Addr, sync::Arc};

use pulldrill_clock::{Clock, SignedDuration, Timestamp, stamp, stamp_micros};
use serde_json::{Value, json};

use crate::{
    api::{Api, DeleteOptions, User, WriteOptions},
    dialect::Dialect,
    puller::{Image, words},
    recorder::{Kind, Recorder},
    store::{Change, Event, Key},
};

/// How often a node shows that it lives.
pub(super) const HEARTBEAT: SignedDuration = SignedDuration::from_mins(10);
/// How many images a node tells of, the largest first.
const MOST_IMAGES: usize = 50;
/// How many names it tells of each (`MaxNamesPerImageInNodeStatus`).
const MOST_NAMES: usize = 5;
/// Where leases of nodes are.
const LEASES: &str = "kube-node-lease";

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    /// Its own address.
    pub(super) address: Ipv4Addr,
    /// Its number, which its pods' addresses contain.
    index: u8,
    /// How often it has been switched on again.
    pub(super) boots: u32,
    pub(super) user: User,
}

impl Node {
    pub(super) fn new(name: &str, index: usize) -> Self {
        let index = u8::try_from(index % 250).unwrap_or_default();
        let user = User::named(format!("system:node:{name}"), &["system:nodes"]);
        Self { name: name.to_owned(), address: Ipv4Addr::new(172, 18, 0, index + 2), index, boots: 0, user }
    }

    /// The node as its kubelet's events name it: with its name where others have a uid.
    pub(super) fn reference(&self) -> Value {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name, "uid": self.name}})
    }

    /// Tells when somebody has cordoned the node, or has thought better of it.
    pub(super) fn tell_cordon(&self, recorder: &Recorder, event: &Event) {
        let cordoned = |node: &Value| node["spec"]["unschedulable"] == true;
        let now = cordoned(event.object.value());
        let changed = event.previous.as_ref().is_some_and(|before| cordoned(before.value()) != now);
        if changed && event.change == Change::Modified {
            let reason = if now { "NodeNotSchedulable" } else { "NodeSchedulable" };
            let message = format!("Node {} status is now: {reason}", self.name);
            recorder.event(&self.reference(), None, Kind::Normal, reason, &message);
        }
    }

    /// What tells one start of the machine from another.
    pub(super) fn boot_id(&self) -> String {
        match self.boots {
            0 => words::identity(&[&self.name, "boot"]),
            n => words::identity(&[&self.name, "boot", &n.to_string()]),
        }
    }

    /// The key of the Node object.
    pub(super) fn key(&self) -> Key {
        Key::new("", self.name.clone())
    }

    /// The address of the `n`th pod; they repeat after a while.
    pub(super) fn pod_address(&self, n: u32) -> String {
        let host = n % (254 * 16) + 2;
        let [high, low] = [host / 254, host % 254 + 1];
        format!("10.{}.{high}.{low}", 244 + u16::from(self.index) % 8)
    }

    /// Makes the Node object and its Lease, unless they are there.
    pub(super) fn register(&self, api: &Api, dialect: &Dialect) {
        let status = self.status(api.clock(), dialect, &[]);
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self.name,
                "labels": {
                    "beta.kubernetes.io/arch": "amd64",
                    "beta.kubernetes.io/os": "linux",
                    "kubernetes.io/arch": "amd64",
                    "kubernetes.io/hostname": self.name,
                    "kubernetes.io/os": "linux",
                },
                "annotations": {
                    "node.alpha.kubernetes.io/ttl": "0",
                    "volumes.kubernetes.io/controller-managed-attach-detach": "true",
                },
            },
            "spec": {
                "podCIDR": format!("10.{}.0.0/20", 244 + u16::from(self.index) % 8),
                "podCIDRs": [format!("10.{}.0.0/20", 244 + u16::from(self.index) % 8)],
                "providerID": format!("pulldrill://{}", self.name),
            },
            "status": status,
        });
        let options = WriteOptions { field_manager: Some("kubelet".to_owned()), ..WriteOptions::default() };
        if let Err(status) = api.create(&self.user, "nodes", "", node, &options) {
            tracing::debug!(node = self.name, %status, "node not created");
        }
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": LEASES},
            "spec": {"holderIdentity": self.name, "leaseDurationSeconds": 40, "renewTime": micros(api.clock())},
        });
        if let Err(status) = api.create(&self.user, "leases.coordination.k8s.io", LEASES, lease, &options) {
            tracing::debug!(node = self.name, %status, "lease not created");
        }
        self.renew(api, api.clock().shown_now());
        let status = self.status(api.clock(), dialect, &[]);
        let set = |node: &mut Value| node["status"] = status.clone();
        if let Err(status) = api.modify(&self.user, "nodes", &self.key(), Some("status"), set) {
            tracing::debug!(node = self.name, %status, "node status not written");
        }
    }

    /// Writes when the node last showed that it lived.
    pub(super) fn renew(&self, api: &Api, at: Timestamp) {
        let key = Key::new(LEASES, self.name.clone());
        let renew = |lease: &mut Value| lease["spec"]["renewTime"] = json!(stamp_micros(at));
        if let Err(status) = api.modify(&self.user, "leases.coordination.k8s.io", &key, None, renew) {
            tracing::debug!(node = self.name, %status, "lease not renewed");
        }
    }

    /// Writes which images the node has, if that has changed.
    pub(super) fn tell_images(&self, api: &Api, images: &[Arc<Image>]) {
        let images = shown(images);
        let set = |node: &mut Value| node["status"]["images"] = images.clone();
        if let Err(status) = api.modify(&self.user, "nodes", &self.key(), Some("status"), set) {
            tracing::debug!(node = self.name, %status, "images not told");
        }
    }

    /// Removes the Node object and its Lease.
    pub(super) fn unregister(&self, api: &Api) {
        let lease = Key::new(LEASES, self.name.clone());
        for (resource, key) in [("nodes", self.key()), ("leases.coordination.k8s.io", lease)] {
            if let Err(status) = api.delete(&self.user, resource, &key, &DeleteOptions::default()) {
                tracing::debug!(node = self.name, %status, resource, "not removed");
            }
        }
    }

    /// Renews the Lease and the conditions' heartbeat times.
    pub(super) fn heartbeat(&self, api: &Api, dialect: &Dialect, images: &[Arc<Image>]) {
        let now = micros(api.clock());
        let lease = Key::new(LEASES, self.name.clone());
        let renew = |lease: &mut Value| lease["spec"]["renewTime"] = json!(now);
        let renewed = api.modify(&self.user, "leases.coordination.k8s.io", &lease, None, renew);
        let written = api.modify(&self.user, "nodes", &self.key(), Some("status"), |node| {
            let before = node["status"]["conditions"].clone();
            let mut status = self.status(api.clock(), dialect, images);
            keep_transition_times(&mut status["conditions"], &before);
            node["status"] = status;
        });
        if let Err(status) = renewed.and(written) {
            tracing::debug!(node = self.name, %status, "heartbeat not written");
        }
    }

    fn status(&self, clock: &Clock, dialect: &Dialect, images: &[Arc<Image>]) -> Value {
        let now = stamp(clock.shown_now());
        let condition = |kind: &str, status: &str, reason: &str, message: &str| {
            json!({"type": kind, "status": status, "reason": reason, "message": message,
                "lastHeartbeatTime": now, "lastTransitionTime": now})
        };
        let mut status = json!({
            "addresses": [
                {"type": "InternalIP", "address": self.address},
                {"type": "Hostname", "address": self.name},
            ],
            "capacity": {"cpu": "8", "memory": "16Gi", "pods": "2000", "ephemeral-storage": "100Gi"},
            "allocatable": {"cpu": "8", "memory": "16284Mi", "pods": "2000", "ephemeral-storage": "90Gi"},
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": self.boot_id(),
                "containerRuntimeVersion": dialect.node.runtime_version,
                "kernelVersion": dialect.node.kernel_version,
                "kubeProxyVersion": dialect.node.kube_proxy_version,
                "kubeletVersion": dialect.node.kubelet_version,
                "machineID": words::identity(&[&self.name, "machine"]).replace('-', ""),
                "operatingSystem": "linux",
                "osImage": dialect.node.os_image,
                "systemUUID": words::identity(&[&self.name, "system"]),
            },
        });
        if !images.is_empty() {
            status["images"] = shown(images);
        }
        status
    }
}

/// Images as a node tells of them: each once, with its digests first and then its tags (`makeImageList` of the kubelet).
fn shown(images: &[Arc<Image>]) -> Value {
    let mut by_id: Vec<(&Image, Vec<&str>, Vec<&str>)> = Vec::new();
    for image in images {
        let known = by_id.iter().position(|(first, ..)| first.id == image.id).unwrap_or_else(|| {
            by_id.push((image, Vec::new(), Vec::new()));
            by_id.len() - 1
        });
        let Some((_, digests, tags)) = by_id.get_mut(known) else { continue };
        for name in [&image.repo_digest, &image.reference] {
            let names = if name.contains('@') { &mut *digests } else { &mut *tags };
            if !name.is_empty() && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    by_id.sort_by_key(|(image, ..)| std::cmp::Reverse(image.size));
    let one = |(image, digests, tags): (&Image, Vec<&str>, Vec<&str>)| {
        let names: Vec<&str> = digests.into_iter().chain(tags).take(MOST_NAMES).collect();
        json!({"names": names, "sizeBytes": image.size})
    };
    by_id.into_iter().take(MOST_IMAGES).map(one).collect()
}

fn micros(clock: &Clock) -> String {
    stamp_micros(clock.shown_now())
}

fn keep_transition_times(conditions: &mut Value, before: &Value) {
    for condition in conditions.as_array_mut().into_iter().flatten() {
        let mut same = before.as_array().into_iter().flatten();
        if let Some(old) = same.find(|c| c["type"] == condition["type"] && c["status"] == condition["status"])
        {
            condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_told_once_with_all_its_names() {
        let image = |id: &str, reference: &str, digest: &str, size| {
            let [id, reference] = [id, reference].map(str::to_owned);
            let repo_digest = format!("{}@sha256:{digest}", reference.split([':', '@']).next().unwrap());
            Arc::new(Image { id, reference, repo_digest, size, ..Image::default() })
        };
        let images = [
            image("1", "r/app:1.0", "a", 5),
            image("2", "r/big:1", "b", 9),
            image("1", "r/app:latest", "a", 5),
            image("1", "r/copy@sha256:c", "c", 5),
        ];
        let app = json!(["r/app@sha256:a", "r/copy@sha256:c", "r/app:1.0", "r/app:latest"]);
        let expected =
            json!([{"names": ["r/big@sha256:b", "r/big:1"], "sizeBytes": 9}, {"names": app, "sizeBytes": 5}]);
        assert_eq!(shown(&images), expected);
        let many: Vec<Arc<Image>> = (0..9).map(|n| image("1", &format!("r/app:{n}"), "a", 5)).collect();
        assert_eq!(shown(&many)[0]["names"].as_array().unwrap().len(), 5);
    }
}
