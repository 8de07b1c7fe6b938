//! A workload and its pods: what it wants, and which pods run its present template.

use std::sync::Arc;

use pulldrill_cluster::store::Stored;
use serde_json::Value;

use super::{
    Snapshot,
    snapshot::{controller_uid, uid},
};

/// The resources whose objects own pods for good.
const RESOURCES: &[&str] = &["deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps"];

/// A workload as found in a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    resource: &'static str,
    object: Arc<Stored>,
}

impl Workload {
    /// Finds it by resource (`deployments.apps`) and name.
    #[must_use]
    pub(crate) fn find(snapshot: &Snapshot, resource: &str, name: &str) -> Option<Self> {
        let resource = RESOURCES.iter().find(|known| **known == resource)?;
        snapshot.get(resource, name).map(|object| Self { resource, object })
    }

    /// The object itself.
    #[must_use]
    pub(crate) fn object(&self) -> &Value {
        self.object.value()
    }

    /// Its plural resource name, with group.
    #[must_use]
    pub(crate) fn resource(&self) -> &'static str {
        self.resource
    }

    /// Its uid.
    #[must_use]
    pub(crate) fn uid(&self) -> &str {
        uid(self.object())
    }

    /// How many replicas it wants.
    #[must_use]
    pub(crate) fn wanted(&self) -> i64 {
        if self.resource == "daemonsets.apps" {
            return self.object()["status"]["desiredNumberScheduled"].as_i64().unwrap_or(0);
        }
        self.object()["spec"]["replicas"].as_i64().unwrap_or(1)
    }

    /// Whether its controller has seen its latest template.
    #[must_use]
    pub(crate) fn observed(&self) -> bool {
        let generation = self.object()["metadata"]["generation"].as_i64().unwrap_or(0);
        self.object()["status"]["observedGeneration"].as_i64().unwrap_or(0) >= generation
    }

    /// The pod template's spec.
    #[must_use]
    pub(crate) fn template(&self) -> &Value {
        &self.object()["spec"]["template"]["spec"]
    }

    /// Every pod of the workload, of old templates too.
    #[must_use]
    pub(crate) fn pods(&self, snapshot: &Snapshot) -> Vec<Arc<Stored>> {
        let owners = match self.resource {
            "deployments.apps" => {
                self.replica_sets(snapshot).iter().map(|rs| uid(rs.value()).to_owned()).collect()
            }
            _ => vec![self.uid().to_owned()],
        };
        let pods = snapshot.list("pods").into_iter();
        pods.filter(|pod| owners.iter().any(|owner| owner == controller_uid(pod.value()))).collect()
    }

    /// The pods of the present template that are not on their way out.
    #[must_use]
    pub(crate) fn current_pods(&self, snapshot: &Snapshot) -> Vec<Arc<Stored>> {
        let pods = self.pods(snapshot);
        let is_current = self.current(snapshot);
        pods.into_iter().filter(|pod| is_leaving(pod.value()).is_none() && is_current(pod.value())).collect()
    }

    /// Whether a pod is of the present template.
    #[must_use]
    pub(crate) fn is_current(&self, snapshot: &Snapshot, pod: &Value) -> bool {
        self.current(snapshot)(pod)
    }

    /// How to tell that a pod is of the present template.
    fn current(&self, snapshot: &Snapshot) -> Box<dyn Fn(&Value) -> bool> {
        let status = &self.object()["status"];
        match self.resource {
            "deployments.apps" => {
                let owner = self.current_replica_set(snapshot).map(|rs| uid(rs.value()).to_owned());
                Box::new(move |pod| owner.as_deref() == Some(controller_uid(pod)))
            }
            "statefulsets.apps" => {
                let hash = status["updateRevision"].clone();
                Box::new(move |pod| pod["metadata"]["labels"]["controller-revision-hash"] == hash)
            }
            "daemonsets.apps" => {
                let generation = self.object()["metadata"]["generation"].to_string();
                Box::new(move |pod| pod["metadata"]["labels"]["pod-template-generation"] == *generation)
            }
            _ => Box::new(|_| true),
        }
    }

    fn replica_sets(&self, snapshot: &Snapshot) -> Vec<Arc<Stored>> {
        let all = snapshot.list("replicasets.apps").into_iter();
        all.filter(|rs| controller_uid(rs.value()) == self.uid()).collect()
    }

    /// The ReplicaSet of the present template: the one of the deployment's own revision.
    fn current_replica_set(&self, snapshot: &Snapshot) -> Option<Arc<Stored>> {
        const REVISION: &str = "deployment.kubernetes.io/revision";
        let revision = &self.object()["metadata"]["annotations"][REVISION];
        let template = template_without_hash(&self.object()["spec"]["template"]);
        self.replica_sets(snapshot).into_iter().find(|rs| {
            rs.value()["metadata"]["annotations"][REVISION] == *revision
                && template_without_hash(&rs.value()["spec"]["template"]) == template
        })
    }
}

/// A pod template without the label that tells ReplicaSets apart.
fn template_without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove("pod-template-hash");
    }
    template
}

/// Since when an object is being deleted.
#[must_use]
pub(crate) fn is_leaving(object: &Value) -> Option<&str> {
    object["metadata"]["deletionTimestamp"].as_str()
}

/// Whether a pod is ready.
#[must_use]
pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// The status of a container of a pod.
#[must_use]
pub(crate) fn container_status<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let statuses = pod["status"]["containerStatuses"].as_array();
    statuses.into_iter().flatten().find(|status| status["name"] == container)
}
