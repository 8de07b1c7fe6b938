//! ControllerRevisions: the past templates of StatefulSets and DaemonSets, which `kubectl rollout history`
//! shows and `kubectl rollout undo` goes back to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    children::Children,
    deps::Deps,
    hash::template_hash,
    json::{int, pruned},
    meta::{controller_reference, name, namespace},
};
use crate::{api::Status, store::Key};

/// The resource.
pub(crate) const RESOURCE: &str = "controllerrevisions.apps";

/// The label with a revision's hash.
pub(crate) const HASH_LABEL: &str = "controller-revision-hash";

/// The revisions of one workload, oldest first; the last is that of its present template.
pub(crate) struct Revisions {
    all: Vec<Value>,
}

impl Revisions {
    /// The revision of the present template.
    pub(crate) fn update(&self) -> &Value {
        self.all.last().unwrap_or(&Value::Null)
    }

    /// A revision by name.
    pub(crate) fn find(&self, wanted: &str) -> Option<&Value> {
        self.all.iter().find(|revision| name(revision) == wanted)
    }

    /// Brings the revisions of `owner` up to date: the present template gets one, with the highest number.
    pub(crate) fn settle(deps: &Deps, children: &Children, owner: &Value) -> Result<Self, Status> {
        let mut all: Vec<Value> =
            children.of(deps, super::meta::uid(owner)).iter().map(|r| r.value().clone()).collect();
        all.sort_by_key(|revision| (int(&revision["revision"]), name(revision).to_owned()));
        let wanted = data_of(&owner["spec"]["template"]);
        let next = all.last().map_or(1, |last| int(&last["revision"]) + 1);
        let found = all.iter().rposition(|revision| pruned(&revision["data"]) == pruned(&wanted));
        match found {
            Some(index) if index + 1 == all.len() => {}
            Some(index) => {
                let old = all.remove(index);
                let raised =
                    deps.edit(RESOURCE, &Key::of(&old), |object| object["revision"] = next.into())?;
                all.push(raised.value().clone());
            }
            None => all.push(make(deps, owner, &wanted, next)?),
        }
        Ok(Self { all })
    }

    /// Deletes the oldest revisions beyond the owner's limit, except those in use.
    pub(crate) fn forget_old(
        &self,
        deps: &Deps,
        owner: &Value,
        used: &BTreeSet<String>,
    ) -> Result<(), Status> {
        let limit = owner["spec"]["revisionHistoryLimit"].as_i64().unwrap_or(10);
        let old: Vec<&Value> =
            self.all.iter().filter(|r| name(r) != name(self.update()) && !used.contains(name(r))).collect();
        let excess = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        old.into_iter().take(excess).try_for_each(|revision| deps.delete(RESOURCE, revision))
    }
}

/// The template that a revision holds.
pub(crate) fn template_of(revision: &Value) -> Value {
    let mut template = revision["data"]["spec"]["template"].clone();
    if let Some(fields) = template.as_object_mut() {
        fields.remove("$patch");
    }
    template
}

/// The hash in a revision's name.
pub(crate) fn hash_of<'a>(revision: &'a Value, owner: &Value) -> &'a str {
    name(revision).strip_prefix(name(owner)).map(|rest| rest.trim_start_matches('-')).unwrap_or_default()
}

/// What a revision holds: a patch that replaces the template.
fn data_of(template: &Value) -> Value {
    let mut template = template.clone();
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}

fn make(deps: &Deps, owner: &Value, data: &Value, number: i64) -> Result<Value, Status> {
    let mut collisions = int(&owner["status"]["collisionCount"]);
    loop {
        let hash = template_hash(&data["spec"]["template"], collisions);
        let mut labels = owner["spec"]["template"]["metadata"]["labels"].clone();
        labels[HASH_LABEL] = hash.as_str().into();
        let mut metadata = json!({"name": format!("{}-{hash}", name(owner)), "labels": labels,
            "ownerReferences": [controller_reference(owner)]});
        if let Some(annotations) = owner["metadata"]["annotations"].as_object() {
            let mut copied = annotations.clone();
            copied.remove("kubectl.kubernetes.io/last-applied-configuration");
            if !copied.is_empty() {
                metadata["annotations"] = copied.into();
            }
        }
        let revision = json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata,
            "data": data, "revision": number});
        match deps.create(RESOURCE, namespace(owner), revision) {
            Ok(made) => return Ok(made.value().clone()),
            Err(error) if error.reason == "AlreadyExists" => collisions += 1,
            Err(error) => return Err(error),
        }
    }
}
