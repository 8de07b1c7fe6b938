//! The machines of a cluster, for whoever owns them: added and taken away, switched off and on. What the cluster makes
//! of that is seen in its nodes; see `kubelet::fleet`.

use std::sync::Arc;

use crate::{
    api::{Status, http},
    engine::Door,
    kubelet::{Fleet, NodeError},
};

/// The machines of one cluster, and the way in for their kubelets.
#[derive(Clone)]
pub(super) struct Machines {
    /// A bare cluster has none.
    pub(super) fleet: Option<Arc<Fleet>>,
    pub(super) door: Door,
}

impl Machines {
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
}
