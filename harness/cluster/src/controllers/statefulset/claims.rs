//! The claims of a StatefulSet's pods: made before them, and owned by the pod or the set where they are to go with
//! it (`persistentVolumeClaimRetentionPolicy`).

use serde_json::{Value, json};

use super::View;
use crate::{
    api::Status,
    controllers::{
        json::{items, text},
        meta::{controller_reference, deleting, label, name, namespace, uid},
    },
    store::Key,
};

pub(super) const RESOURCE: &str = "persistentvolumeclaims";

/// Since when claims can go with their pods or the set.
const RETENTION: u32 = 27;

/// The templates of the claims of a pod, each with the claim's name.
pub(super) fn named<'a>(set: &'a Value, pod: &str) -> impl Iterator<Item = (&'a Value, String)> {
    let templates = items(&set["spec"]["volumeClaimTemplates"]).iter();
    templates.map(move |template| (template, format!("{}-{pod}", name(template))))
}

fn claim(set: &Value, template: &Value, claim: &str) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": template["metadata"], "spec": template["spec"]});
    object["metadata"]["name"] = claim.into();
    for (key, value) in set["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten() {
        label(&mut object, key, text(value));
    }
    object
}

impl View<'_> {
    /// Makes the claims of a pod that are not there yet.
    pub(super) fn make_claims(&self, pod: &str) -> Result<(), Status> {
        for (template, named) in named(self.set, pod) {
            let key = Key::new(namespace(self.set), &named);
            if let Some(present) = self.deps.get(RESOURCE, &key) {
                if deleting(present.value()) && self.deps.release().since(RETENTION) {
                    return Err(Status::internal(format!("pvc {named} is being deleted")));
                }
                continue;
            }
            let made = self.deps.create(RESOURCE, namespace(self.set), claim(self.set, template, &named));
            let set = name(self.set);
            if let Err(mut error) = made {
                let message =
                    format!("create Claim {named} for Pod {pod} in StatefulSet {set} failed error: {error}");
                self.deps.warning(self.set, "FailedCreate", &message);
                error.message = format!("failed to create PVC {named}: {error}");
                return Err(error);
            }
            let message = format!("create Claim {named} Pod {pod} in StatefulSet {set} success");
            self.deps.normal(self.set, "SuccessfulCreate", &message);
        }
        Ok(())
    }

    /// Whether a claim of a pod is to go with an earlier pod of the same name (`PodClaimIsStale` of Kubernetes).
    pub(super) fn has_stale_claim(&self, pod: &str) -> bool {
        let earlier = |reference: &Value| reference["kind"] == "Pod" && reference["name"] == pod;
        self.goes("whenScaled")
            && named(self.set, pod).any(|(_, named)| {
                let found = self.deps.get(RESOURCE, &Key::new(namespace(self.set), &named));
                found.is_some_and(|found| references(found.value()).iter().any(earlier))
            })
    }

    /// Gives the claims of a pod the owner with which they are to go, or none
    /// (`updateClaimOwnerRefForSetAndPod` of Kubernetes). `wanted` says whether the pod's ordinal is.
    pub(super) fn settle_claims(&self, pod: &Value, wanted: bool) -> Result<(), Status> {
        if !self.deps.release().since(RETENTION) {
            return Ok(());
        }
        let owner = match (wanted, self.goes("whenScaled"), self.goes("whenDeleted")) {
            (false, true, _) => Some(pod),
            (_, _, true) => Some(self.set),
            _ => None,
        };
        for (_, named) in named(self.set, name(pod)) {
            let key = Key::new(namespace(self.set), named);
            let Some(present) = self.deps.get(RESOURCE, &key) else { continue };
            if let Some(owners) = self.owners(references(present.value()), pod, owner) {
                self.deps
                    .edit(RESOURCE, &key, |claim| claim["metadata"]["ownerReferences"] = owners.clone())?;
            }
        }
        Ok(())
    }

    /// The references that a claim should have instead of these; none when they are right. What others manage, or an
    /// earlier set or pod of the same name, is left to them.
    fn owners(&self, present: &[Value], pod: &Value, owner: Option<&Value>) -> Option<Value> {
        let same = |reference: &Value, object: &Value| {
            ["apiVersion", "kind"].into_iter().all(|field| reference[field] == object[field])
                && reference["name"] == name(object)
        };
        let of = |reference: &&Value| [self.set, pod].into_iter().find(|object| same(reference, object));
        if present.iter().any(|reference| of(&reference).is_some_and(|mine| reference["uid"] != uid(mine))) {
            return None;
        }
        let others: Vec<&Value> = present.iter().filter(|reference| of(reference).is_none()).collect();
        let managed = others.iter().any(|reference| reference["controller"] == true);
        let mut owners: Vec<Value> = others.into_iter().cloned().collect();
        owners.extend(owner.filter(|_| !managed).map(controller_reference));
        (owners != present).then(|| owners.into())
    }

    /// Whether claims are to go in this case.
    fn goes(&self, case: &str) -> bool {
        let policy = &self.set["spec"]["persistentVolumeClaimRetentionPolicy"];
        self.deps.release().since(RETENTION) && policy[case] == "Delete"
    }
}

fn references(claim: &Value) -> &[Value] {
    items(&claim["metadata"]["ownerReferences"])
}
