//! Where the registries of drills are now. A drill that is started anew is given another port: the images that nodes
//! have of its old one can't be taken from them, and would never be pulled again.

use std::collections::BTreeMap;

use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
};
use parking_lot::Mutex;
use pulldrill_scenarios::Placement;
use serde_json::json;

use super::{
    manifests::{self, REGISTRY},
    names::Names,
    ports::{NODE_PORTS, Ports},
    survey,
};
use crate::{LabError, RegistryAccess, inject::objects::resource_named};

/// Scenario and handle.
type Which = (String, String);

/// The registries' places.
pub(crate) struct Places {
    client: Client,
    names: Names,
    access: RegistryAccess,
    ports: Ports,
    now: Mutex<BTreeMap<Which, u16>>,
    /// One move at a time.
    moving: tokio::sync::Mutex<()>,
}

impl Places {
    /// The places in which everything begins.
    pub(crate) fn new(client: Client, names: Names, access: RegistryAccess, ports: Ports) -> Self {
        let now = ports.registries().map(|(which, port)| (which.clone(), port)).collect();
        Self { client, names, access, ports, now: Mutex::new(now), moving: tokio::sync::Mutex::default() }
    }

    /// The port of a registry that image references call so.
    pub(crate) fn port_of(&self, image_host: &str) -> Option<u16> {
        self.now.lock().values().copied().find(|port| self.ports.name(*port) == image_host)
    }

    /// Gives the registries of a scenario other ports; the names that it has then. Nothing for a scenario whose
    /// registries are on no ports.
    pub(crate) async fn change(&self, scenario: &str) -> Result<Option<Placement>, LabError> {
        if !self.now.lock().keys().any(|(id, _)| id == scenario) {
            return Ok(None);
        }
        if !matches!(self.access, RegistryAccess::NodePort { .. }) {
            return Err(LabError::Invalid(format!(
                "a drill can't be started anew with --registry-access {}: nodes may have its images, and its port can't be changed; end the lab and start another one",
                self.access
            )));
        }
        let _one = self.moving.lock().await;
        let taken = survey::taken(&self.client).await;
        let mut next = self.now.lock().clone();
        for port in next.iter_mut().filter(|((id, _), _)| id == scenario).map(|(_, port)| port) {
            *port = after(*port, |port| !taken.in_use.contains(&port) && !taken.remembered.contains(&port))?;
        }
        self.open(&next).await?;
        *self.now.lock() = next.clone();
        let own = next.into_iter().filter(|((id, _), _)| id == scenario);
        Ok(Some(Placement {
            hosts: own.map(|((_, handle), port)| (handle, self.ports.name(port))).collect(),
            namespace_prefix: Some(self.names.lab().to_owned()),
        }))
    }

    /// Makes the Service open these ports and no others.
    async fn open(&self, ports: &BTreeMap<Which, u16>) -> Result<(), LabError> {
        let all: Vec<u16> = std::iter::once(self.ports.probe().1).chain(ports.values().copied()).collect();
        let wanted = manifests::service(&self.names, &self.access, &all);
        let patch = Patch::Merge(json!({"spec": {"ports": wanted["spec"]["ports"]}}));
        let services: Api<DynamicObject> = Api::namespaced_with(
            self.client.clone(),
            &self.names.own_namespace(),
            &resource_named("services"),
        );
        let changed = services.patch(REGISTRY, &PatchParams::default(), &patch).await;
        changed.map(drop).map_err(|error| LabError::part("cluster", format!("Service {REGISTRY}: {error}")))
    }
}

/// The next port that is free, going round.
fn after(port: u16, is_free: impl Fn(u16) -> bool) -> Result<u16, LabError> {
    let found = (port + 1..=*NODE_PORTS.end()).chain(*NODE_PORTS.start()..port).find(|port| is_free(*port));
    found.ok_or_else(|| LabError::Invalid("the cluster has no node port that is free".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_free_port_is_found_going_round() {
        assert_eq!(after(31_000, |port| port != 31_001).unwrap(), 31_002);
        assert_eq!(after(32_767, |port| port > 30_004).unwrap(), 30_005);
        assert!(after(31_000, |_| false).is_err());
    }
}
