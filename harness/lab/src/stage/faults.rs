//! Faults of the registries while the lab runs: the scenarios' steps and the instructor switch them on and off.

use pulldrill_registry::{Fault, FaultRule, RegistryError};

use super::{Host, Stage, failed};
use crate::{LabError, request::FaultRequest, view::FaultView};

impl Stage {
    /// Adds a fault to a registry.
    pub(crate) async fn add_fault(&self, host: &Host, rule: FaultRule) -> Result<Fault, LabError> {
        self.registry.add_fault(&host.endpoint, rule).await.map_err(|error| match error {
            // In the words of the table, wherever the registry runs.
            RegistryError::Fault(_) | RegistryError::Remote(_) => LabError::Invalid(error.to_string()),
            other => failed(&host.name)(other),
        })
    }

    /// Ends all faults of a registry.
    pub(crate) async fn clear_faults(&self, host: &Host) -> Result<(), LabError> {
        self.registry.set_faults(&host.endpoint, Vec::new()).await.map_err(failed(&host.name))
    }

    /// The faults of the registry that is named, or of all.
    pub(crate) async fn fault_views(&self, host: Option<&str>) -> Result<Vec<FaultView>, LabError> {
        let mut views = Vec::new();
        for host in self.named(host)? {
            let faults = self.registry.faults(&host.endpoint).await.map_err(failed(&host.name))?;
            views.extend(faults.into_iter().map(|fault| self.view(&host, fault)));
        }
        views.sort_by_key(|view| view.id);
        Ok(views)
    }

    /// Adds a fault to the registry that is named, or to all.
    pub(crate) async fn switch_on(&self, request: &FaultRequest) -> Result<Vec<FaultView>, LabError> {
        request.rule.kind().map_err(|error| LabError::Invalid(error.to_string()))?;
        let mut views = Vec::new();
        for host in self.named(request.host.as_deref())? {
            let fault = self.add_fault(&host, request.rule.clone()).await?;
            views.push(self.view(&host, fault));
        }
        Ok(views)
    }

    /// Ends the fault with this number, or all of the registry that is named, or all; those that were ended.
    pub(crate) async fn switch_off(
        &self,
        host: Option<&str>,
        id: Option<u64>,
    ) -> Result<Vec<FaultView>, LabError> {
        let mut ended = self.fault_views(host).await?;
        ended.retain(|view| id.is_none_or(|id| view.id == id));
        if let (Some(id), true) = (id, ended.is_empty()) {
            return Err(LabError::UnknownFault { id });
        }
        for view in &ended {
            // Somebody may have been quicker.
            match self.registry.remove_fault(&view.host, view.id).await {
                Ok(()) | Err(RegistryError::NoFault { .. } | RegistryError::Remote(_)) => {}
                Err(error) => return Err(failed(&view.host)(error)),
            }
        }
        Ok(ended)
    }

    fn named(&self, host: Option<&str>) -> Result<Vec<Host>, LabError> {
        let all = || self.hosts().into_iter().map(|(_, host)| host).collect::<Vec<_>>();
        let Some(name) = host else { return Ok(all()) };
        self.find_host(name).map(|(_, host)| vec![host]).ok_or_else(|| {
            let known: Vec<String> = all().into_iter().map(|host| host.name).collect();
            LabError::Invalid(format!("no registry {name:?} here; there are: {}", known.join(", ")))
        })
    }

    fn view(&self, host: &Host, fault: Fault) -> FaultView {
        let until = fault.until.map(|until| self.clock.shown(until));
        FaultView { id: fault.id, host: host.endpoint.clone(), rule: fault.rule, struck: fault.struck, until }
    }
}
