//! The machines of a cluster, for whoever owns them: added and taken away, switched off and on. What the cluster makes
//! of that is seen in its nodes; see `kubelet::fleet`.

use std::sync::Arc;

use crate::{
    api::{Status, http},
    engine::Door,
    kubelet::{Fleet, NodeError, Pullers},
    network::Network,
    puller::{Reference, ReferenceError},
};

/// The machines of one cluster, and the way in for their kubelets.
#[derive(Clone)]
pub(super) struct Machines {
    /// A bare cluster has none.
    pub(super) fleet: Option<Arc<Fleet>>,
    pub(super) door: Door,
    pub(super) pullers: Pullers,
    pub(super) network: Network,
}

impl Machines {
    /// See [`super::Cluster::damage_image`].
    pub(super) fn damage(&self, image: &str, error: Option<&str>) -> Result<(), ReferenceError> {
        let reference = Reference::parse(image)?;
        self.pullers.lock().iter().for_each(|puller| puller.damage(&reference, error.map(str::to_owned)));
        Ok(())
    }

    fn fleet(&self, name: &str) -> Result<&Fleet, NodeError> {
        self.fleet.as_deref().ok_or_else(|| NodeError::Bare(name.to_owned()))
    }

    pub(super) fn add(&self, name: &str) -> Result<(), NodeError> {
        self.door.join(self.fleet(name)?.add(name, true)?);
        Ok(())
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), NodeError> {
        self.fleet(name)?.remove(name)
    }

    pub(super) fn stop(&self, name: &str) -> Result<(), NodeError> {
        self.fleet(name)?.stop(name)
    }

    pub(super) fn start(&self, name: &str) -> Result<(), NodeError> {
        self.door.join(self.fleet(name)?.start(name)?);
        Ok(())
    }
}

impl http::Machines for Machines {
    fn list(&self) -> Vec<(String, bool)> {
        self.fleet.as_deref().map(Fleet::machines).unwrap_or_default()
    }

    fn change(&self, change: http::MachineChange, name: &str) -> Result<(), Status> {
        let done = match change {
            http::MachineChange::Add => self.add(name),
            http::MachineChange::Remove => self.remove(name),
            http::MachineChange::Stop => self.stop(name),
            http::MachineChange::Start => self.start(name),
        };
        done.map_err(|error| {
            let (code, reason) = match &error {
                NodeError::Unknown(_) => (404, "NotFound"),
                NodeError::BadName(_) | NodeError::Bare(_) => (400, "BadRequest"),
                NodeError::Exists(_) | NodeError::Runs(_) | NodeError::Stopped(_) => (409, "Conflict"),
            };
            Status::new(code, reason, error.to_string())
        })
    }

    fn damage(&self, image: &str, error: Option<&str>) -> Result<(), Status> {
        Self::damage(self, image, error).map_err(|error| Status::bad_request(format!("{image:?}: {error}")))
    }

    fn demand_signatures(&self, host: &str, demanded: bool) {
        if demanded {
            self.network.demand_signatures(host);
        } else {
            self.network.take_unsigned(host);
        }
    }
}
