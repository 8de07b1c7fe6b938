//! The ReplicaSet of the present template, and the revision numbers that `kubectl rollout history` shows.

use serde_json::{Value, json};

use super::{
    DESIRED, HASH_LABEL, MAXIMUM, RESOURCE, REVISION, REVISION_HISTORY, Rollout, rolling::Limits,
    status::Progress,
};
use crate::{
    api::Status,
    controllers::{
        hash::template_hash,
        json::{condition, int, pruned},
        meta::{annotate, annotation, controller_reference, name, namespace},
        replicaset,
    },
};

/// Annotations of a Deployment that say nothing about its ReplicaSets.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
];

/// A template without what distinguishes a ReplicaSet's from its Deployment's.
pub(super) fn comparable(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(HASH_LABEL);
    }
    pruned(&template)
}

/// How long a ReplicaSet's history of revisions may get, in characters, as in Kubernetes'
/// `maxRevHistoryLengthInChars`.
const LONGEST_HISTORY: usize = 2000;

/// A history of revisions with one more; the earliest are left out when it gets too long.
fn longer(history: &str, revision: &str) -> String {
    let mut earlier = history;
    while earlier.len() + 1 + revision.len() > LONGEST_HISTORY {
        earlier = earlier.split_once(',').map_or("", |(_, rest)| rest);
        if earlier.is_empty() {
            break;
        }
    }
    if earlier.is_empty() { revision.to_owned() } else { format!("{earlier},{revision}") }
}

impl Rollout<'_> {
    /// Brings revisions up to date and returns the place of the ReplicaSet of the present template; one is
    /// made if there is none and `create` says so.
    pub(super) fn settle_revisions(&mut self, create: bool) -> Result<Option<usize>, Status> {
        let found = self.new_index();
        let revision_of = |set: &Value| annotation(set, REVISION).parse::<i64>().unwrap_or(0);
        let newest_old = self
            .sets
            .iter()
            .enumerate()
            .filter(|(index, _)| Some(*index) != found)
            .map(|(_, set)| revision_of(set))
            .max();
        let revision = newest_old.unwrap_or(0) + 1;
        if let Some(index) = found {
            self.renew(index, revision)?;
            return Ok(Some(index));
        }
        if !create {
            return Ok(None);
        }
        self.make(revision).map(Some)
    }

    /// An existing ReplicaSet gets the annotations and the revision of the present rollout.
    fn renew(&mut self, index: usize, revision: i64) -> Result<(), Status> {
        let mut wanted = self.sets[index].clone();
        self.annotate_set(&mut wanted, revision);
        let min_ready = &self.deployment["spec"]["minReadySeconds"];
        if int(&wanted["spec"]["minReadySeconds"]) != int(min_ready) {
            wanted["spec"]["minReadySeconds"] = min_ready.clone();
        }
        if wanted != self.sets[index] {
            let key = crate::store::Key::of(&wanted);
            let written = self.deps.edit(replicaset::RESOURCE, &key, |set| {
                set["metadata"]["annotations"] = wanted["metadata"]["annotations"].clone();
                if int(&set["spec"]["minReadySeconds"]) != int(&wanted["spec"]["minReadySeconds"]) {
                    set["spec"]["minReadySeconds"] = wanted["spec"]["minReadySeconds"].clone();
                }
            })?;
            self.replace(index, &written);
        }
        let revision = annotation(&self.sets[index], REVISION).to_owned();
        self.show_revision(&revision)?;
        if condition(&self.deployment, "Progressing").is_none() {
            let message = format!("Found new replica set \"{}\"", name(&self.sets[index]));
            self.write_progress(Progress::True("FoundNewReplicaSet"), &message)?;
        }
        Ok(())
    }

    fn make(&mut self, revision: i64) -> Result<usize, Status> {
        let deployment = self.deployment.clone();
        let mut collisions = int(&deployment["status"]["collisionCount"]);
        loop {
            let set = self.new_set(&deployment, revision, collisions);
            let (set_name, replicas) = (name(&set).to_owned(), super::desired(&set));
            match self.deps.create(replicaset::RESOURCE, namespace(&deployment), set) {
                Ok(set) => {
                    if replicas > 0 {
                        self.tell_scaled(&set_name, 0, replicas);
                    }
                    self.sets.push(set.value().clone());
                    self.show_revision(&revision.to_string())?;
                    let message = format!("Created new replica set \"{set_name}\"");
                    self.write_progress(Progress::True("NewReplicaSetCreated"), &message)?;
                    return Ok(self.sets.len() - 1);
                }
                Err(error) if error.reason == "AlreadyExists" => {
                    // Another template has this hash: the count makes it another one.
                    collisions += 1;
                    let mut status = self.deployment["status"].clone();
                    status["collisionCount"] = collisions.into();
                    self.write_status(&status)?;
                }
                Err(error) => {
                    let message = format!("Failed to create new replica set \"{set_name}\": {error}");
                    self.write_progress(Progress::False("ReplicaSetCreateError"), &message)?;
                    return Err(error);
                }
            }
        }
    }

    fn new_set(&self, deployment: &Value, revision: i64, collisions: i64) -> Value {
        let limits = Limits::of(deployment);
        let replicas = if super::recreates(deployment) {
            limits.replicas
        } else {
            limits.grow(0, self.sum(super::desired))
        };
        let mut template = deployment["spec"]["template"].clone();
        let hash = template_hash(&template, collisions);
        template["metadata"]["labels"][HASH_LABEL] = hash.as_str().into();
        let mut selector = deployment["spec"]["selector"].clone();
        selector["matchLabels"][HASH_LABEL] = hash.as_str().into();
        let mut set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": format!("{}-{hash}", name(deployment)),
                "namespace": namespace(deployment),
                "labels": template["metadata"]["labels"],
                "ownerReferences": [controller_reference(deployment)],
            },
            "spec": {"replicas": replicas, "selector": selector, "template": template},
            "status": {"replicas": 0},
        });
        let min_ready = int(&deployment["spec"]["minReadySeconds"]);
        if min_ready != 0 {
            set["spec"]["minReadySeconds"] = min_ready.into();
        }
        self.annotate_set(&mut set, revision);
        annotate(&mut set, DESIRED, &limits.replicas.to_string());
        annotate(&mut set, MAXIMUM, &(limits.replicas + limits.surge).to_string());
        set
    }

    /// Copies the Deployment's annotations and raises the revision; an earlier one goes into the history.
    fn annotate_set(&self, set: &mut Value, revision: i64) {
        for (key, value) in self.deployment["metadata"]["annotations"].as_object().into_iter().flatten() {
            if !NOT_COPIED.contains(&key.as_str())
                && let Some(value) = value.as_str()
            {
                annotate(set, key, value);
            }
        }
        let before = annotation(set, REVISION).to_owned();
        if before.parse::<i64>().unwrap_or(0) >= revision {
            return;
        }
        annotate(set, REVISION, &revision.to_string());
        if !before.is_empty() {
            let history = longer(annotation(set, REVISION_HISTORY), &before);
            annotate(set, REVISION_HISTORY, &history);
        }
    }

    fn show_revision(&mut self, revision: &str) -> Result<(), Status> {
        if revision.is_empty() || annotation(&self.deployment, REVISION) == revision {
            return Ok(());
        }
        // With the status, as the real controller does: it owns both under one entry.
        let written = self.deps.edit_sub(RESOURCE, &self.key, "status", |deployment| {
            annotate(deployment, REVISION, revision);
        })?;
        self.deployment = written.value().clone();
        Ok(())
    }

    /// Deletes old, empty ReplicaSets beyond `revisionHistoryLimit`.
    pub(super) fn forget_old_revisions(&self, new: usize) -> Result<(), Status> {
        let limit = usize::try_from(self.deployment["spec"]["revisionHistoryLimit"].as_i64().unwrap_or(10))
            .unwrap_or(usize::MAX);
        let mut old: Vec<&Value> =
            self.sets.iter().enumerate().filter(|(index, _)| *index != new).map(|(_, set)| set).collect();
        old.sort_by_key(|set| annotation(set, REVISION).parse::<i64>().unwrap_or(0));
        let excess = old.len().saturating_sub(limit);
        for set in old.into_iter().take(excess) {
            let empty = int(&set["status"]["replicas"]) == 0 && super::desired(set) == 0;
            let settled = int(&set["status"]["observedGeneration"]) >= int(&set["metadata"]["generation"]);
            if empty && settled {
                self.deps.delete(replicaset::RESOURCE, set)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_has_an_end() {
        assert_eq!([longer("", "1"), longer("1", "3"), longer("1,3", "5")], ["1", "1,3", "1,3,5"]);
        let long = (1000..2000).fold(String::new(), |history, n| longer(&history, &n.to_string()));
        assert!(long.len() <= LONGEST_HISTORY && long.len() > LONGEST_HISTORY - 5);
        assert!(long.starts_with("1600,1601,") && long.ends_with(",1998,1999"), "{long}");
        let junk = "x".repeat(3000);
        assert_eq!(longer(&junk, "7"), "7");
    }
}
