//! PersistentVolumeClaims, PersistentVolumes, and their protection.
//!
//! Nobody makes volumes here: a claim for which there is none stays pending and tells why, as in a cluster without a
//! provisioner. Claims that pods use, and volumes that are bound, outlive their deletion.

mod binding;
mod reclaim;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    deps::Deps,
    json::{items, text},
    meta::{deleting, name},
    pods,
    timers::Timers,
};
use crate::{
    api::Status,
    controllers::wording::fill,
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const CLAIMS: &str = "persistentvolumeclaims";
const VOLUMES: &str = "persistentvolumes";
const CLASSES: &str = "storageclasses.storage.k8s.io";
/// How often claims and volumes are looked at again.
const RESYNC: SignedDuration = SignedDuration::from_secs(15);

/// Keeps claims and volumes.
pub(crate) struct Claims {
    deps: Deps,
    timers: Timers,
    /// When each claim that waits last told why, and what.
    told: HashMap<Key, (Timestamp, &'static str)>,
}

/// An event about a claim that waits.
struct Why {
    warning: bool,
    /// Whether even a volume that fits would not be taken yet.
    waits: bool,
    reason: &'static str,
    message: String,
}

impl Claims {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default(), told: HashMap::new() }
    }

    fn sync(&mut self, key: &Key, context: &Context) -> Result<(), Status> {
        if key.namespace.is_empty() {
            return self.sync_volume(key);
        }
        let Some(stored) = self.deps.get(CLAIMS, key) else {
            self.told.remove(key);
            return Ok(());
        };
        let claim = stored.value();
        if deleting(claim) {
            return if self.users(key).is_empty() { self.release(CLAIMS, key) } else { Ok(()) };
        }
        if text(&claim["status"]["phase"]) != "Bound" {
            let why = self.why(key, claim);
            if !why.waits && self.bind(key, claim)? {
                return Ok(());
            }
            self.tell(key, claim, &why, context);
            self.timers.after(key, RESYNC, context);
        } else {
            self.told.remove(key);
        }
        Ok(())
    }

    /// Tells why a claim waits, unless that was told a moment ago.
    fn tell(&mut self, key: &Key, claim: &Value, why: &Why, context: &Context) {
        let now = context.clock.now();
        let before = self.told.get(key);
        if before.is_some_and(|(at, reason)| *reason == why.reason && now.duration_since(*at) < RESYNC) {
            return;
        }
        self.told.insert(key.clone(), (now, why.reason));
        if why.warning {
            self.deps.warning(claim, why.reason, &why.message);
        } else {
            self.deps.normal(claim, why.reason, &why.message);
        }
    }

    /// Gives a claim a volume that is there already. False when none fits.
    fn bind(&self, key: &Key, claim: &Value) -> Result<bool, Status> {
        let volumes = self.deps.list(VOLUMES, None);
        let Some(volume) = binding::find(claim, volumes.iter().map(|volume| volume.value())) else {
            return Ok(false);
        };
        let (place, phase) = (Key::new("", name(volume)), json!({"phase": "Bound"}));
        self.deps.edit(VOLUMES, &place, |volume| binding::take(volume, claim))?;
        self.deps.write_status(VOLUMES, &place, &phase)?;
        self.deps.edit(CLAIMS, key, |claim| binding::give(claim, name(volume)))?;
        self.deps.write_status(CLAIMS, key, &binding::status(volume))?;
        Ok(true)
    }

    /// Why a claim is not bound.
    fn why(&self, key: &Key, claim: &Value) -> Why {
        let normal = |reason, message: String| Why { warning: false, waits: false, reason, message };
        let waiting = |reason, message: String| Why { waits: true, ..normal(reason, message) };
        let class = binding::class_of(claim);
        if class.is_empty() {
            let message = "no persistent volumes available for this claim and no storage class is set";
            return normal("FailedBinding", message.into());
        }
        let Some(found) = self.deps.get(CLASSES, &Key::new("", class)) else {
            let message = format!("storageclass.storage.k8s.io {class:?} not found");
            return Why { warning: true, waits: false, reason: "ProvisioningFailed", message };
        };
        let found = found.value();
        let users = self.users(key);
        if found["volumeBindingMode"] == "WaitForFirstConsumer" && !users.iter().any(|(_, placed)| *placed) {
            let names: Vec<&str> = users.iter().map(|(name, _)| name.as_str()).collect();
            return match names.as_slice() {
                [] => waiting(
                    "WaitForFirstConsumer",
                    "waiting for first consumer to be created before binding".into(),
                ),
                [one] => waiting("WaitForPodScheduled", format!("waiting for pod {one} to be scheduled")),
                many => waiting(
                    "WaitForPodScheduled",
                    format!("waiting for pods {} to be scheduled", many.join(",")),
                ),
            };
        }
        let values = [("provisioner", text(&found["provisioner"]))];
        normal("ExternalProvisioning", fill(self.deps.wording.external_provisioning, &values))
    }

    /// The pods that use a claim and have not ended, and whether each has a node.
    fn users(&self, claim: &Key) -> Vec<(String, bool)> {
        let pods = self.deps.list("pods", Some(&claim.namespace));
        let mine = pods.iter().map(|pod| pod.value()).filter(|pod| {
            !pods::ended(pod)
                && items(&pod["spec"]["volumes"])
                    .iter()
                    .any(|volume| volume["persistentVolumeClaim"]["claimName"] == *claim.name)
        });
        mine.map(|pod| (name(pod).to_owned(), pod["spec"]["nodeName"].is_string())).collect()
    }

    fn sync_volume(&self, key: &Key) -> Result<(), Status> {
        let Some(stored) = self.deps.get(VOLUMES, key) else { return Ok(()) };
        let volume = stored.value();
        let phase = text(&volume["status"]["phase"]);
        let owner = &volume["spec"]["claimRef"];
        let claim = Key::new(text(&owner["namespace"]), text(&owner["name"]));
        let mine = |claim: &Value| claim["metadata"]["uid"] == owner["uid"];
        let lost =
            phase == "Bound" && !self.deps.get(CLAIMS, &claim).is_some_and(|found| mine(found.value()));
        if deleting(volume) && (phase != "Bound" || lost) {
            return self.release(VOLUMES, key);
        }
        let phase = match phase {
            "" | "Pending" => "Available",
            "Bound" if lost => "Released",
            "Released" => return self.reclaim(key, volume),
            _ => return Ok(()),
        };
        self.deps.write_status(VOLUMES, key, &json!({"phase": phase})).map(drop)
    }

    /// What becomes of a volume whose claim is gone.
    fn reclaim(&self, key: &Key, volume: &Value) -> Result<(), Status> {
        match reclaim::end(volume) {
            reclaim::End::Stays => Ok(()),
            reclaim::End::Goes => self.deps.delete(VOLUMES, volume),
            reclaim::End::Fails(message) => {
                let status = json!({"phase": "Failed", "message": message});
                self.deps.write_status(VOLUMES, key, &status)?;
                self.deps.warning(volume, "VolumeFailedDelete", &message);
                Ok(())
            }
        }
    }

    /// Nothing speaks against the end of a claim or volume any more.
    fn release(&self, resource: &str, key: &Key) -> Result<(), Status> {
        let released = self.deps.edit(resource, key, |object| {
            let protecting = ["kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"];
            let finalizers: Vec<Value> = items(&object["metadata"]["finalizers"])
                .iter()
                .filter(|finalizer| !protecting.contains(&text(finalizer)))
                .cloned()
                .collect();
            object["metadata"]["finalizers"] = json!(finalizers);
        });
        match released {
            Err(status) if status.code != 404 => Err(status),
            _ => Ok(()),
        }
    }
}

impl Controller for Claims {
    fn name(&self) -> &'static str {
        "persistentvolume-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        match &*event.resource {
            CLAIMS => {
                queue.add(event.key.clone());
                let volume = text(&event.object.value()["spec"]["volumeName"]);
                if event.change == Change::Deleted && !volume.is_empty() {
                    queue.add(Key::new("", volume));
                }
            }
            VOLUMES if event.change != Change::Deleted => {
                queue.add(event.key.clone());
                // It may be what a claim waits for.
                let waiting = self.deps.list(CLAIMS, None);
                let waiting = waiting.iter().filter(|claim| claim.value()["status"]["phase"] != "Bound");
                waiting.for_each(|claim| queue.add(claim.key().clone()));
            }
            // The end of a pod may be what a deleted claim waits for.
            "pods" if event.change == Change::Deleted || pods::ended(event.object.value()) => {
                for volume in items(&event.object.value()["spec"]["volumes"]) {
                    let claim = text(&volume["persistentVolumeClaim"]["claimName"]);
                    if !claim.is_empty() {
                        queue.add(Key::new(event.key.namespace.as_str(), claim));
                    }
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key, context);
        self.timers.outcome(key, &outcome, context);
    }
}
