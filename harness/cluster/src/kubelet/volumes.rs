//! The volumes of a pod, as far as they come from other objects: before these are there, nothing of the pod begins.

use pulldrill_clock::SignedDuration;
use serde_json::Value;

use super::{Kubelet, worker::Worker};
use crate::{
    recorder::Kind,
    store::{Key, Store},
};

/// How long a node waits before it tries again to mount a volume: at first, and at the most.
const FIRST: SignedDuration = SignedDuration::from_millis(500);
const LONGEST: SignedDuration = SignedDuration::from_secs(122);

/// Where volumes name other objects: the volume's field, the field with the name, the resource, and what it is called.
const SOURCES: [(&str, &str, &str, &str); 2] =
    [("configMap", "name", "configmaps", "config"), ("secret", "secretName", "secrets", "secret")];

impl Kubelet {
    /// Whether all volumes of a pod can be mounted; if not, that is told, and tried again later.
    pub(super) fn mount(&self, worker: &mut Worker, pod: &Value) -> bool {
        let missing = missing(self.api.store(), pod);
        if missing.is_empty() {
            return true;
        }
        for (volume, why) in missing {
            let message = format!("MountVolume.SetUp failed for volume {volume:?} : {why}");
            self.recorder.event(pod, None, Kind::Warning, "FailedMount", &message);
        }
        let wait = worker.mount_wait.map_or(FIRST, |wait| (wait * 2).min(LONGEST));
        worker.mount_wait = Some(wait);
        let now = self.clock.now();
        worker.synced = Some(now);
        worker.due = Some(now + wait);
        false
    }
}

/// The volumes that can't be mounted, and why.
fn missing(store: &Store, pod: &Value) -> Vec<(String, String)> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let of_volume = |volume: &Value| {
        let name = volume["name"].as_str().unwrap_or_default().to_owned();
        SOURCES.iter().find_map(|(field, named, resource, what)| {
            let source = volume.get(field).filter(|source| source.is_object())?;
            let object = source[named].as_str().unwrap_or_default();
            if source["optional"] == true {
                return None;
            }
            let Some(found) = store.get(resource, &Key::new(namespace, object)) else {
                let kind = resource.trim_end_matches('s');
                return Some((name.clone(), format!("{kind} {object:?} not found")));
            };
            let found = found.value();
            let has = |key: &str| found["data"].get(key).is_some() || found["binaryData"].get(key).is_some();
            let keys = source["items"].as_array().into_iter().flatten();
            let lost = keys.filter_map(|item| item["key"].as_str()).find(|key| !has(key))?;
            Some((name.clone(), format!("references non-existent {what} key: {lost}")))
        })
    };
    volumes.filter_map(of_volume).collect()
}
