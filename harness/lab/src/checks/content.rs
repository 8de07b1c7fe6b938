//! Predicates about what runs: its content, and who served it to whom.

use std::sync::Arc;

use pulldrill_cluster::store::Stored;
use serde_json::Value;

use super::{
    Facts, Finding,
    baseline::container_of,
    evidence::{Content, Served},
    secrets::{is_accepted, secret_names},
};
use crate::{
    observe::{
        snapshot::uid,
        workload::{container_status, is_leaving, is_ready},
    },
    reference::Reference,
};

/// A replica that runs.
struct Replica {
    pod: Arc<Stored>,
    container: String,
}

impl Replica {
    fn value(&self) -> &Value {
        self.pod.value()
    }

    fn name(&self) -> &str {
        self.pod.meta("name")
    }

    fn node(&self) -> &str {
        self.value()["spec"]["nodeName"].as_str().unwrap_or_default()
    }

    /// The reference in its spec.
    fn reference(&self) -> Option<Reference> {
        let container = container_of(&self.value()["spec"], &self.container)?;
        Reference::parse(container["image"].as_str()?)
    }

    /// The manifest digest that the kubelet says it runs.
    fn digest(&self) -> &str {
        let id = container_status(self.value(), &self.container).and_then(|s| s["imageID"].as_str());
        id.and_then(|id| id.rsplit_once('@')).map_or("", |(_, digest)| digest)
    }

    fn content(&self, facts: &Facts<'_>) -> Option<Content> {
        facts.evidence.content(self.digest())
    }
}

/// The ready pods of the drill's workload, of any template.
fn replicas(facts: &Facts<'_>) -> Result<Vec<Replica>, String> {
    let workload = facts.workload().ok_or("the workload is not the object that it was")?;
    let pods = workload.pods(facts.snapshot).into_iter();
    let ready = pods.filter(|pod| is_ready(pod.value()) && is_leaving(pod.value()).is_none());
    let container = &facts.variant.workload.container;
    let replicas: Vec<Replica> = ready.map(|pod| Replica { pod, container: container.clone() }).collect();
    match replicas.is_empty() {
        true => Err("no replica is ready".into()),
        false => Ok(replicas),
    }
}

/// Every replica that runs has accepted content.
pub(crate) fn accepted(facts: &Facts<'_>) -> Finding {
    for replica in replicas(facts)? {
        match replica.content(facts) {
            Some(content) if facts.evidence.accepted().contains(&content) => {}
            Some(_) => return Err(format!("{} runs something else", replica.name())),
            None => return Err(format!("no registry knows what {} runs", replica.name())),
        }
    }
    Ok("the right build runs".into())
}

/// Every replica's content was served to its node by one of these registries, which its image names, under
/// the tag or as the digest in that name: content that somebody gave another name on the node was not.
pub(crate) fn served(facts: &Facts<'_>, handles: &[String]) -> Finding {
    let hosts: Vec<&str> = handles.iter().map(|handle| facts.host(handle)).collect();
    for replica in replicas(facts)? {
        let image = replica.reference().ok_or_else(|| format!("{} has no image", replica.name()))?;
        let host = &image.host;
        if !hosts.contains(&host.as_str()) {
            return Err(format!("{} runs an image of {host}", replica.name()));
        }
        let content = replica.content(facts);
        let found = facts.evidence.served().iter().any(|served| {
            served.host == *host
                && served.repository == image.repository
                && (image.digest.is_some() || served.reference == image.target())
                && served.node == replica.node()
                && content.is_some()
                && (served.digest == replica.digest() || facts.evidence.content(&served.digest) == content)
        });
        if !found {
            return Err(format!("{host} never served what {} runs to {}", replica.name(), replica.node()));
        }
    }
    Ok("the registry served it to every node that runs it".into())
}

/// Every replica that became ready after the opening was pulled by one of these users, and has a pull secret
/// that the registry accepts.
pub(crate) fn pulled_with(facts: &Facts<'_>, handle: &str, users: &[String]) -> Finding {
    let host = facts.host(handle);
    let fresh: Vec<Replica> = replicas(facts)?
        .into_iter()
        .filter(|replica| !facts.baseline.ready_pods.contains(uid(replica.value())))
        .collect();
    if fresh.is_empty() {
        return Err("no new replica has become ready".into());
    }
    for replica in &fresh {
        // What somebody else's pod has brought to the node is no proof: the pod itself has to have a login.
        if !secret_names(&replica.value()["spec"]).iter().any(|name| is_accepted(facts, name, host)) {
            return Err(format!("{} has no secret that the registry accepts", replica.name()));
        }
        let repository = replica.reference().map(|reference| reference.repository).unwrap_or_default();
        let by_right_user = |served: &Served| {
            let identity = served.identity.as_ref();
            identity.is_some_and(|identity| users.is_empty() || users.contains(identity))
        };
        let found = facts.evidence.served().iter().any(|served| {
            served.host == host
                && served.at >= facts.baseline.at
                && served.node == replica.node()
                && served.repository == repository
                && by_right_user(served)
        });
        if !found {
            return Err(format!("{} was not pulled with the right identity", replica.name()));
        }
    }
    Ok("pulled with the right identity".into())
}

/// The template's image is named by a digest, of accepted content.
pub(crate) fn digest_pinned(facts: &Facts<'_>) -> Finding {
    let workload = facts.workload().ok_or("the workload is not the object that it was")?;
    let container = container_of(workload.template(), &facts.variant.workload.container);
    let image = container.and_then(|container| container["image"].as_str()).unwrap_or_default();
    let digest =
        Reference::parse(image).and_then(|reference| reference.digest).ok_or("there is no digest")?;
    match facts.evidence.content(&digest) {
        Some(content) if facts.evidence.accepted().contains(&content) => Ok("the image is pinned".into()),
        _ => Err(format!("{digest} is not the right build")),
    }
}
